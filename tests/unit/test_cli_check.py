"""``bananasd check``: what is found, and every problem."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bananasd.errors import BadDirectory
from bananasd.processes.locks import make_private
from tests.command_line import bananasd

HANDLER = """
from bananasd import handler
@handler("{name}", max_retries=2)
def run(job): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is fine."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "mail.py").write_text(HANDLER.format(name="send_mail"))
    (tmp_path / "bananas.toml").write_text(
        'run_dir = "/tmp/r"\nstate_dir = "state"\n[workers]\ncount = 3\nqueues = ["default", "mail"]\n'
    )
    return tmp_path


def test_it_shows_what_a_daemon_would_run_with(project: Path) -> None:
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert shown == {
        "configuration": f"{project}/bananas.toml",
        "namespace": "default",
        "redis": "embedded, unix:///tmp/r/redis.sock",
        "workers": "3, for default, mail",
        "run_dir": "/tmp/r",
        "state_dir": f"{project}/state",
        "handlers": f"send_mail ({project}/handlers/mail.py:3)",
    }


def test_it_shows_it_as_json(project: Path) -> None:
    told = json.loads(bananasd("check", "--json", "--config", project / "bananas.toml").stdout)
    assert told["redis"] == {"is_embedded": True, "address": "unix:///tmp/r/redis.sock"}
    assert told["workers"] == {
        "count": 3,
        "queues": ["default", "mail"],
        "priorities": ["high", "normal", "low"],
        "fairness": 0,
    }
    assert told["pools"] == []
    assert told["handlers"] == [
        {"name": "send_mail", "file": f"{project}/handlers/mail.py", "line": 3, "max_retries": 2, "timeout_seconds": None}
    ]  # fmt: skip


def test_it_shows_pools(project: Path) -> None:
    path = project / "bananas.toml"
    path.write_text(
        "[workers]\ncount = 3\nfairness = 10\n"
        '[[pools]]\nname = "urgent"\nworkers = 1\nqueues = ["default", "mail"]\npriorities = ["high"]\n'
    )
    lines = [line.strip() for line in bananasd("check", "--config", path).stdout.splitlines()]
    assert "workers        3, for default; fairness 10" in lines
    assert "1 in pool urgent, for default, mail: high" in lines
    assert json.loads(bananasd("check", "--json", "--config", path).stdout)["pools"] == [
        {"name": "urgent", "workers": 1, "queues": ["default", "mail"], "priorities": ["high"], "fairness": 0}
    ]


def test_it_shows_the_schedules_of_handlers_and_file_each_name_once(project: Path) -> None:
    for name, when in {"often": 'every="1m30s"', "both": 'cron="@daily"'}.items():
        text = HANDLER.format(name=name).replace("max_retries=2", when)
        (project / "handlers" / f"{name}.py").write_text(text)
    (project / "bananas.toml").write_text("""
        [[schedules]]
        name = "both"
        job = "send_mail"
        cron = "30 3 * * *"
        timezone = "Europe/Berlin"
        enabled = false
    """)
    output = bananasd("check", "--config", project / "bananas.toml").stdout
    shown = re.search(r"^schedules +(.*)\n +(.*)\nhandlers", output, re.MULTILINE)
    assert shown
    assert shown.groups() == ("both → send_mail (30 3 * * * Europe/Berlin, rests)", "often (every 1m30s)")
    told = json.loads(bananasd("check", "--json", "--config", project / "bananas.toml").stdout)
    assert [(one["name"], one["source"]) for one in told["schedules"]] == [
        ("both", "config"),
        ("often", "handler"),
    ]


def test_no_password_is_shown(project: Path) -> None:
    (project / "bananas.toml").write_text('[redis]\nurl = "redis://me:secret@host:1/2"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert "redis://host:1/2" in result.stdout
    assert "secret" not in result.output


def test_every_problem_of_the_configuration(project: Path) -> None:
    (project / "bananas.toml").write_text("namespase = 1\n[workers]\ncount = -1\n")
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stdout) == (78, "")
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == ["namespase", "workers.count"]


