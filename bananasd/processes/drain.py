"""The orderly end of a daemon: workers, then the scheduler, the dashboard, the embedded server, all within one deadline."""

import logging
from enum import IntEnum

from .board import Phase
from .interrupts import kill
from .row import Cause, Kind
from .slots import Fleet, Slot

INTERRUPT_SECONDS = 5.0
"""So long before the end running jobs are interrupted …"""

KILL_SECONDS = 2.0
"""… and so long before it killed with their worker."""

RECOVER_SECONDS = 0.5
"""The scheduler's last recovery must be over so long before the end."""

HTTP_SECONDS = 1.0
"""So long the dashboard has to finish what it answers …"""

HTTP_SPARE_SECONDS = 0.25
"""… and it is killed so long before the end, to leave the server a moment."""

logger = logging.getLogger(__name__)


class Stage(IntEnum):
    """Who is being waited for."""

    WORKERS = 1
    SCHEDULER = 2
    HTTP = 3
    REDIS = 4
    OVER = 5


KINDS = {
    Stage.WORKERS: Kind.WORKER,
    Stage.SCHEDULER: Kind.SCHEDULER,
    Stage.HTTP: Kind.HTTP,
    Stage.REDIS: Kind.REDIS,
}


class Drain:
    """Takes the tree down by ``deadline`` (monotonic seconds), whatever the handlers do."""

    def __init__(self, fleet: Fleet, deadline: float) -> None:
        self._fleet = fleet
        self._deadline = deadline
        self._has_scheduler_left = False
        self._stage = Stage.WORKERS
        self._http_until = deadline
        fleet.board.phase = Phase.DRAINING
        self._terminate()

    @property
    def is_over(self) -> bool:
        """Whether no child is left."""
        return self._stage is Stage.OVER

    def is_interrupting(self, now: float) -> bool:
        """Whether running jobs have had their time."""
        return now >= self._deadline - INTERRUPT_SECONDS

    def hurry(self, now: float) -> None:
        """Go straight to the killing."""
        self._deadline = min(self._deadline, now + KILL_SECONDS)

    def wants(self, slot: Slot) -> bool:
        """Whether the slot is still to be kept filled: recovery needs the scheduler, both the server; people may watch."""
        if slot.kind is Kind.SCHEDULER:
            return self._stage <= Stage.SCHEDULER and not self._has_scheduler_left
        return slot.kind in (Kind.REDIS, Kind.HTTP) and self._stage <= Stage.SCHEDULER

    def note_end(self, slot: Slot) -> None:
        """A child has ended. A scheduler has recovered everything exactly if it has taken the board away.

        Its exit status does not tell: an operator's TERM ends it with 0 too.
        """
        if slot.kind is Kind.SCHEDULER and self._stage is Stage.SCHEDULER and self._fleet.board.is_deleted:
            self._has_scheduler_left = True

    def step(self, now: float) -> None:
        """Go on to the next stage when this one is done; kill those for whom the time is over."""
        if self._stage is Stage.WORKERS and now >= self._deadline - KILL_SECONDS:
            self._kill()
        if self._stage is Stage.SCHEDULER and now >= self._deadline - RECOVER_SECONDS:
            self._give_up_recovery()
        if self._stage is Stage.HTTP and now >= self._http_until:
            self._kill()
        if self._stage is Stage.REDIS and now >= self._deadline:
            self._kill()
        while not self.is_over and self._is_stage_done():
            self._stage = Stage(self._stage + 1)
            if self._stage is Stage.SCHEDULER:
                self._fleet.board.phase = Phase.LEAVING
            if self._stage is Stage.HTTP:
                self._http_until = min(now + HTTP_SECONDS, self._deadline - HTTP_SPARE_SECONDS)
            self._terminate()

    def _is_stage_done(self) -> bool:
        kind = KINDS[self._stage]
        if self._fleet.running(kind):
            return False
        if kind is not Kind.SCHEDULER or self._has_scheduler_left:
            return True
        return all(slot.restarts.is_fatal for slot in self._fleet.of(kind))

    def _give_up_recovery(self) -> None:
        if not self._has_scheduler_left and self._fleet.board.has_entered:
            logger.warning("drain left jobs behind: Redis did not answer; the next start recovers them")
        elif not self._has_scheduler_left:
            self._fleet.board.delete()
        self._has_scheduler_left = True
        self._kill()

    def _terminate(self) -> None:
        for slot in self._of_stage():
            slot.ask_to_leave()

    def _kill(self) -> None:
        for slot in self._of_stage():
            if slot.row is not None:
                kill(slot.row, Cause.STOP)

    def _of_stage(self) -> list[Slot]:
        return [] if self.is_over else self._fleet.running(KINDS[self._stage])
