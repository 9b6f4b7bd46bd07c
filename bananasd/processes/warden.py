"""The warden: looks after the children, ends what is over its time, and frees the rows of those that are done with."""

import logging

from .interrupts import Interrupter, kill
from .plan import Limits
from .row import Cause, Kind, Row, State, Word
from .slots import Fleet, Slot

SLEEP_SECONDS = 2.0
"""The master has slept that looks so rarely, maybe with the whole tree: nobody's silence is older than that."""

logger = logging.getLogger(__name__)


class Warden:
    """What it does to a child it writes into that child's row."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._interrupter = Interrupter()
        self._looked_at = self._awake_since = float("-inf")

    def look(self, limits: Limits, now: float, *, is_draining: bool) -> None:
        """One look at every child. ``is_draining``: no job has any time left."""
        if now - self._looked_at > SLEEP_SECONDS:
            self._awake_since = now
        self._looked_at = now
        rows = [slot.row for slot in self._fleet.running(Kind.WORKER) if slot.row]
        self._interrupter.watch(rows, now, limits.grace_seconds, is_draining=is_draining)
        for slot in self._fleet:
            if slot.is_running and slot.row is not None and slot.row.words[Word.CAUSE] == Cause.NONE:
                self._look_at(slot, slot.row, limits, now)
        for row in self._fleet.board.rows:
            if row.is_recovered:
                row.clear()

    def _look_at(self, slot: Slot, row: Row, limits: Limits, now: float) -> None:
        """Kill it if it hangs where nothing reaches it."""
        silent_seconds = self._silent_seconds(row, now)
        start_seconds = now - row.words[Word.SPAWNED_NS] / 1e9
        if slot.is_up and silent_seconds > limits.stall_seconds(slot.kind):
            logger.error(
                "child killed slot=%r pid=%d: no sign of life for %.1f s", slot.name, slot.pid, silent_seconds
            )
            kill(row, Cause.STUCK)
        elif slot.has_lingered(now):
            logger.warning("child killed slot=%r pid=%d: it has left, but does not end", slot.name, slot.pid)
            kill(row, Cause.STUCK)
        elif row.state is State.STARTING and 0 < slot.start_seconds < start_seconds:
            logger.error(
                "child killed slot=%r pid=%d: not up after %.0f s", slot.name, slot.pid, start_seconds
            )
            kill(row, Cause.START)

    def _silent_seconds(self, row: Row, now: float) -> float:
        """Since its last sign of life; 0 if it does nothing of which one would be due."""
        tick = row.words[Word.TICK_NS]
        return now - max(tick / 1e9, self._awake_since) if tick else 0.0