def test_every_problem_of_configuration_and_handlers_in_one_go(project: Path) -> None:
    (project / "handlers" / "wrong.py").write_text("def\n")
    (project / "bananas.toml").write_text('namespase = 1\n[redis]\nurl = "redis://a..b"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stdout) == (78, "")
    unknown, address, handlers = result.stderr.splitlines()
    assert unknown.startswith(f"bananasd: {project}/bananas.toml: namespase: ")
    assert address.startswith(f"bananasd: {project}/bananas.toml: redis.url: the address ")
    assert handlers.startswith(f"bananasd: {project}/handlers/wrong.py:1: SyntaxError")


def test_a_module_that_raises_what_is_no_exception_is_a_problem_with_its_line(project: Path) -> None:
    (project / "handlers" / "wrong.py").write_text("import asyncio\nraise asyncio.CancelledError\n")
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stderr) == (
        78,
        f"bananasd: {project}/handlers/wrong.py:2: CancelledError\n",
    )


def test_handlers_are_not_looked_for_where_the_setting_is_wrong(project: Path) -> None:
    (project / "bananas.toml").write_text("[workers]\nhandlers = 1\n")
    result = bananasd("check", "--config", project / "bananas.toml")
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == ["workers.handlers"]


def test_every_problem_of_handlers_and_server(project: Path) -> None:
    (project / "handlers" / "again.py").write_text(HANDLER.format(name="send_mail"))
    (project / "handlers" / "wrong.py").write_text("def\n")
    (project / "bananas.toml").write_text(f'run_dir = "/tmp/{"r" * 120}"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stdout) == (78, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"bananasd: {project}/bananas.toml: run_dir: unix:///tmp/rrr")
    assert "107 bytes" in lines[0]
    assert any("wrong.py:1: SyntaxError" in line for line in lines)
    assert any("mail.py:3: " in line and "again.py:3" in line for line in lines)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (".", "Is a directory"),
        ("missing/the.log", "No such file or directory"),
        ("bananas.toml/the.log", "Not a directory"),
        ("pipe", "No such device or address"),
    ],
)
def test_a_log_file_that_cannot_be_written_to_is_a_problem(project: Path, file: str, reason: str) -> None:
    os.mkfifo(project / "pipe")
    path = project / "bananas.toml"
    path.write_text(f'[log]\nfile = "{file}"\n')
    result = bananasd("check", "--config", path)
    assert (result.exit_code, result.stdout) == (78, "")
    named = project / file
    assert result.stderr.startswith(f"bananasd: {path}: log.file: {named}: cannot be written to: {reason}; ")


def test_a_log_file_that_can_be_made_is_not_made_by_a_look(project: Path) -> None:
    """It would be the file of whoever looks, often root."""
    path = project / "bananas.toml"
    path.write_text('[log]\nfile = "the.log"\n')
    assert bananasd("check", "--config", path).exit_code == 0
    assert not (project / "the.log").exists()
    (project / "the.log").write_text("a line\n")
    assert bananasd("check", "--config", path).exit_code == 0
    assert (project / "the.log").read_text() == "a line\n"


@pytest.mark.parametrize("name", ["run_dir", "state_dir"])
@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("bananas.toml", "cannot be used as a directory: Not a directory"),
        ("bananas.toml/below", "cannot be used as a directory: Not a directory"),
        ("nowhere", "cannot be made: a link that leads nowhere is in its place"),
        ("for_all", "is writable for all"),
        ("/proc/x", "cannot be made there"),
    ],
)
def test_a_directory_that_no_start_would_take_is_a_problem(
    project: Path, name: str, path: str, fault: str
) -> None:
    (project / "nowhere").symlink_to("missing")
    (project / "for_all").mkdir()
    (project / "for_all").chmod(0o777)
    config = project / "bananas.toml"
    config.write_text(f'{name} = "{path}"\n')
    result = bananasd("check", "--config", config)
    assert (result.exit_code, result.stdout) == (78, "")
    assert (
        result.stderr == f"bananasd: {config}: {name}: {project / path}: {fault}; choose another directory\n"
    )
    with pytest.raises(BadDirectory):
        make_private(project / path)


