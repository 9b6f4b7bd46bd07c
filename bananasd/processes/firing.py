"""Firing: which slots of which schedules are due by the server's clock, and their jobs."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from .. import clock
from ..errors import InvalidJob
from ..schedule import MAX_CATCH_UP, Due, Schedule, read_schedule
from ..store.schedules import Entry, Reading, ScheduleStore, Slot
from .tally import LAG, Histogram, Tally

MAX_PLANS = 50
"""How many schedules fire in a trip: mostly a job each, but for those that make up for what they have missed."""

DAY_MS = 86_400_000
FAR_MS = 2**53

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Plan:
    """A schedule, up to when it is done with, and when its next slot comes."""

    schedule: Schedule
    definition: bytes
    done_ms: int
    next_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self.be_done(self.done_ms)

    def be_done(self, ms: int) -> None:
        """Nothing up to here is due any more."""
        self.done_ms = max(self.done_ms, ms)
        self.next_ms = next(self.schedule.timetable.slots_after(self.done_ms), FAR_MS)

    def slots(self, due: Due, namespace: str, now_ms: int) -> Iterator[Slot]:
        """What is due of it, ready to be sent."""
        if due.passed_ms is not None:
            yield self._slot(due.passed_ms, namespace, b"")
        for slot_ms in due.slots:
            yield self._slot(slot_ms, namespace, self.schedule.spec(slot_ms, now_ms))

    def _slot(self, slot_ms: int, namespace: str, spec: bytes) -> Slot:
        one = self.schedule
        return Slot(one.name, slot_ms, self.definition, one.job_id(namespace, slot_ms), spec, one.lane)


class Firing:
    """Fires what is due of the schedules as they were last read; the server's now is reckoned from its last answer."""

    def __init__(self, store: ScheduleStore, lags: Histogram | None = None) -> None:
        """``lags``: how long after its instant each slot fires."""
        self._store = store
        self._lags = lags or Tally.of_nobody().histogram(LAG)
        self._namespace = store.keys.namespace
        self._version = ""
        self._plans: list[Plan] = []
        self._now_ms, self._heard_at = 0, 0.0

    @property
    def version(self) -> str:
        """Of the schedules as they are known; "" to have them read again."""
        return self._version

    def forget(self) -> None:
        """The server was lost: what it knows now may be something else."""
        self._version = ""

    def note(self, reading: Reading) -> bool:
        """Take over what was read; whether anything in it is new."""
        self._hear(reading.now_ms)
        self._version = reading.version
        if reading.entries is None:
            # The server's clock has been set back by more than a day: they are counted anew.
            if any(plan.done_ms > reading.now_ms + DAY_MS for plan in self._plans):
                self._version = ""
            return False
        self._plans = list(_plans(reading.entries))
        return True

    def fire(self) -> float | None:
        """Fire what is due; for how many seconds nothing will be, None if there is no schedule."""
        now_ms = self._server_now()
        for plan, due, outcomes in self._fire(now_ms):
            if due.given_up and outcomes[0] in ("fired", "passed"):
                _tell_missed(plan.schedule, due)
            if "changed" in outcomes:
                self._version = ""
            elif "early" not in outcomes:
                plan.be_done(now_ms)
        soonest_ms = min((plan.next_ms for plan in self._plans), default=None)
        return None if soonest_ms is None else max(0, soonest_ms - self._server_now()) / 1000

    def _fire(self, now_ms: int) -> list[tuple[Plan, Due, list[str]]]:
        """Send what is due of some of the schedules; what came of each slot."""
        plans = list(islice((plan for plan in self._plans if plan.next_ms <= now_ms), MAX_PLANS))
        dues = [plan.schedule.due(plan.done_ms, now_ms) for plan in plans]
        slots = [
            list(plan.slots(due, self._namespace, now_ms)) for plan, due in zip(plans, dues, strict=True)
        ]
        replies = iter(self._store.fire(list(chain.from_iterable(slots))))
        outcomes = [[self._note_fired(slot, *next(replies)) for slot in of_plan] for of_plan in slots]
        return list(zip(plans, dues, outcomes, strict=True))

    def _note_fired(self, slot: Slot, what: str, now_ms: int) -> str:
        self._hear(now_ms)
        if what == "fired":
            self._lags.note(max(0, now_ms - slot.slot_ms))
            logger.debug("schedule fired name=%s slot=%d id=%s", slot.name, slot.slot_ms, slot.job_id)
        return what

    def _hear(self, now_ms: int) -> None:
        self._now_ms, self._heard_at = now_ms, clock.monotonic()

    def _server_now(self) -> int:
        return self._now_ms + int((clock.monotonic() - self._heard_at) * 1000)


def _plans(entries: Sequence[Entry]) -> Iterator[Plan]:
    for name, definition, last_ms in entries:
        try:
            schedule = read_schedule(name, definition)
        except InvalidJob as problem:
            logger.warning("schedule unreadable name=%r: %s", name, problem)
        else:
            if schedule.enabled:
                yield Plan(schedule, definition, last_ms)


def _tell_missed(schedule: Schedule, due: Due) -> None:
    many = f"{due.given_up}{'+' if due.given_up >= MAX_CATCH_UP - 1 else ''}"
    logger.warning("schedule missed name=%s slots=%s misfire=%s", schedule.name, many, schedule.misfire)
