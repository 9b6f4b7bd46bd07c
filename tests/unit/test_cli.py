"""The group: its help, its exit codes, what it imports."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from bananasd import __version__
from bananasd.cli import MODULES, main
from bananasd.cli.errors import reported
from bananasd.errors import (
    AlreadyRunning,
    BananasError,
    ConfigError,
    ConnectionFailed,
    HandlersError,
    InvalidJob,
    JobNotFound,
    NotRunning,
    ServerRefused,
    StopTimeout,
    WaitTimeout,
)
from tests.command_line import bananasd

COMMANDS = {
    "reload",
    "dump",
    "start",
    "stop",
    "status",
    "top",
    "check",
    "submit",
    "cancel",
    "reprioritise",
    "reschedule",
    "pause",
    "resume",
    "run",
    "job",
    "queues",
    "explain",
    "schedules",
    "dead",
    "doctor",
    "script",
    "init",
    "demo",
}
ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"
DEAD_COMMANDS = {"list", "show", "retry", "purge"}


def test_the_help_lists_every_command_with_what_it_does() -> None:
    result = bananasd("--help")
    assert result.exit_code == 0
    assert set(MODULES) == COMMANDS
    for name in COMMANDS:
        (line,) = [line for line in result.stdout.splitlines() if line.startswith(f"  {name} ")]
        assert len(line.split()) > 3


def test_the_help_documents_the_exit_codes() -> None:
    codes = {
        line.split()[0]
        for line in bananasd("-h").stdout.splitlines()
        if line[:4].strip() == "" and line.strip()
    }
    assert {"0", "1", "2", "69", "73", "75", "78", "130"} <= codes


@pytest.mark.parametrize("command", [*sorted(COMMANDS), *(f"dead {name}" for name in sorted(DEAD_COMMANDS))])
def test_every_command_and_every_option_is_explained(command: str) -> None:
    result = bananasd(*command.split(), "--help")
    assert result.exit_code == 0
    found = main
    with click.Context(main) as ctx:
        for name in command.split():
            found = found.get_command(ctx, name)
    assert found.help
    assert all(option.help for option in found.params if isinstance(option, click.Option))


@pytest.mark.parametrize(
    "command", ["submit", "job", "queues", "doctor", "dead list", "dead show", "dead retry", "dead purge"]
)
def test_commands_that_need_only_redis_take_an_address(command: str) -> None:
    help_text = bananasd(*command.split(), "--help").stdout
    assert "--config" in help_text
    assert "--url" in help_text
    assert "--namespace" in help_text


@pytest.mark.parametrize("command", ["start", "stop", "reload", "dump", "status", "top", "check", "run"])
def test_commands_for_the_daemon_take_a_configuration(command: str) -> None:
    assert "--config" in bananasd(command, "--help").stdout


@pytest.mark.parametrize("command", ["job", "queues", "doctor", "dead list", "dead show", "status", "check"])
def test_reading_commands_take_json(command: str) -> None:
    assert "--json" in bananasd(*command.split(), "--help").stdout


def test_version() -> None:
    result = bananasd("--version")
    assert (result.exit_code, result.stdout) == (0, f"bananasd {__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sumbit",), "sumbit"),
        (("--unknown",), "--unknown"),
        (("dead", "lits"), "lits"),
        (("submit",), "NAME"),
        (("submit", "greet", "--unknown"), "--unknown"),
        (("submit", "greet", "--payload", "{\n\x1b"), "--payload"),
        (("dead", "list", "--limit", "0"), "--limit"),
        (("stop", "--timeout", "soon\x1b"), r"soon\x1b"),
    ],
)
def test_wrong_usage_is_one_line_with_the_way_to_the_help(words: tuple[str, ...], said: str) -> None:
    result = bananasd(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("bananasd: ")
    assert said in line
    assert line.endswith(" --help')")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "nonsense"), "'ID': job id 'nonsense': want a UUID such as "),
        (("job", "nonsense"), "'ID': job id 'nonsense': want a UUID"),
        (("cancel", "nonsense"), "'ID': job id 'nonsense': want a UUID"),
        (("reprioritise", "nonsense", "high"), "'ID': job id 'nonsense': want a UUID"),
        (("reprioritise", ID, "high", "--queue", "a b"), "'--queue': queue 'a b': want 1 to 64 letters"),
        (("reschedule", "nonsense", "now"), "'ID': job id 'nonsense': want a UUID"),
        (("submit", "a\nb"), r"'NAME': name 'a\nb': want 1 to 200 characters"),
        (("submit", "a", "--id", "7"), "'--id': job id '7': want a UUID"),
        (("submit", "a", "--queue", "a b"), "'--queue': queue 'a b': want 1 to 64 letters"),
        (("pause", "a b"), "'[QUEUE]': queue 'a b': want 1 to 64 letters"),
        (("resume", "a b"), "'[QUEUE]': queue 'a b': want 1 to 64 letters"),
        (("schedules", "remove", ""), "'NAME': name '': want 1 to 200 characters"),
    ],
)
def test_what_could_never_be_right_is_refused_before_a_server_is_asked(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    result = bananasd(*words, "--url", f"unix://{tmp_path}/nobody.sock", "--namespace", "default")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"bananasd: Invalid value for {said}" in result.stderr


@pytest.mark.parametrize("command", ["submit", "run"])
def test_a_payload_without_its_option_is_told_which_that_is(command: str) -> None:
    result = bananasd(command, "hello", '{"name": "Ada"}')
    assert (result.exit_code, result.stdout) == (2, "")
    payload = """'{"name": "Ada"}'"""
    assert result.stderr == (
        f"bananasd: unexpected argument {payload}; a payload is an option: --payload {payload} "
        f"(see 'main {command} --help')\n"
    )


@pytest.mark.parametrize("words", [(), ("dead",)])
def test_a_group_alone_shows_its_help(words: tuple[str, ...]) -> None:
    assert "Commands:" in bananasd(*words).output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BananasError("no"), 1),
        (JobNotFound("x"), 1),
        (NotRunning("/run"), 1),
        (OSError("no"), 1),
        (InvalidJob("no"), 2),
        (ConnectionFailed("no"), 69),
        (ServerRefused("no"), 69),
        (AlreadyRunning("/run", 7), 73),
        (WaitTimeout("no"), 75),
        (StopTimeout("no"), 75),
        (ConfigError(["no"]), 78),
        (HandlersError(["no"]), 78),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    with pytest.raises(click.exceptions.Exit) as ended, reported():
        raise error
    assert ended.value.exit_code == code


def test_an_error_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit), reported():
        raise BananasError("it is so")
    assert capsys.readouterr() == ("", "bananasd: it is so\n")


def test_problems_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit), reported():
        raise ConfigError(["a: no", "b: no"])
    assert capsys.readouterr().err == "bananasd: a: no\nbananasd: b: no\n"


def test_an_error_of_the_system_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit), reported():
        raise PermissionError(13, "Permission denied", "/run/x")
    assert capsys.readouterr().err == "bananasd: /run/x: Permission denied\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m bananasd --help | head -n 1; echo status ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("Usage:")


def test_a_command_does_not_pay_for_the_others() -> None:
    # Where OpenTelemetry's SDK is installed redis-py loads that, and with it psutil.
    program = (
        "import sys; sys.modules['opentelemetry'] = None; from bananasd.cli import main; "
        "main(['submit', '--help'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "bananasd.cli.submit" in loaded
    assert not [
        name for name in loaded if name.startswith(("bananasd.processes", "bananasd.cli.dead", "psutil"))
    ]
