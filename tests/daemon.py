"""A real daemon in a directory of its own, for tests of processes and of the whole."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bananasd import Client, JobRequest, Status
from bananasd.processes import control, procfs
from bananasd.processes.board import Board, boards_in
from bananasd.processes.control import ChildView, NodeView

from .conftest import WAIT_SECONDS, wait_until

QUICK = {
    "redis": {"timeout_seconds": 2},
    "workers": {"count": 2, "grace_seconds": 1},
    "master": {"drain_seconds": 8},
    "scheduler": {"beat_seconds": 0.2, "lease_seconds": 1},
    "log": {"format": "text", "level": "debug"},
}
"""Settings under which things happen soon."""

HANDLERS = '''
    import os, time
    from pathlib import Path
    from bananasd import GiveUp, RetryLater, handler

    def note(job, what):
        """One line in the ledger, written at once."""
        line = f"{what} {job.id} {job.run} {os.getpid()} {time.monotonic()}\\n"
        descriptor = os.open(Path(__file__).parent.parent / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    @handler("note")
    def run_note(job):
        note(job, "start")
        time.sleep(job.payload.get("seconds", 0))
        note(job, "end")
        return job.payload.get("result")

    @handler("hold")
    def run_hold(job):
        note(job, "start")
        try:
            while not os.path.exists(job.payload["until"]):
                time.sleep(0.005)
        except BaseException as error:
            note(job, type(error).__name__)
            raise
        note(job, "end")
'''
"""Handlers that every test daemon has: one sleeps, one runs until a file is there; both keep a ledger."""


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return procfs.born(pid) is not None


def halt(pid: int) -> None:
    """SIGSTOP, and wait until it has: until then the process may go on."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: procfs.is_stopped(pid))


def title(pid: int) -> str:
    """What a process is called; empty if it is gone."""
    return procfs.command_line(pid).rstrip(b"\0").decode()


