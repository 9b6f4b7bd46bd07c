"""The workers of a system, and the process that submits its jobs."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from .. import stamps
from ..daemon import CONFIG, POLL_SECONDS
from ..errors import BenchError
from ..tree import Tree
from .systems import System

APPS = Path(__file__).parent / "apps"


class Fleet:
    """Runs from ``with`` to its end, in a directory of its own; `start` starts the workers."""

    def __init__(self, system: System, programs: Path, url: str, tree: Tree) -> None:
        self._system = system
        self._directory = Path(tempfile.mkdtemp(prefix="bananasd-bench-"))
        self.stamps, self.holds = self._directory / "stamps", self._directory / "holds"
        self._log = self._directory / "log"
        self._environ = tree.environ(
            PATH=f"{programs}:{os.environ['PATH']}", BENCH_URL=url, BENCH_STAMPS=str(self.stamps), BENCH_HOLDS=str(self.holds)
        )  # fmt: skip
        # A rival must not see our packages; ours needs both.
        self._environ["PYTHONPATH"] = str(APPS) if system.requirements else f"{tree.path}:{APPS}"
        self._names = {"url": url, "config": str(self._directory / "bananas.toml")}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        values = {"url": self._names["url"], "workers": 2, "queues": ["default"], "handlers": "handlers"}
        config = CONFIG.format_map({name: json.dumps(value) for name, value in values.items()})
        (self._directory / "bananas.toml").write_text(config)
        (self._directory / "handlers").mkdir()
        shutil.copy(APPS / "with_bananasd.py", self._directory / "handlers")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def submit(self, way: str, jobs: int) -> float:
        """Have jobs submitted, one a call; the seconds from the first call to the return of the last."""
        # Imported, not run: some name a job after its module, which would be __main__.
        command = ("python", "-c", f"import {self._system.app} as app; app.main()", way, str(jobs))
        done = subprocess.run(
            command, env=self._environ, cwd=self._directory, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{self._system.name} cannot submit: {done.stderr.strip()[-1000:]}")
        return float(done.stdout)

    def start(self) -> None:
        """Start the workers."""
        with self._log.open("ab") as log:
            for command in self._system.commands:
                words = [word.format_map(self._names) for word in command]
                process = subprocess.Popen(
                    words,
                    env=self._environ,
                    cwd=self._directory,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                self._processes.append(process)

    def kill(self) -> None:
        """SIGKILL to the workers and to all that they have started, as if their host had lost its power."""
        for pid in self.pids():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def pids(self) -> Sequence[int]:
        """The workers and all that they have started, orphans too: who keeps to the session, or is a child of one who does."""
        roots = {process.pid for process in self._processes}
        found = set[int]()
        for pid in psutil.pids():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getsid(pid) in roots:
                    found |= {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
        return sorted(found)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it has come true in that time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def count(self) -> int:
        """How many no-ops have run."""
        return stamps.count(self.stamps)

    def holds_begun(self) -> list[tuple[int, int]]:
        """When, in nanoseconds of the monotonic clock, and in which process the long job began, each time."""
        lines = self.holds.read_text().splitlines() if self.holds.exists() else []
        return [(int(at), int(pid)) for at, pid in map(str.split, lines)]

    def log_end(self) -> str:
        """The last that the workers said."""
        return self._log.read_text(errors="replace")[-1500:] if self._log.exists() else ""
