"""What the README shows is done here as it stands there: its files are written, its commands run, its outputs met."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bananasd.processes import control
from tests.command_line import bananasd
from tests.conftest import wait_until

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMAND_SECONDS = 50

OPENING = ""
SECTIONS = {
    heading: text
    for text in re.split(r"^## ", README, flags=re.MULTILINE)
    for heading in [OPENING if text.startswith("# ") else text.partition("\n")[0]]
}


def blocks(heading: str, language: str) -> list[str]:
    """The code of a language in a section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[heading], re.MULTILINE | re.DOTALL)


class Machine:
    """A home, and a clone whose .venv is the one that runs the tests: all that the commands of the README touch."""

    def __init__(self, directory: Path) -> None:
        self.clone, self.home, self.run_dir = directory / "clone", directory / "home", directory / "bananasd"
        self.clone.mkdir()
        self.home.mkdir()
        (self.clone / ".venv").symlink_to(sys.prefix)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BANANAS", "RUNTIME_", "STATE_"))},
            "HOME": str(self.home), "XDG_RUNTIME_DIR": str(directory), "XDG_STATE_HOME": str(directory / "state"),
        }  # fmt: skip
        self.started: list[subprocess.Popen[bytes]] = []

    def run(self, *commands: str) -> str:
        """What the commands print, typed into one shell; each must succeed."""
        done = subprocess.run(
            ["bash", "-ec", "\n".join(commands)], cwd=self.clone, env=self.environment, capture_output=True, text=True,
            timeout=COMMAND_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *commands: str) -> "subprocess.Popen[bytes]":
        """The same for commands the last of which is a daemon; returns when it is up."""
        # The shell makes way for the daemon, so that a signal to it reaches the daemon.
        script = re.sub(r"^(?=bananasd start)", "exec ", "\n".join(commands), flags=re.MULTILINE)
        daemon = subprocess.Popen(["bash", "-ec", script], cwd=self.clone, env=self.environment)
        self.started.append(daemon)
        wait_until(lambda: self.is_up(daemon), COMMAND_SECONDS)
        return daemon

    def is_up(self, daemon: "subprocess.Popen[bytes]") -> bool:
        assert daemon.poll() is None, f"the daemon ended with {daemon.returncode}"
        return any(node.is_up and len(node.children) == 4 for node in control.nodes(self.run_dir))

    def write_files(self, folder: Path) -> None:
        """The files of the tour: their names stand in their first lines."""
        for text in blocks("A tour in five minutes", "(?:toml|python)"):
            name = re.match(r"# (\S+)\n", text)
            assert name, f"which file is this?\n{text}"
            (folder / name[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / name[1]).write_text(text)


@pytest.fixture
def machine() -> Iterator[Machine]:
    # Short, unlike pytest's: a socket's path has to fit into 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="bananasd-readme-"))
    machine = Machine(directory)
    yield machine
    for daemon in machine.started:
        daemon.kill()
        daemon.wait()
    shutil.rmtree(directory)


def test_every_command_of_the_readme_is_run_by_a_test_below() -> None:
    run_below = {OPENING: 3, "A tour in five minutes": 4}
    assert {heading: len(found) for heading in SECTIONS if (found := blocks(heading, "bash"))} == run_below
    languages = set(re.findall(r"^```(\w+)$", README, re.MULTILINE))
    assert languages == {"bash", "python", "text", "toml"}


def test_the_tour(machine: Machine) -> None:
    prepare, start, submit, look = blocks("A tour in five minutes", "bash")
    machine.run(prepare)
    machine.write_files(machine.home / "tour")
    daemon = machine.start(prepare, start)
    assert [machine.run(prepare, submit)] == blocks("A tour in five minutes", "text")
    told = machine.run(prepare, look)
    for expected in (
        "completed in ",
        '{"sent_to": "eve@example.org"}',
        "worker 1",
        "\nscheduled   1\n",
        "0 of 0 dead jobs",
        "\nstopped\n",
    ):
        assert expected in told
    assert daemon.wait(COMMAND_SECONDS) == 0


def test_the_form_for_production(machine: Machine) -> None:
    *_, production = blocks(OPENING, "bash")
    place = machine.home / "etc"
    machine.write_files(place)
    assert "/etc/bananasd/" in production
    daemon = machine.start(
        f"PATH={Path(sys.executable).parent}:$PATH", production.replace("/etc/bananasd", str(place))
    )
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(COMMAND_SECONDS) == 0


def without_chance(story: str) -> list[str]:
    """The lines of a demo, but for what differs from one to the next; sorted, for two jobs may swap."""
    story = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", story)
    story = re.sub(r"pid \d+", "pid N", story)
    story = re.sub(r"127\.0\.0\.1:\d+", "HERE", story)
    story = re.sub(r" *\d+\.\d+ s", " T s", story)
    return sorted(re.sub(r"\d+ ms", "T ms", story).splitlines())


def test_the_demo_tells_what_the_readme_shows(machine: Machine) -> None:
    demo = next(line for line in blocks(OPENING, "bash")[1].splitlines() if line.endswith("bananasd demo"))
    (shown,) = blocks("The demo", "text")
    for tries_left in (2, 1, 0):
        told = without_chance(machine.run(demo))
        # It looks now and then: on a busy machine it may miss what was for half a second.
        if told == without_chance(shown) or not tries_left:
            break
    assert told == without_chance(shown)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_does_what_the_plain_forms_do() -> None:
    with_make, plain, _ = blocks(OPENING, "bash")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in ("PYTHON", "PROCESSES")
    }  # fmt: skip
    done = ""
    for line in with_make.splitlines():
        target = line.partition("#")[0].split()[1]
        done += subprocess.run(
            ["make", "--always-make", "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    done = re.sub(r" --(?:quiet|disable-pip-version-check|clear)\b", "", done)
    assert [line for line in plain.splitlines() if line not in done] == []


def test_check_tells_mistakes_as_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "mail.py").write_text(
        'from bananasd import handler\nhandler("mail")(lambda job: None)\n'
    )
    (tmp_path / "bananas.toml").write_text("[workers]\ncuont = 4\n[master]\ndrain_seconds = 5\n")
    monkeypatch.chdir(tmp_path)
    told = bananasd("check")
    assert ([told.stderr], told.exit_code) == (blocks("Configuration", "text"), 78)
