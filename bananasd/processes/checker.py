"""The checker: a fresh interpreter that loads the new handlers before any child has to."""

import math
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from .. import clock
from . import child, exits, procfs


class Checker:
    """Whatever handlers do at their import, they do it in here. What it prints is kept in memory."""

    def __init__(self, command: Sequence[str], seconds: float, drop_inheritance: Callable[[], None]) -> None:
        self._output = os.memfd_create("check")
        self._seconds = seconds
        self._deadline = clock.deadline_in(seconds) if seconds else math.inf
        self._is_late = False
        self.pid = child.spawn(
            "check",
            lambda: self._become(command),
            drop_inheritance,
            death_signal=signal.SIGKILL,
            oom_score=0,
        )

    def _become(self, command: Sequence[str]) -> int:
        for descriptor in (1, 2):
            os.dup2(self._output, descriptor)
        # The lock of state_dir would go on through the exec: a check that hangs must not hold up the next start.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.execv(command[0], list(command))

    def watch(self) -> None:
        """Kill it if it takes too long."""
        if clock.remaining(self._deadline) == 0:
            self._is_late = True
            self.kill()

    def kill(self) -> None:
        """End it now."""
        procfs.kill_group(self.pid)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def problems(self, wait_status: int) -> list[str]:
        """What it has found, after its end."""
        with os.fdopen(self._output, "rb") as output:
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").splitlines()
        if wait_status == 0:
            return []
        if self._is_late:
            return [f"the handlers were not loaded within {self._seconds:g} s (workers.start_seconds)"]
        told = [line.removeprefix("bananasd: ") for line in lines if line.startswith("bananasd: ")]
        return told or [*lines[-20:], f"the check ended with {exits.describe_wait_status(wait_status)}"]
