"""A real daemon, started as users start one, in a directory of its own."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from . import procs, stamps
from .errors import BenchError
from .server import Server
from .tree import Tree

HANDLERS = Path(__file__).parent / "handlers"
WAIT_SECONDS, END_SECONDS = 60, 40
POLL_SECONDS = 0.02
"""Looking takes a core that the daemon could use."""
CONFIG = """\
run_dir = "run"
state_dir = "state"
[redis]
url = {url}
[workers]
count = {workers}
queues = {queues}
handlers = {handlers}
[log]
level = "warning"
"""


class Daemon:
    """Runs from ``with`` to its end; everything is at its default but the address, the workers and the log's level."""

    def __init__(
        self,
        tree: Tree,
        server: Server,
        *,
        url: str = "",
        workers: int = 2,
        queue: str = "default",
        has_batches: bool = True,
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="bananasd-bench-"))
        self.stamps = self._directory / "stamps"
        self._log = self._directory / "log"
        self._workers = workers
        config = self._directory / "bananas.toml"
        values = {"url": url or server.url, "workers": workers, "queues": [queue], "handlers": str(HANDLERS)}
        config.write_text(CONFIG.format_map({name: json.dumps(value) for name, value in values.items()}))
        self._command = tree.command("-m", "bananasd", "start", "--config", str(config))
        self._environ = tree.environ(
            BENCH_STAMPS=str(self.stamps), BENCH_BATCHES="usual" if has_batches else "none"
        )

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.started_at = time.monotonic_ns()
            self._process = subprocess.Popen(
                self._command, env=self._environ, cwd=self._directory, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """That of its master."""
        return self._process.pid

    def wait_for_stamps(self, jobs: int, seconds: float = WAIT_SECONDS) -> None:
        """Until so many no-ops have run."""
        self._wait(lambda: stamps.count(self.stamps) >= jobs, f"{jobs} jobs have run", seconds)

    def wait_for_timed(self, jobs: int, seconds: float = WAIT_SECONDS) -> list[stamps.Timed]:
        """Until so many jobs that take time have run; what they noted."""
        self._wait(lambda: stamps.count_timed(self.stamps) >= jobs, f"{jobs} timed jobs have run", seconds)
        return stamps.read_timed(self.stamps)

    def wait_until_idle(self) -> None:
        """Until all its workers are up and wait for jobs."""
        self._wait(
            lambda: sum(map(procs.is_idle, procs.children(self.pid))) == self._workers,
            f"its {self._workers} workers wait for jobs",
            WAIT_SECONDS,
        )

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"not within {seconds} s: {what}; the daemon logged:\n{self.log_end()}")
            time.sleep(POLL_SECONDS)

    def check_alive(self) -> None:
        """Raises `BenchError` with its last lines if it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"the daemon ended with {self._process.returncode}:\n{self.log_end()}")

    def log_end(self) -> str:
        """The last that it logged."""
        return self._log.read_text()[-2000:]
