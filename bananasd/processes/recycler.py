"""The recycler: gives one worker after the other a successor when it has had its time."""

import logging

from .. import clock
from .plan import Plan
from .replacement import Replacement, Replacing
from .row import Kind
from .slots import Fleet, Slot

LOOK_SECONDS = 1.0
PAUSE_AFTER_FAILURE_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Recycler:
    """Replaces at most one worker at a time: its successor is up before it is told to leave, and works after it has."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._replacement: Replacement | None = None
        self._look_at = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a replacement is under way."""
        return self._replacement is not None

    def step(self, plan: Plan) -> None:
        """Go on with the replacement that is under way, or look for the next worker that has had its time."""
        if self._replacement is not None:
            self._go_on(self._replacement)
        elif clock.remaining(self._look_at) == 0:
            self._look_at = clock.deadline_in(LOOK_SECONDS)
            self._begin(plan)

    def abandon(self) -> None:
        """Something else has precedence."""
        if self._replacement is not None:
            self._replacement.abandon()
            self._replacement = None

    def _begin(self, plan: Plan) -> None:
        now = clock.monotonic()
        if any(slot.is_retired for slot in self._fleet.running(Kind.WORKER)):
            return
        for slot in self._fleet.of(Kind.WORKER):
            if reason := _reason(plan, slot, now):
                logger.info("worker recycled slot=%r pid=%d: %s", slot.name, slot.pid, reason)
                new = plan.make_slot(slot.kind, slot.number, slot.pool)
                self._replacement = Replacement(self._fleet, slot, new, is_patient=True)
                return

    def _go_on(self, replacement: Replacement) -> None:
        what = replacement.step()
        if what is Replacing.UNDER_WAY:
            return
        self._replacement = None
        self._look_at = 0.0
        if what is Replacing.FAILED:
            self._look_at = clock.deadline_in(PAUSE_AFTER_FAILURE_SECONDS)
            _log_failure(replacement.new)


def _reason(plan: Plan, slot: Slot, now: float) -> str:
    """Why its worker has had its time; empty while it may go on."""
    # A reload that failed half-way has left workers of pools that the plan no longer has.
    if slot.pool not in plan.pools or not slot.is_up or slot.row is None:
        return ""
    return plan.limits.recycling.reason(slot, slot.row, now)


def _log_failure(slot: Slot) -> None:
    logger.error(
        "worker not recycled slot=%r: its successor does not come up; the next try is in %g s",
        slot.name, PAUSE_AFTER_FAILURE_SECONDS,
    )  # fmt: skip
