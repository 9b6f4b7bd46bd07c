"""The checker: a fresh interpreter that loads the new handlers before any child has to."""

import math
import os
import signal
from collections.abc import Callable, Sequence

from .. import clock
from . import child, exits, procfs

READ_BYTES = 64 * 1024
"""Problems are few, and told last."""

MAX_BYTES = 16 * 1024 * 1024


class Checker:
    """Whatever handlers do at their import, they do it in here. What it prints is kept in memory."""

    def __init__(self, command: Sequence[str], seconds: float, drop_inheritance: Callable[[], None]) -> None:
        self._output = os.memfd_create("check")
        self._seconds = seconds
        self._deadline = clock.deadline_in(seconds) if seconds else math.inf
        self._fault = ""
        try:
            self.pid = child.spawn(
                "check",
                lambda: self._become(command),
                drop_inheritance,
                death_signal=signal.SIGKILL,
                oom_score=0,
            )
        except OSError:
            os.close(self._output)
            raise

    def _become(self, command: Sequence[str]) -> int:
        for descriptor in (1, 2):
            os.dup2(self._output, descriptor)
        # The lock of state_dir would go on through the exec: a check that hangs must not hold up the next start.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.execv(command[0], list(command))

    def watch(self) -> None:
        """Kill it if it takes too long, or floods the memory that it prints into."""
        if clock.remaining(self._deadline) == 0:
            self._fault = f"the handlers were not loaded within {self._seconds:g} s (workers.start_seconds)"
        elif os.fstat(self._output).st_size > MAX_BYTES:
            self._fault = f"the handlers print more than {MAX_BYTES >> 20} MB while they are loaded"
        if self._fault:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        procfs.kill_group(self.pid)
        procfs.send(self.pid, signal.SIGKILL)

    def problems(self, wait_status: int) -> list[str]:
        """What it has found, after its end."""
        with os.fdopen(self._output, "rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - READ_BYTES))
            lines = output.read(READ_BYTES).decode("utf-8", "replace").splitlines()
        if wait_status == 0:
            return []
        if self._fault:
            return [self._fault]
        told = [line.removeprefix("bananasd: ") for line in lines if line.startswith("bananasd: ")]
        return told or [*lines[-20:], f"the check ended with {exits.describe_wait_status(wait_status)}"]
