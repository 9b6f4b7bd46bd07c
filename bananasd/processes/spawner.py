"""The spawner: gives each slot a row, and each row its child."""

import logging
import os
from collections.abc import Callable

from .. import clock
from . import child, procfs, stacks
from .row import Kind, Row, State, Word
from .slots import Fleet, Slot

logger = logging.getLogger(__name__)


class Spawner:
    """Fills slots. ``drop_inheritance`` is called in the child, to let go of what belongs to the master alone."""

    def __init__(self, fleet: Fleet, drop_inheritance: Callable[[], None]) -> None:
        self._fleet = fleet
        self._drop_inheritance = drop_inheritance

    def prepare(self, slot: Slot) -> Row | None:
        """The row for the slot's next child, which shows meanwhile why there is none; None if none is free."""
        row = slot.row or self._fleet.board.free_row()
        if row is None:
            return None
        slot.row = row
        row.words[Word.KIND] = slot.kind
        row.words[Word.SLOT] = slot.number
        row.pool = slot.pool
        row.words[Word.STATE] = State.FATAL if slot.restarts.is_fatal else State.BACKOFF
        row.words[Word.RESTARTS] = slot.spawned
        row.words[Word.CRASHES] = slot.restarts.crashes
        row.words[Word.NOT_BEFORE_NS] = int(slot.restarts.not_before * 1e9)
        row.words[Word.LAST_EXIT] = 0 if slot.last_wait_status is None else slot.last_wait_status + 1
        row.words[Word.LAST_CAUSE] = slot.last_cause
        row.words[Word.HOLD] = slot.is_held
        row.words[Word.CLAIMS] = slot.claims
        if row.is_free:
            row.words[Word.GENERATION] = self._fleet.next_generation()
        return row

    def start(self, slot: Slot) -> None:
        """Fork the slot's child; without a free row, or if there can be no more processes, it is tried later."""
        row = self.prepare(slot)
        if row is None:
            return
        row.words[Word.STATE] = State.STARTING
        row.words[Word.SPAWNED_NS] = clock.monotonic_ns()
        row.words[Word.TICK_NS] = 0
        try:
            slot.pid = self._fork(slot, row)
        except OSError as error:
            # Too many processes, or no memory: no reason for the others to stop.
            logger.error("child not started slot=%r: %s", slot.name, error.strerror)  # noqa: TRY400
            slot.restarts.postpone(clock.monotonic())
            self.prepare(slot)
            return
        row.words[Word.PID] = slot.pid
        row.words[Word.BORN] = procfs.born(slot.pid) or 0
        slot.up_since = None
        slot.spawned += 1
        logger.info("child started slot=%r pid=%d", slot.name, slot.pid)

    def _fork(self, slot: Slot, row: Row) -> int:
        def live() -> int:
            # The master writes the same, but may be killed before it does.
            row.words[Word.PID] = os.getpid()
            row.words[Word.BORN] = procfs.born(os.getpid()) or 0
            return slot.body(row)

        def drop_inheritance() -> None:
            self._drop_inheritance()
            tell = stacks.tell_by_python if slot.kind is Kind.HTTP else stacks.register
            tell(stacks_path)

        stacks_path = self._fleet.board.stacks_path(row.generation)
        return child.spawn(
            slot.title,
            live,
            drop_inheritance,
            death_signal=slot.death_signal,
            oom_score=slot.oom_score,
        )
