"""Signals as data: handlers only note what arrived, the owner reads it when it is ready."""

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from types import FrameType

PIPE_BYTES = 65_536


class Inbox:
    """Takes the given signals of this process; ``fileno`` is readable while something has arrived.

    The noting is done by a Python handler, the waking by a pipe: so nothing is lost if a library takes the wakeup
    descriptor for itself.
    """

    def __init__(self, signums: Iterable[signal.Signals]) -> None:
        self._arrived: list[int] = []
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signums = list(signums)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for signum in self._signums:
            signal.signal(signum, self._note)

    def fileno(self) -> int:
        """For poll and select."""
        return self._reader

    def wait(self, seconds: float) -> list[int]:
        """Sleep until a signal arrives or the time is over; return what has arrived."""
        if not self._arrived and seconds > 0:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            poll.poll(seconds * 1000)
        return self.take()

    def take(self) -> list[int]:
        """What has arrived since the last look, each signal twice at most. Those that came at once are in no order."""
        self._empty_pipe()
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, then: signal.Handlers = signal.SIG_DFL) -> None:
        """Take no more of them. The defaults hold then, as in a forked child, or they are ignored."""
        signal.set_wakeup_fd(-1)
        for signum in self._signums:
            signal.signal(signum, then)
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        # A second one may say more than the first, a third does not; and who sends without end fills no memory.
        if self._arrived.count(signum) < 2:
            self._arrived.append(signum)

    def _empty_pipe(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, PIPE_BYTES)