class Daemon:
    """``bananasd start`` as a user runs it, stopped at the end of the test whatever happened."""

    def __init__(
        self,
        handlers: str = "",
        *,
        redis_url: str = "embedded",
        directory: Path | None = None,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.environ = {**os.environ, **(environ or {})}
        self.program: Sequence[str] = ("-m", "bananasd")
        self.directory = directory or Path(tempfile.mkdtemp(prefix="bananasd-test-"))
        self.run_dir = self.directory / "run"
        self.state_dir = self.directory / "state"
        self.ledger = self.directory / "ledger"
        self.log = self.directory / "log"
        self.url = f"unix://{self.run_dir}/redis.sock" if redis_url == "embedded" else redis_url
        settings = dict(settings or {})
        pools = settings.pop("pools", [])
        sections = {name: {**QUICK.get(name, {}), **settings.get(name, {})} for name in {*QUICK, *settings}}
        sections["redis"] = {"url": redis_url, **sections["redis"]}
        self.config = self.directory / "bananas.toml"
        self.config.write_text(_toml(sections) + "".join(map(pool_toml, pools)))
        (self.directory / "handlers").mkdir(exist_ok=True)
        (self.directory / "handlers" / "noted.py").write_text(textwrap.dedent(HANDLERS))
        if handlers:
            source = (
                "import os, signal, subprocess, sys, time\nfrom bananasd import GiveUp, RetryLater, handler\n"
            )
            source += "from noted import note\n"
            (self.directory / "handlers" / "tested.py").write_text(source + textwrap.dedent(handlers))
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self, *, wait: bool = True, options: Sequence[str] = (), stdin: int = subprocess.DEVNULL
    ) -> "Daemon":
        """Start it and, unless told otherwise, wait until all its children are up."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "start", "--config", str(self.config), *options],
                stdin=stdin, stdout=log, stderr=log, cwd=self.directory, env=self.environ,
            )  # fmt: skip
        if wait:
            wait_until(self.is_up)
        return self

    @property
    def pid(self) -> int:
        """The pid of the master."""
        assert self.process is not None
        return self.process.pid

    @property
    def node(self) -> NodeView | None:
        """What the running daemon's board shows."""
        return next(
            (node for node in control.nodes(self.run_dir) if node.is_running and node.master_pid == self.pid),
            None,
        )

    def is_up(self) -> bool:
        """Whether all children do their work; fails at once when the daemon has ended."""
        assert self.process is not None and self.process.poll() is None, self.log_text()
        node = self.node
        return node is not None and node.is_up

    def children(self, kind: str = "") -> list[ChildView]:
        """The living children, of one kind or all."""
        # Once: it may go between two looks.
        node = self.node
        return [child for child in (node.children if node else []) if kind in ("", child.kind)]

    def snapshot(self, kind: str = "") -> list[ChildView]:
        """The same, all at one moment: rows are read one by one, and while one is read another may change."""
        found: list[ChildView] = []

        def is_as_before() -> bool:
            before, found[:] = list(map(_what_it_does, found)), self.children(kind)
            return before == list(map(_what_it_does, found))

        wait_until(is_as_before)
        return found

    def child(self, kind: str) -> ChildView:
        """The first child of this kind; waits until one lives, for after a death there is none for a moment."""
        found: list[ChildView] = []
        wait_until(lambda: found.extend(child for child in self.children(kind) if child.pid) or found)
        return found[0]

    def worker_of(self, job_id: str) -> ChildView:
        """The worker that runs this job; waits until one does."""
        found: list[ChildView] = []
        wait_until(lambda: found.extend(c for c in self.children("worker") if c.job_id == job_id) or found)
        return found[0]

    def client(self, **options: Any) -> Client:
        """A client of its server."""
        return Client(self.url, **options)

    def be_quiet(self) -> None:
        """SIGTSTP, and wait until no worker can be given anything: each rests, or is in a job, after which it looks."""
        os.kill(self.pid, signal.SIGTSTP)
        wait_until(lambda: self.board.is_quiet)
        wait_until(
            lambda: all(c.job_id or title(c.pid).endswith("[resting]") for c in self.children("worker"))
        )

    def give_to_stopped(self, worker: ChildView, count: int) -> list[str]:
        """Submit jobs of which the server gives some to this idle worker, which is stopped: its wait goes on without it."""
        given: list[str] = []

        def are_given() -> bool:
            # Its wait may just have been over.
            halt(worker.pid)
            given[:] = client.submit_many(JobRequest("note", {}) for _ in range(count))
            if any(client.get_job(job_id).status is Status.PROCESSING for job_id in given):
                return True
            os.kill(worker.pid, signal.SIGCONT)
            client.wait(given, WAIT_SECONDS)
            return False

        with self.client() as client:
            wait_until(are_given)
        return given

    def entries(self, what: str = "start", job_id: str = "") -> list[list[str]]:
        """Lines of the ledger: what, job id, run, pid, monotonic time."""
        text = self.ledger.read_text() if self.ledger.exists() else ""
        lines = [line.split() for line in _whole_lines(text)]
        return [line for line in lines if line[0] == what and job_id in ("", line[1])]

    def log_text(self) -> str:
        """Everything that it has logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def terminate(self) -> None:
        """SIGTERM to the master."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 20) -> int:
        """Wait for its end; the exit status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM, and wait for its end."""
        self.terminate()
        return self.wait()

    def kill_master(self) -> None:
        """SIGKILL to the master alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """The same, and wait until the kernel has taken its children."""
        pids = [child.pid for child in self.children()]
        self.kill_master()
        wait_until(lambda: not any(map(is_alive, pids)))

    def send_all(self, signum: signal.Signals) -> list[int]:
        """A signal to the whole tree, the master first, which then cannot act on what it does; whom it went to."""
        if signum is signal.SIGSTOP:
            # It may just be starting a child.
            halt(self.pid)
        pids = [self.pid, *(child.pid for child in self.children() if child.pid)]
        for pid in pids:
            procfs.send(pid, signum)
        if signum is signal.SIGSTOP:
            wait_until(lambda: all(procfs.is_stopped(pid) or not is_alive(pid) for pid in pids))
        return pids

    def kill_all(self) -> None:
        """SIGKILL to the whole tree at once, as if its host had lost power."""
        pids = self.send_all(signal.SIGKILL)
        self.wait()
        wait_until(lambda: not any(map(is_alive, pids)))

    @property
    def board(self) -> Board:
        """The board of the running daemon."""
        node = self.node
        assert node is not None
        board = Board.open(self.run_dir / f"{node.node}.board")
        assert board is not None
        return board

    def boards(self) -> list[Path]:
        """The board files that are there."""
        return boards_in(self.run_dir)

    def lines(self, *words: str) -> list[str]:
        """The lines of its log that have all these words."""
        return [line for line in _whole_lines(self.log_text()) if all(word in line for word in words)]

    def close(self) -> None:
        """End it if it still runs, with all that its handlers started, and remove its directory."""
        if self.process is not None and self.process.poll() is None:
            groups = [child.pid for child in self.children()]
            self.kill()
            for group in groups:
                assert os.getpgrp() != group
                procfs.kill_group(group)
        wait_until(self._is_removed)

    def _is_removed(self) -> bool:
        # What has just been killed, or ends with its master, may still be writing there.
        shutil.rmtree(self.directory, ignore_errors=True)
        return not self.directory.exists()


def _whole_lines(text: str) -> list[str]:
    """Without the last one if that is just being written."""
    return text[: text.rfind("\n") + 1].splitlines()


def _what_it_does(child: ChildView) -> tuple[object, ...]:
    return child.generation, child.pid, child.state, child.job_id


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ['node_name = "testnode"', 'run_dir = "run"', 'state_dir = "state"']
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def pool_toml(values: Mapping[str, Any]) -> str:
    """One of ``[[pools]]``."""
    return "\n".join(["[[pools]]", *(f"{key} = {_value(value)}" for key, value in values.items())]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


MakeDaemon = Callable[..., Daemon]