def test_directories_are_not_made_by_a_look(project: Path) -> None:
    (project / "bananas.toml").write_text('run_dir = "deep/run"\nstate_dir = "deep/state"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert not (project / "deep").exists()


def test_a_state_dir_that_no_embedded_server_uses_is_no_problem(project: Path) -> None:
    (project / "bananas.toml").write_text('state_dir = "bananas.toml"\n[redis]\nurl = "redis://host"\n')
    assert bananasd("check", "--config", project / "bananas.toml").exit_code == 0


def test_a_directory_that_this_user_may_not_make_is_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = project / "bananas.toml"
    config.write_text('run_dir = "deep/run"\n[redis]\nurl = "redis://host"\n')
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (project, os.W_OK | os.X_OK))
    result = bananasd("check", "--config", config)
    assert result.exit_code == 0
    assert result.stderr.startswith(
        f"bananasd: warning: {config}: run_dir: {project}/deep/run: is not there, and this user may not make it; "
    )


def told_of_run_dir(project: Path, run_dir: str) -> str:
    """The warning of a directory that a start may take all the same; "" for none."""
    config = project / "bananas.toml"
    config.write_text(f'run_dir = "{run_dir}"\n[redis]\nurl = "redis://host"\n')
    result = bananasd("check", "--config", config)
    assert result.exit_code == 0
    return result.stderr.removeprefix(f"bananasd: warning: {config}: run_dir: {project / run_dir}: ")


@pytest.mark.parametrize(("uid", "is_told"), [(54321, True), (0, False)])
def test_a_directory_of_another_user_is_a_warning_but_for_root(
    project: Path, monkeypatch: pytest.MonkeyPatch, uid: int, is_told: bool
) -> None:
    (project / "run").mkdir()
    if os.getuid() == 0:
        os.chown(project / "run", 12345, -1)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    told = told_of_run_dir(project, "run")
    assert told.startswith("belongs to another user") is is_told


@pytest.mark.parametrize(("may_write", "told"), [(True, ""), (False, "this user may not write there")])
def test_a_directory_of_root_is_for_every_user_who_may_write_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, may_write: bool, told: str
) -> None:
    """As one of a volume that a group may write to."""
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    monkeypatch.setattr(os, "access", lambda path, mode: may_write or str(path) != "/usr")
    assert make_private(Path("/usr"))
    assert told_of_run_dir(project, "/usr").partition(";")[0] == told


