"""A server that does not answer: tried about once a second, logged ever more rarely, by one process for all of its node."""

import logging
import random

from .. import clock
from .row import BACK_TOLD_NS, LOST_TOLD_NS, Row

LOG_AFTER_SECONDS = (0, 1, 2, 4, 8, 16)
LOG_EVERY_SECONDS = 30.0
PAUSES_SECONDS = (0.6, 0.9)
"""Spread, so that many do not come in the same instant; with a connect and a claim the first job begins within a second."""
AT_ONCE_AFTER_SECONDS = 2.0
"""The last failure must be so long ago, longer than any pause, for the next to be followed by a try at once."""

PART_OF_PAUSE = 0.9
"""How much of the time between two lines has to be over since the last one of another process: their tries differ by chance."""

logger = logging.getLogger(__name__)


class Outage:
    """The current outage, if there is one. Every process has its own; of lines that many would write at a time, all but one are debug."""

    def __init__(self, row: Row | None = None) -> None:
        """``row``: of a process that has company; it sees there what the others have told."""
        self._row = row
        self._since: float | None = None
        self._failed_at = float("-inf")
        self._lines = 0
        self._next_line = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the last try failed."""
        return self._since is not None

    def note_failure(self, error: Exception) -> float:
        """A try failed; return for how many seconds to wait before the next: none after the first.

        A server that does some things and refuses others is back, and lost again, all the time: that is no first.
        """
        now = clock.monotonic()
        is_first = self._since is None and now - self._failed_at >= AT_ONCE_AFTER_SECONDS
        self._failed_at = now
        if self._since is None:
            self._since, self._lines, self._next_line = now, 0, now
        if now >= self._next_line:
            self._log(error, now - self._since)
        return 0.0 if is_first else random.uniform(*PAUSES_SECONDS)  # noqa: S311 - no secret

    def note_success(self) -> None:
        """The server has answered."""
        if self._since is not None:
            seconds = clock.monotonic() - self._since
            # A connection that only had to be made anew was no outage.
            level = logging.INFO if self._lines <= 1 and seconds < 1 else logging.WARNING
            if level == logging.WARNING and not self._may_tell(BACK_TOLD_NS, LOST_TOLD_NS, LOG_EVERY_SECONDS):
                level = logging.DEBUG
            logger.log(level, "redis back after=%.1fs", seconds)
            self._since = None

    def _may_tell(self, what: int, opposite: int, seconds: float) -> bool:
        if self._row is None:
            return True
        may_tell = self._row.may_tell(what, seconds)
        if may_tell:
            self._row.forget_told(opposite)
        return may_tell

    def _log(self, error: Exception, seconds: float) -> None:
        after = LOG_AFTER_SECONDS[: self._lines + 1]
        # One who comes late to an outage does not begin it anew; it is told as long as it lasts.
        is_next = 0 < self._lines < len(LOG_AFTER_SECONDS)
        pause = after[-1] - after[-2] if is_next else LOG_EVERY_SECONDS
        may_tell = self._may_tell(LOST_TOLD_NS, BACK_TOLD_NS, PART_OF_PAUSE * pause)
        level = logging.WARNING if may_tell else logging.DEBUG
        logger.log(level, "redis lost for=%.1fs: %s; trying about once a second", seconds, error)
        self._lines += 1
        if self._lines < len(LOG_AFTER_SECONDS):
            self._next_line += LOG_AFTER_SECONDS[self._lines] - LOG_AFTER_SECONDS[self._lines - 1]
        else:
            self._next_line += LOG_EVERY_SECONDS
