"""A systemd of its own, in which bananasd is installed: a container over this machine's files that leaves nothing behind."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bananasd import Client, ConnectionFailed
from tests.conftest import wait_until

ROOT = Path(__file__).parents[2]
BOOT = Path(__file__).with_name("machine.sh")
BOOT_SECONDS = 200
COMMAND_SECONDS = 50
OF_OTHERS = ("BANANAS", "COV", "NOTIFY_", "PYTEST", "PYTHON", "VIRTUAL_ENV")


class Machine:
    """Boots at once, and runs until `close`, or until the process that made it has ended."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="bananasd-machine-"))
        self.console = self.directory / "console"
        self._name = f"bananasd-test-{os.getpid()}"
        (self.directory / "mount").mkdir()
        with self.console.open("wb") as console:
            self._process = subprocess.Popen(
                # A test that is killed takes with it all the processes of the machine, and these its mounts.
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
                 "--mount-proc", "sh", BOOT, self.directory / "mount", ROOT, self._name],
                env=_environment(), stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        try:
            wait_until(self._has_booted, BOOT_SECONDS)
        except BaseException:
            self.close()
            raise

    def _has_booted(self) -> bool:
        assert self._process.poll() is None, self.console.read_text()
        # The script becomes nspawn in the end, and nspawn's child, after other things, systemd.
        pids = self._nspawn_and_init()
        names = [_read(f"/proc/{pid}/comm").strip() for pid in pids]
        return names == ["systemd-nspawn", "systemd"] and self._state() in ("running", "degraded")

    def _nspawn_and_init(self) -> list[int]:
        nspawn = _children(self._process.pid)
        return nspawn + [child for pid in nspawn for child in _children(pid)]

    def _state(self) -> str:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    @property
    def init(self) -> int:
        """The pid, here, of its first process."""
        return self._nspawn_and_init()[1]

    def close(self) -> None:
        """As if its power was cut; nothing in it is worth a proper end."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.directory)
        for cgroup in Path("/sys/fs/cgroup").rglob(self._name):
            wait_until(lambda top=cgroup: _remove_cgroups(top))

    def run(self, *command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command in the machine, as root."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--wd=/", *command],
            env=_environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def path(self, path: str) -> Path:
        """A file of the machine, as it is reached from here."""
        return Path(f"/proc/{self.init}/root{path}")


class Unit:
    """The machine's ``bananasd.service``, or an instance of ``bananasd@.service``."""

    def __init__(self, machine: Machine, instance: str = "") -> None:
        name = f"bananasd-{instance}" if instance else "bananasd"
        self.machine = machine
        self.name = f"bananasd@{instance}.service" if instance else "bananasd.service"
        self.config_path = f"/etc/bananasd/{instance or 'bananas'}.toml"
        self.config = machine.path(self.config_path)
        self.handlers = machine.path("/etc/bananasd/tested")
        self.state = machine.path(f"/var/lib/{name}")
        self.run_dir = machine.path(f"/run/{name}")
        self._drop_ins = machine.path(f"/etc/systemd/system/{self.name}.d")

    # Its files

    def write_handlers(self, source: str) -> None:
        """Its one module of handlers."""
        self.handlers.mkdir(exist_ok=True)
        (self.handlers / "tested.py").write_text(source)

    def drop_in(self, text: str) -> None:
        """What ``systemctl edit`` writes."""
        self._drop_ins.mkdir()
        (self._drop_ins / "override.conf").write_text(text)
        self.machine.run("systemctl", "daemon-reload")

    def runs(self, job_id: str) -> int:
        """How many runs of a job that holds have begun."""
        path = self.state / f"runs-{job_id}"
        return len(path.read_text()) if path.exists() else 0

    def release(self, *job_ids: str) -> None:
        """Let jobs that hold end."""
        for job_id in job_ids:
            (self.state / f"go-{job_id}").touch()

    # What systemd does with it

    def systemctl(self, verb: str, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self.machine.run("systemctl", verb, *options, self.name, check=check)

    def start(self) -> "Unit":
        self.systemctl("start")
        return self

    def show(self, name: str) -> str:
        """One of its properties."""
        return self.systemctl("show", f"--property={name}", "--value").stdout.strip()

    @property
    def main_pid(self) -> int:
        return int(self.show("MainPID"))

    def is_active(self) -> bool:
        return self.show("ActiveState") == "active"

    def signal(self, signum: str) -> None:
        """A signal to the master alone."""
        self.systemctl("kill", "--kill-whom=main", f"--signal={signum}")

    def journal(self, *words: str) -> list[dict[str, Any]]:
        """Its entries, and systemd's about it, that have all these words."""
        lines = self.machine.run("journalctl", "--quiet", "--output=json", f"--unit={self.name}").stdout
        entries = map(json.loads, lines.splitlines())
        return [entry for entry in entries if all(word in str(entry["MESSAGE"]) for word in words)]

    def reset(self) -> None:
        """End it, whatever a test has made of it, and forget how it went."""
        if self._drop_ins.exists():
            shutil.rmtree(self._drop_ins)
            self.machine.run("systemctl", "daemon-reload")
        # QUIT: jobs that still run go back at once.
        self.systemctl("kill", "--kill-whom=main", "--signal=QUIT", check=False)
        self.systemctl("stop", check=False)
        self.systemctl("reset-failed", check=False)
        assert self.show("ActiveState") == "inactive"

    # What its users do with it

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """``bananasd …`` in a shell of its user."""
        command = ("/opt/bananasd/bin/bananasd", *arguments, "--config", self.config_path)
        return self.machine.run("runuser", "-u", "bananasd", "--", *command, check=check)

    def status(self) -> dict[str, Any]:
        """What ``bananasd status`` tells of the one daemon."""
        (node,) = json.loads(self.command("status", "--json").stdout)
        return dict(node)

    def client(self) -> Client:
        """A client of its server, once that has loaded what it had written: a unit is up before."""

        def connect() -> bool:
            with suppress(ConnectionFailed):
                clients.append(Client(f"unix://{self.run_dir}/redis.sock"))
            return bool(clients)

        clients: list[Client] = []
        wait_until(connect)
        return clients[0]


def handlers_of(name: str) -> str:
    """The source of a module of handlers for the daemons in the machine."""
    return Path(__file__).with_name("handlers").joinpath(f"{name}.py").read_text()


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _read(path: str) -> str:
    """Nothing, if the process has just ended."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _remove_cgroups(top: Path) -> bool:
    """Whether they are gone; the last processes may take a moment to leave them."""
    try:
        for directory, _, _ in os.walk(top, topdown=False):
            os.rmdir(directory)
    except OSError:
        return False
    return True


def _environment() -> Mapping[str, str]:
    """This one, for pip may need what is set in it, but for what is about the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_OTHERS)}
