"""A real daemon, started as users start one, in a directory of its own."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from . import stamps
from .errors import BenchError
from .server import Server
from .tree import Tree

HANDLERS = Path(__file__).parent / "handlers"
END_SECONDS = 40
POLL_SECONDS = 0.02
CONFIG = """\
run_dir = "run"
state_dir = "state"
[redis]
url = {url}
[workers]
count = {workers}
handlers = {handlers}
[log]
level = "warning"
"""


class Daemon:
    """Runs from ``with`` to its end; everything is at its default but the address, the workers and the log's level."""

    def __init__(self, tree: Tree, server: Server, *, workers: int = 2, has_batches: bool = True) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="bananasd-bench-"))
        self.stamps = self._directory / "stamps"
        self._log = self._directory / "log"
        config = self._directory / "bananas.toml"
        config.write_text(
            CONFIG.format(url=json.dumps(server.url), workers=workers, handlers=json.dumps(str(HANDLERS)))
        )
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

    def wait_for_stamps(self, jobs: int, seconds: float = 60) -> None:
        """Until so many no-ops have run."""
        deadline = time.monotonic() + seconds
        while (ran := stamps.count(self.stamps)) < jobs:
            self.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"{ran} of {jobs} jobs ran within {seconds} s; it logged:\n{self.log_end()}")
            time.sleep(POLL_SECONDS)

    def check_alive(self) -> None:
        """Raises `BenchError` with its last lines if it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"the daemon ended with {self._process.returncode}:\n{self.log_end()}")

    def log_end(self) -> str:
        """The last that it logged."""
        return self._log.read_text()[-2000:]
