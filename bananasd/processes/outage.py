"""A server that does not answer: tried about once a second, logged ever more rarely."""

import logging
import random

from .. import clock
from .node_outage import NodeOutage, line_after
from .row import Reach, Row, Word

PAUSES_SECONDS = (0.6, 0.9)
"""Spread, so that many do not come in the same instant; with a connect and a claim the first job begins within a second."""
CALM_SECONDS = 2.0
"""For how long, longer than any pause, nothing must have failed: a server may do one thing and refuse another all the time."""

# An enum's member costs four times as much as a number, and success is noted for every claim.
_SERVER, _THERE = int(Word.SERVER), int(Reach.THERE)

logger = logging.getLogger(__name__)


class Outage:
    """The current outage as one process sees it, if there is one.

    It begins with the second failure in a row. After the first the connection may be all that was lost: one that was held
    while its worker was busy is found dead when the server has long been back.
    """

    def __init__(self, row: Row) -> None:
        self._words = row.words
        self._node = NodeOutage(row)
        # One that was started during an outage takes part in it: whoever has told it may be gone when it ends.
        self._is_lost = self._node.is_told
        self._since: float | None = clock.monotonic() if self._is_lost else None
        self._failed_at = float("-inf")
        self._answered_at: float | None = None
        self._next_line = 0.0
        self._first_error: Exception | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last try failed."""
        return self._since is not None and self._answered_at is None

    def note_failure(self, error: Exception) -> float:
        """A try failed; return for how many seconds to wait before the next: none after the first."""
        self._words[_SERVER] = Reach.LOST
        self._end_if_calm()
        now = clock.monotonic()
        self._failed_at, self._answered_at = now, None
        if self._since is None:
            self._since, self._next_line, self._first_error = now, 0.0, error
            return 0.0
        self._is_lost = True
        seconds = now - self._since
        if seconds >= self._next_line:
            self._next_line = line_after(seconds)
            self._node.tell_lost(seconds, error)
        return random.uniform(*PAUSES_SECONDS)  # noqa: S311 - no secret

    def note_success(self) -> None:
        """The server has answered."""
        self._words[_SERVER] = _THERE
        if self._since is not None:
            self._answered_at = self._answered_at or clock.monotonic()
            self._end_if_calm()

    def note_last_success(self) -> None:
        """It has, and will not be asked again, for the process leaves: there is no waiting for a calm."""
        if self._since is not None:
            self._end(self._since, self._answered_at or clock.monotonic())

    def _end_if_calm(self) -> None:
        if self._since is None or self._answered_at is None:
            return
        if clock.monotonic() - self._failed_at >= CALM_SECONDS:
            self._end(self._since, self._answered_at)

    def _end(self, began: float, ended: float) -> None:
        if self._is_lost:
            self._node.tell_back(began, ended)
        else:
            logger.info("redis connected anew: %s", self._first_error)
        self._since, self._answered_at, self._is_lost = None, None, False
