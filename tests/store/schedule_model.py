"""What the scripts for schedules should do, on the model of the others: who may put which, and which slots fire."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bananasd.schedule import Schedule
from bananasd.store.schedules import Slot
from tests.store.model import Model, Record

RANKS = {"handler": 1, "client": 2, "config": 3}
NOW = 1_000_000
"""The last slot of a schedule that has just begun; those that fire in a walk are small numbers."""


@dataclass
class Schedules:
    """The schedules of a namespace, and up to where each is done with."""

    model: Model
    kept: dict[str, Schedule] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def put(
        self, source: str, wanted: Mapping[str, Schedule | None], *, is_all: bool
    ) -> list[tuple[str, str]]:
        own = [name for name, schedule in self.kept.items() if schedule.source == source]
        removed = [
            name for name in own if (is_all and name not in wanted) or wanted.get(name, source) is None
        ]
        told = [(name, "removed") for name in removed]
        for name in removed:
            del self.kept[name], self.last[name]
        for name, schedule in wanted.items():
            if schedule and (what := self._put(name, schedule)):
                told.append((name, what))
        if any(what != "kept" for _, what in told):
            self.model.tokens.add("scheduled")
        return sorted(told)

    def _put(self, name: str, new: Schedule) -> str:
        old = self.kept.get(name)
        if old == new:
            return ""
        if old and RANKS[old.source] > RANKS[new.source]:
            return "kept"
        if not (old and old.enabled and old.when == new.when):
            self.last[name] = NOW
        self.kept[name] = new
        return "put"

    def remove(self, name: str) -> bool:
        if name not in self.kept:
            return False
        del self.kept[name], self.last[name]
        self.model.tokens.add("scheduled")
        return True

    def fire(self, slot: Slot) -> str:
        schedule = self.kept.get(slot.name)
        if schedule is None or schedule.encode() != slot.definition:
            return "changed"
        if slot.slot_ms > NOW:
            return "early"
        if slot.slot_ms <= self.last[slot.name]:
            return "known"
        self.last[slot.name] = slot.slot_ms
        if not slot.spec:
            return "passed"
        if slot.job_id in self.model.jobs:
            return "known"
        self.model.jobs[slot.job_id] = Record(slot.lane, due=slot.slot_ms)
        self.model.counters["submitted"] += 1
        self.model.to_back(slot.job_id)
        return "fired"
