"""What the processes of a node tell of an outage: each line once, by whoever comes first, at level warning; the others at debug."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from .. import clock
from .row import LOST_LINE_NS, LOST_SINCE_NS, Row

LOG_AFTER_SECONDS = (1, 2, 4, 8, 16)
LOG_EVERY_SECONDS = 30.0
TURN_SECONDS = 0.2
LOOK_SECONDS = 0.005

logger = logging.getLogger(__name__)


class NodeOutage:
    """Two words in the header of the board: since when the server is lost, and when the next line of it is due."""

    def __init__(self, row: Row) -> None:
        self._row = row

    @property
    def is_told(self) -> bool:
        """Whether it has been told that the server is lost, and not yet that it is back."""
        return self._row.head[LOST_SINCE_NS] != 0

    def tell_lost(self, seconds: float, error: Exception) -> None:
        """The server is lost to one process for so long."""
        with self._in_turn():
            node_seconds = self._seconds_to_tell(seconds)
            level = logging.DEBUG if node_seconds is None else logging.WARNING
            told_seconds = seconds if node_seconds is None else node_seconds
            logger.log(level, "redis lost for=%.1fs: %s; trying about once a second", told_seconds, error)

    def _seconds_to_tell(self, seconds: float) -> float | None:
        """For how long it has been lost to the node, if a line is due."""
        head, now_ns = self._row.head, clock.monotonic_ns()
        if now_ns < head[LOST_LINE_NS]:
            return None
        since_ns = head[LOST_SINCE_NS] or now_ns - int(seconds * 1e9)
        if since_ns < head[LOST_LINE_NS] and not self.is_told:
            # To that process it is still the last one, of whose end it has not seen enough.
            since_ns = now_ns
        node_seconds = (now_ns - since_ns) / 1e9
        head[LOST_SINCE_NS], head[LOST_LINE_NS] = since_ns, since_ns + int(line_after(node_seconds) * 1e9)
        return node_seconds

    def tell_back(self, began: float, ended: float) -> None:
        """To one process the server was lost between these monotonic times."""
        head, ended_ns = self._row.head, int(ended * 1e9)
        with self._in_turn():
            # It may be lost again meanwhile.
            is_due = 0 < head[LOST_SINCE_NS] <= ended_ns
            seconds = (ended_ns - head[LOST_SINCE_NS]) / 1e9 if is_due else ended - began
            if is_due:
                head[LOST_SINCE_NS], head[LOST_LINE_NS] = 0, clock.monotonic_ns()
            logger.log(logging.WARNING if is_due else logging.DEBUG, "redis back after=%.1fs", seconds)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Alone among the processes of this board, or after `TURN_SECONDS` not alone: whoever is in here may be stopped."""
        path = self._row.board_path
        with ExitStack() as stack:
            # Without a file, or with no descriptor left, twice is better than never.
            with suppress(OSError):
                stack.enter_context(_locked(path) if path else nullcontext())
            yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        deadline = clock.deadline_in(TURN_SECONDS)
        while not _try(descriptor) and clock.remaining(deadline):
            clock.sleep(LOOK_SECONDS)
        yield
    finally:
        # To close it is not enough: what a handler's thread forks meanwhile has a copy.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def line_after(seconds: float) -> float:
    """When an outage that was told at that age is told next."""
    return next((age for age in LOG_AFTER_SECONDS if age > seconds), seconds + LOG_EVERY_SECONDS)
