"""What is released: a source archive, the wheel built from it, and the program installed from that wheel alone."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import bananasd

# The first test of each kind builds and installs.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 120
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "*.egg-info", "__pycache__", ".*cache", ".coverage*", ".hypothesis"
)


class Installed:
    """The program in a virtual environment of its own, run from an empty directory as a user of its own would."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        self.home = directory / "home"
        self.home.mkdir()
        self._bin = directory / "venv" / "bin"
        venv.create(self._bin.parent, with_pip=False)
        pip = (sys.executable, "-m", "pip", "--python", self._bin / "python")
        self._run(*pip, "install", "--quiet", "--no-compile", f"{wheel}[embedded]")

    def python(self, *arguments: str) -> str:
        return self._run(self._bin / "python", *arguments)

    def bananasd(self, *arguments: str) -> str:
        return self._run(self._bin / "bananasd", *arguments)

    def start_daemon(self, config: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [self._bin / "bananasd", "start", "--config", config], cwd=self.home, env=self._environment()
        )

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=self.home, env=self._environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS
        )  # fmt: skip
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """Nothing of this repository, its tests, or a daemon that may run here."""
        strange = ("BANANAS", "COV", "PYTEST", "PYTHON", "VIRTUAL_ENV", "XDG_", "RUNTIME_", "STATE_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        return plain | {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
        }


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    # Short, unlike pytest's: a socket's path has to fit into 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="bananasd-wheel-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def wheel(directory: Path) -> Path:
    """The wheel as a release is made: from the source archive, not from the checkout."""
    source = directory / "source"
    # Two builds in one folder would take each other's files away.
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    built = subprocess.run([sys.executable, "-m", "build", source], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = (source / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(directory: Path, wheel: Path) -> Installed:
    return Installed(directory, wheel)


def files_below(folder: Path, name: str) -> set[str]:
    """The files of a folder, as they are to be called in the wheel."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {f"{name}/{file}" for file in files if "__pycache__" not in file.parts}


def test_the_wheel_holds_the_package_and_the_samples_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = files_below(ROOT / "bananasd", "bananasd") | files_below(ROOT / "handlers", "bananasd/samples")
    assert held == wanted
    assert {"bananasd/py.typed", "bananasd/store/lua/claim.lua", "bananasd/samples/user_signup.py"} < held


def test_the_version_of_the_wheel_is_that_of_the_package(wheel: Path) -> None:
    assert wheel.name == f"bananasd-{bananasd.__version__}-py3-none-any.whl"


def test_the_installed_program_tells_its_version(installed: Installed) -> None:
    assert bananasd.__version__ in installed.bananasd("--version")


def test_the_installed_samples_are_found(installed: Installed) -> None:
    script = (
        "from importlib.resources import files; print(*(f.name for f in files('bananasd.samples').iterdir()))"
    )
    assert {"user_signup.py", "send_welcome_email.py", "data_processing.py"} < set(
        installed.python("-c", script).split()
    )


def test_the_demo_completes_its_jobs_from_an_installed_wheel(installed: Installed) -> None:
    told = installed.bananasd("demo")
    for number in range(1, 5):
        assert f"job {number}/4" in told


def test_a_job_completes_in_a_daemon_started_from_an_installed_wheel(installed: Installed) -> None:
    installed.bananasd("init", "jobs")
    config = installed.home / "jobs" / "bananas.toml"
    daemon = installed.start_daemon(config)
    try:
        wait_for_server(daemon, installed.home)
        told = installed.bananasd(
            "submit", "hello", "--payload", '{"name": "Ada"}', "--wait", "--config", str(config)
        )
        assert "completed" in told
        installed.bananasd("stop", "--config", str(config))
        assert daemon.wait(COMMAND_SECONDS) == 0
    finally:
        daemon.kill()
        daemon.wait()


def wait_for_server(daemon: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until the daemon's server has its socket; the client takes care of the rest."""
    deadline = time.monotonic() + COMMAND_SECONDS
    while not any(path.is_socket() for path in folder.rglob("*.sock")):
        assert daemon.poll() is None, f"the daemon ended with {daemon.returncode}"
        assert time.monotonic() < deadline, "no server came up"
        time.sleep(0.05)