def test_a_directory_where_this_user_may_not_look_is_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon's user may: a look as another must not refuse what a start takes."""
    stat, closed = os.stat, str(project / "closed" / "run")

    def refuse(path, **options):
        if str(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    assert told_of_run_dir(project, "closed/run").startswith("this user may not look there: ")


def check_alone(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which it may end as it likes."""
    command = [sys.executable, "-m", "bananasd", "check", "--config", str(project / "bananas.toml"), *options]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_modules_print_is_no_part_of_what_is_told(project: Path) -> None:
    module = project / "handlers" / "loud.py"
    said = "import os\nprint('from a module')\nos.system('echo from a program')\n"
    module.write_text(said + HANDLER.format(name="loud"))
    result = check_alone(project, "--json")
    assert [one["name"] for one in json.loads(result.stdout)["handlers"]] == ["loud", "send_mail"]
    assert {"from a module", "from a program"} <= {*result.stderr.splitlines()}
    assert "from a" not in check_alone(project).stdout


def test_a_module_that_crashes_the_process_is_in_the_stack_that_is_told(project: Path) -> None:
    module = project / "handlers" / "crash.py"
    module.write_text("import os\n\nos.abort()\n")
    result = check_alone(project)
    assert result.returncode < 0
    assert f'File "{module}", line 3 in <module>' in result.stderr


def test_a_password_file_that_cannot_be_read(project: Path) -> None:
    (project / "bananas.toml").write_text('[redis]\nurl = "redis://host"\npassword_file = "none"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert result.exit_code == 78
    assert result.stderr == (
        f"bananasd: {project}/bananas.toml: redis.password_file: {project}/none: "
        "cannot be read: No such file or directory\n"
    )


def test_a_wrong_address_from_the_environment_is_not_blamed_on_the_file(project: Path) -> None:
    result = bananasd("check", "--config", project / "bananas.toml", BANANAS_REDIS_URL="redis://h:99999")
    assert result.exit_code == 78
    assert result.stderr.startswith("bananasd: $BANANAS_REDIS_URL: the address ")


def test_a_service_is_shown_with_its_sentinels(project: Path) -> None:
    (project / "bananas.toml").write_text('[redis]\nsentinels = ["a", "b:7000"]\nservice = "jobs"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert result.exit_code == 0
    assert "redis+sentinel://a:26379,b:7000/jobs" in result.stdout
    assert "embedded" not in result.stdout


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            'sentinels = ["a", "b:x"]\nservice = "jobs"',
            "redis.sentinels: the address redis+sentinel://… has a port",
        ),
        (
            'sentinels = ["::1"]\nservice = "jobs"',
            "redis.sentinels: the address redis+sentinel://… has an IPv6 address without brackets: write [::1]:",
        ),
        ('sentinels = ["a"]', "redis.service: the Sentinels know servers by name"),
        ('url = "redis+sentinel://a"', "redis.url: the address redis+sentinel://… must go on with Sentinels"),
        (
            'sentinels = ["a"]\nservice = "jobs"\nsentinel_password_file = "none"',
            "redis.sentinel_password_file: {project}/none: cannot be read: No such file or directory",
        ),
    ],
)
def test_what_is_wrong_with_sentinels_is_one_problem_with_its_place(
    project: Path, settings: str, problem: str
) -> None:
    (project / "bananas.toml").write_text(f"[redis]\n{settings}\n")
    result = bananasd("check", "--config", project / "bananas.toml")
    assert result.exit_code == 78
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"bananasd: {project}/bananas.toml: {problem.format(project=project)}")


def test_a_missing_directory_of_handlers_is_told_with_its_setting(project: Path) -> None:
    (project / "bananas.toml").write_text('[workers]\nhandlers = "none"\n')
    result = bananasd("check", "--config", project / "bananas.toml")
    assert (result.exit_code, result.stderr) == (
        78,
        f"bananasd: workers.handlers: {project}/none: not a directory of handlers (No such file or directory)\n",
    )


def test_a_missing_configuration(tmp_path: Path) -> None:
    result = bananasd("check", "--config", tmp_path / "none.toml")
    assert result.exit_code == 78
    assert result.stderr.startswith(f"bananasd: {tmp_path}/none.toml: ")


def test_a_missing_embedded_server_is_a_warning(project: Path) -> None:
    result = bananasd("check", "--config", project / "bananas.toml", BANANASD_REDIS_SERVER="/does/not/exist")
    assert result.exit_code == 0
    assert result.stderr.startswith("bananasd: warning: ")


def test_a_risk_is_a_warning_beside_what_is_shown(project: Path) -> None:
    path = project / "bananas.toml"
    path.write_text(f"{path.read_text()}[scheduler]\nlease_seconds = 9\n")
    result = bananasd("check", "--config", path)
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"bananasd: warning: {path}: scheduler.lease_seconds: 9: is less than ")
    assert "send_mail" in result.stdout


def test_the_configuration_is_looked_for_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert "bananas.toml" in bananasd("check").stdout.splitlines()[0]


def test_without_a_configuration_the_defaults_are_checked(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bananas.toml").unlink()
    monkeypatch.chdir(project)
    if os.path.exists("/etc/bananasd/bananas.toml"):
        pytest.skip("this host has a configuration of its own")
    assert "none, these are the defaults" in bananasd("check").stdout
