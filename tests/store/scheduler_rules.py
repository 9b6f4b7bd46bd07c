"""What schedulers do, as rules of the machine, and whoever puts schedules."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bananasd.schedule import Schedule
from bananasd.store.store import Retention, Store
from tests.store.machine import HOLDERS, LEASE_MS, NAMES, Machine, is_lost, nodes, wanted
from tests.store.schedule_model import NOW
from tests.store.sight import order_of

FUTURE = 10**15


class SchedulerRules(Machine):
    """A scheduler's duties, and the schedules that it fires."""

    @rule(node=nodes, is_lost=is_lost)
    def beat(self, node: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: self.store.beat(node, LEASE_MS, b"{}", HOLDERS),
            lambda: self.model.beat(node, list(HOLDERS)),
        )

    @rule(data=st.data(), node=nodes, is_lost=is_lost)
    def read_orders(self, data: Any, node: str, is_lost: bool) -> None:
        done = data.draw(st.sampled_from(([], self.model.orders.get(node, [])[:1])))
        self.send(
            is_lost,
            lambda: list(map(order_of, self.world.orders(*(words_of(order) for order in done), node=node))),
            lambda: list(self.model.read_orders(node, done)),
        )

    @rule(node=nodes)
    def hear_the_bell(self, node: str) -> None:
        assert bool(self.world.call("LPOP", self.world.keys.bell(node))) == (node in self.model.bells)
        self.model.bells.discard(node)

    @rule(limit=wanted, is_lost=is_lost)
    def promote(self, limit: int, is_lost: bool) -> None:
        self.send(
            is_lost, lambda: self.store.promote(limit)[0], lambda: self.model.promote(limit, self.past + 1)
        )

    @precondition(lambda self: len(self.model.dead) > 1)
    @rule(
        is_for_age=st.booleans(),
        keep=st.sampled_from((0, 0, 2, 100)),
        limit=st.sampled_from((1, 1, 2, 5)),
        is_lost=is_lost,
    )
    def trim(self, is_for_age: bool, keep: int, limit: int, is_lost: bool) -> None:
        store = Store(
            self.world.transport, "test", Retention(dead_ms=0 if is_for_age else LEASE_MS, dead_count=keep)
        )
        # Else two that died at almost the same time would now and then be in the other order, and a walk not repeatable.
        order = sorted(self.model.dead)
        self.world.age(*((job_id, 1000 * (len(order) - n)) for n, job_id in enumerate(order)))
        self.send(
            is_lost,
            lambda: store.trim(limit),
            lambda: self.model.trim(sorted(self.model.dead), is_for_age, keep, limit),
        )

    @rule(
        names=st.lists(st.sampled_from(NAMES), unique=True), source=st.sampled_from(("client", "config", "handler")),
        every=st.sampled_from(("1h", "1h", "2h")), payload=st.sampled_from((1, 2)), enabled=st.booleans(),
        is_given=st.sampled_from((True, True, False)), is_all=st.booleans(), is_lost=is_lost,
    )  # fmt: skip
    def put_schedules(
        self, names: list[str], source: str, is_given: bool, is_all: bool, is_lost: bool, **options: Any
    ) -> None:
        wanted = {
            name: Schedule(name=name, job="greet", source=source, **options) if is_given else None
            for name in names
        }
        self.put(source, wanted, is_all, is_lost)

    def put(self, source: str, wanted: dict[str, Schedule | None], is_all: bool, is_lost: bool) -> None:
        definitions = {name: schedule.encode() if schedule else b"" for name, schedule in wanted.items()}
        self.send(
            is_lost,
            lambda: sorted(self.world.schedules.put(source, definitions, is_all=is_all)),
            lambda: self.schedules.put(source, wanted, is_all=is_all),
        )

    @precondition(lambda self: self.schedules.kept)
    @rule(name=st.sampled_from(NAMES), is_lost=is_lost)
    def remove_schedule(self, name: str, is_lost: bool) -> None:
        self.send(is_lost, lambda: self.world.schedules.remove(name), lambda: self.schedules.remove(name))

    @precondition(lambda self: self.schedules.kept)
    @rule(
        data=st.data(), is_due=st.booleans(), is_known=st.sampled_from((True, True, True, False)),
        slots=st.lists(st.sampled_from((1, 2, 3, 1, 2, 3, FUTURE)), min_size=1, max_size=4), is_passing=st.booleans(),
        is_lost=is_lost,
    )  # fmt: skip
    def fire(
        self, data: Any, is_due: bool, is_known: bool, slots: list[int], is_passing: bool, is_lost: bool
    ) -> None:
        """By one who knows the schedule as it is, or as it was."""
        name = data.draw(st.sampled_from(sorted(self.schedules.kept)))
        if is_due:
            self.let_slots_be_due(name)
        known = self.schedules.kept[name]
        for slot in slots:
            fired = self.world.slot(known if is_known else replace(known, payload="old"), slot)
            if fired.job_id not in self.ids:
                self.ids.append(fired.job_id)
            if is_passing:
                fired = fired._replace(spec=b"")
            self.send(is_lost, lambda: self.world.fire(fired)[0], lambda: self.schedules.fire(fired))  # noqa: B023

    def let_slots_be_due(self, name: str) -> None:
        """As if it had last fired long ago; so may a server that has lost what it was told last."""
        self.schedules.last[name] = 0
        self.world.call("HSET", self.world.keys.fired, name, 0)

    @rule()
    def read_schedules(self) -> None:
        entries = self.world.schedules.read().entries or []
        assert {name: definition for name, definition, _ in entries} == {
            name: schedule.encode() for name, schedule in self.schedules.kept.items()
        }
        assert {name: min(last_ms, NOW) for name, _, last_ms in entries} == self.schedules.last


def words_of(order: tuple[str, str, int, str]) -> str:
    return " ".join(map(str, order))
