"""Every script against a model of it in Python, in whatever order comes up, replies lost and commands late.

In the long form it takes longer walks, and other ones each time.
"""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bananasd import JobRequest
from bananasd.limits import ON_DUPLICATE, UNIQUE_UNTIL
from bananasd.schedule import Schedule
from bananasd.store.connection import Transport
from bananasd.store.doctor import Doctor
from bananasd.store.faults import Finding
from bananasd.store.keys import EVERYTHING, lanes_of
from bananasd.store.outcomes import Buried, Completed, Outcome, Released, Retried
from bananasd.store.scripts import Command, script
from bananasd.store.store import Charge, Claim, Retention, Store
from tests.faults.cutter import SCRIPTS
from tests.faults.form import IS_LONG, either
from tests.store.conftest import World
from tests.store.damage import DAMAGES, Damage
from tests.store.mending_model import ENDED, is_given_up, mend
from tests.store.model import FINAL, MAX_RECOVERIES, RANK_MS, Model, Node, Record, Uniqueness, node_of
from tests.store.schedule_model import NOW, Schedules

LEASE_MS = 3_600_000
QUEUES = ("default", "gpu")
LANES = [str(lane) for lane in lanes_of(QUEUES)]
NODES = ("n1", "n2", "n3")
HOLDERS = ("n1/1.1", "n1/1.2", "n2/1.1", "n3/7.1")
BOXES = ("a", "+b", "b")
NAMES = ("hourly", "nightly")
KEYS = ("k", "ä key")
FUTURE = 10**15
IDS = [str(uuid.UUID(int=n)) for n in range(100)]
FIRST_RANK = 10_000
"""Ranks of the future count up and down from here."""

HOUR_MS = 3_600_000
LEASE_ENDS = {
    "fresh": LEASE_MS,
    "valid": LEASE_MS // 4,
    "over": -1000,
    "over for hours": -12 * HOUR_MS,
    "long over": -25 * HOUR_MS,
}
PAUSES = {"for good": None, "for a time": HOUR_MS}
EXPIRY = timedelta(days=1)
UNIQUE_TIME = timedelta(days=1)
BEATS = {"now": 0, "a while ago": LEASE_MS * 3 // 4, "long ago": 2 * LEASE_MS}
ALIVE = {"just now": 0, "for a while": LEASE_MS * 3 // 4, "for long": LEASE_MS * 5 // 4}
"""The words of `Node` as milliseconds: until the lease ends, since the last beat, since the first of its row."""

NODE_CHANGES = {
    "beats for long": Node("fresh", "now", "for long"),
    "has begun to beat": Node("fresh", "now", "for a while"),
    "had a short lease": Node("over", "now", "for long"),
    "froze": Node("valid", "a while ago", "for long"),
    "was lost": Node("over", "long ago", "for long"),
    "lost its lease": Node("over for hours", "a while ago", "for long"),
    "was lost hours ago": Node("over for hours", "long ago", "for long"),
    "was lost long ago": Node("long over", "long ago", "for long"),
    "leaves": Node(),
}

PROFILE = settings(
    max_examples=either(180, 1200),
    stateful_step_count=either(50, 100),
    derandomize=not IS_LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

holders, nodes, wanted, boxes = map(st.sampled_from, (HOLDERS, NODES, (1, 2, 5), BOXES))
uniqueness = st.none() | st.builds(
    Uniqueness,
    st.sampled_from(KEYS),
    st.sampled_from(UNIQUE_UNTIL),
    st.booleans(),
    st.sampled_from(ON_DUPLICATE),
)
is_lost = st.booleans()
"""Whether the reply of a command is lost, and so the command repeated."""


class Scripts(RuleBasedStateMachine):
    """What the model says must come back from the server, and must stand there."""

    def __init__(self, world: World) -> None:
        super().__init__()
        world.call("FLUSHDB")
        self.world, self.store, self.model = world, world.store, Model()
        self.schedules = Schedules(self.model)
        self.ids: list[str] = []
        self.claims: list[tuple[str, str, int]] = []
        self.rank = self.past = 0

    @initialize(
        ready=st.lists(st.sampled_from(LANES), min_size=4, max_size=10),
        held=st.lists(st.integers(0, 3), max_size=4),
        losses=st.integers(0, MAX_RECOVERIES),
    )
    def begin(self, ready: list[str], held: list[int], losses: int) -> None:
        """Not from nothing: with jobs that wait, run, are suspects or dead, and nodes that have been there for long."""
        for name in NAMES:
            first = Schedule(name=name, job="greet", every="1h", source="handler")
            self.put("handler", {name: first}, is_all=False, is_lost=False)
        for lane in ready:
            self.submit(lane, 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=False)
        for holder, count in zip(HOLDERS, held, strict=False):
            self.enter_and_claim(holder, 1 + count, is_lost=False)
        if self.claims:
            self.settle([Buried(*self.claims[0], "never")])
        for _ in range(losses):
            self.recover_as(HOLDERS[1], Charge.everything("lost"), "", is_lost=False)
            self.enter_and_claim(HOLDERS[1], 1, is_lost=False)
        for node in NODES[: len(held)]:
            self.change_node(node, "beats for long")

    # A client's

    @rule(
        lane=st.sampled_from(LANES), count=st.sampled_from((1, 4)), is_later=st.booleans(), is_earliest=st.booleans(),
        has_expiry=st.booleans(), unique=uniqueness, is_lost=is_lost,
    )  # fmt: skip
    def submit(
        self, lane: str, count: int, is_later: bool, is_earliest: bool, has_expiry: bool, is_lost: bool,
        unique: Uniqueness | None = None,
    ) -> None:  # fmt: skip
        for _ in range(count):
            if len(self.ids) < len(IDS):
                self.ids.append(IDS[len(self.ids)])
                due = self.next_rank(is_earliest) if is_later else None
                self.submit_one(self.ids[-1], lane, due, has_expiry, is_lost, unique)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lane=st.sampled_from(LANES), unique=uniqueness)
    def submit_a_known_id(self, data: Any, lane: str, unique: Uniqueness | None) -> None:
        self.submit_one(self.draw_id(data), lane, None, has_expiry=False, is_lost=False, unique=unique)

    @precondition(lambda self: any(is_timed for _, is_timed in self.model.owners.values()))
    @rule(data=st.data())
    def let_a_key_be_free_in_time(self, data: Any) -> None:
        timed = [key for key, (_, is_timed) in self.model.owners.items() if is_timed]
        key = data.draw(st.sampled_from(timed))
        del self.model.owners[key]
        self.world.call("DEL", self.world.keys.unique(key))

    @rule(data=st.data(), unique=uniqueness, lane=st.sampled_from(LANES), is_lost=is_lost)
    def run_to_its_end(self, data: Any, unique: Uniqueness | None, lane: str, is_lost: bool) -> None:
        """One with a key, perhaps, while others come; else few walks came to the end of one."""
        self.submit(
            lane, 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=is_lost, unique=unique
        )
        self.enter_and_claim(HOLDERS[0], 5, is_lost=False)
        if self.claims:
            self.settle_some(data, is_earliest=False, is_lost=is_lost)

    @rule(data=st.data(), how=st.sampled_from(("", "soft", "hard")), is_lost=is_lost)
    def cancel(self, data: Any, how: str, is_lost: bool) -> None:
        self.cancel_one(self.draw_id(data), how, is_lost)

    @precondition(lambda self: any(self.model.held.values()))
    @rule(data=st.data(), how=st.sampled_from(("soft", "hard")), is_lost=is_lost)
    def cancel_a_running_job(self, data: Any, how: str, is_lost: bool) -> None:
        running = [job_id for ids in self.model.held.values() for job_id in ids]
        self.cancel_one(data.draw(st.sampled_from(running)), how, is_lost)

    def cancel_one(self, job_id: str, how: str, is_lost: bool) -> None:
        self.send(is_lost, lambda: self.store.cancel(job_id, how), lambda: self.model.cancel(job_id, how))

    @rule(data=st.data(), box=boxes, is_lost=is_lost)
    def await_jobs(self, data: Any, box: str, is_lost: bool) -> None:
        job_ids = [self.draw_id(data) for _ in range(3)]
        self.send(
            is_lost,
            lambda: self.store.await_jobs(box, job_ids)[1],
            lambda: self.model.await_jobs(box, job_ids),
        )

    @precondition(lambda self: self.model.mail)
    @rule(data=st.data())
    def take_mail(self, data: Any) -> None:
        box = data.draw(st.sampled_from(sorted(self.model.mail)))
        del self.model.mail[box]
        self.world.call("DEL", self.world.keys.mail(box))

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data(), is_lost=is_lost)
    def requeue_dead(self, data: Any, is_lost: bool) -> None:
        job_ids = self.draw_dead_and_another(data)
        self.send(is_lost, lambda: self.store.requeue_dead(job_ids), lambda: self.model.requeue_dead(job_ids))

    @precondition(lambda self: any(self.model.jobs[job_id].unique for job_id in self.model.dead))
    @rule(data=st.data(), is_taken=st.booleans(), is_lost=is_lost)
    def requeue_a_dead_job_with_a_key(self, data: Any, is_taken: bool, is_lost: bool) -> None:
        """Whose key another has by now, perhaps."""
        job_id = data.draw(
            st.sampled_from([job_id for job_id in sorted(self.model.dead) if self.model.jobs[job_id].unique])
        )
        key = self.model.jobs[job_id].unique.partition(" ")[2]
        if is_taken:
            taker = Uniqueness(key, "end", is_timed=False, on_duplicate="return")
            self.submit(
                LANES[0], 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=False, unique=taker
            )
        self.send(
            is_lost, lambda: self.store.requeue_dead([job_id]), lambda: self.model.requeue_dead([job_id])
        )

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data(), is_lost=is_lost)
    def purge_dead(self, data: Any, is_lost: bool) -> None:
        job_ids = self.draw_dead_and_another(data)
        self.send(is_lost, lambda: self.store.purge_dead(job_ids), lambda: self.model.purge_dead(job_ids))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lane=st.sampled_from(LANES), is_lost=is_lost)
    def reprioritise(self, data: Any, lane: str, is_lost: bool) -> None:
        job_id = self.draw_waiting(data)
        queue, _, priority = lane.partition(":")
        self.send(
            is_lost,
            lambda: self.store.reprioritise(job_id, priority, queue),
            lambda: self.model.reprioritise(job_id, lane),
        )

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), is_at_once=st.booleans(), is_earliest=st.booleans(), is_lost=is_lost)
    def reschedule(self, data: Any, is_at_once: bool, is_earliest: bool, is_lost: bool) -> None:
        job_id = self.draw_waiting(data)
        due = None if is_at_once else self.next_rank(is_earliest)
        wire = "0" if due is None else f"+{delay_of(due)}"
        self.send(
            is_lost, lambda: self.store.reschedule(job_id, wire), lambda: self.model.reschedule(job_id, due)
        )

    @rule(name=st.sampled_from((*QUEUES, EVERYTHING)), how=st.sampled_from(list(PAUSES)), is_lost=is_lost)
    def pause(self, name: str, how: str, is_lost: bool) -> None:
        self.send(is_lost, lambda: self.store.pause(name, PAUSES[how]), lambda: self.model.pause(name, how))

    @precondition(lambda self: self.model.paused)
    @rule(data=st.data(), is_lost=is_lost)
    def resume(self, data: Any, is_lost: bool) -> None:
        name = data.draw(st.sampled_from([*self.model.paused, *QUEUES, EVERYTHING]))
        self.send(is_lost, lambda: self.store.resume(name), lambda: self.model.resume(name))

    @precondition(lambda self: "for a time" in self.model.paused.values())
    @rule(data=st.data())
    def let_a_pause_end(self, data: Any) -> None:
        timed = [name for name, how in self.model.paused.items() if how == "for a time"]
        name = data.draw(st.sampled_from(timed))
        self.model.paused[name] = "over"
        self.world.call("ZADD", self.world.keys.paused, 1, name)

    # A worker's, alive or cut off: it may send what it should not any more

    @rule(holder=holders, is_lost=is_lost)
    def enter(self, holder: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: self.store.enter(holder, node_of(holder), LEASE_MS, {}),
            lambda: self.model.enter(holder),
        )

    @rule(holder=holders, queues=st.permutations(QUEUES), want=wanted, is_lost=is_lost)
    def claim(self, holder: str, queues: list[str], want: int, is_lost: bool) -> None:
        lanes = lanes_of(tuple(queues))
        self.send(
            is_lost,
            lambda: settled_and_told(self.store.settle_and_claim([], holder, node_of(holder), lanes, want)),
            lambda: ([], self.model.claim(holder, [str(lane) for lane in lanes], want)),
        )

    @rule(holder=holders, want=wanted, is_lost=is_lost)
    def enter_and_claim(self, holder: str, want: int, is_lost: bool) -> None:
        self.enter(holder, is_lost=False)
        self.claim(holder, list(QUEUES), want, is_lost)

    @precondition(lambda self: any(self.model.held.values()))
    @rule(data=st.data(), want=wanted)
    def release_and_claim_again(self, data: Any, want: int) -> None:
        """The same holder has a job once more, under another run."""
        holder = data.draw(st.sampled_from([name for name, held in self.model.held.items() if held]))
        self.settle(
            [Released(holder, job_id, self.model.jobs[job_id].run) for job_id in self.model.held[holder]]
        )
        self.enter_and_claim(holder, want, is_lost=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_earliest=st.booleans(), is_lost=is_lost)
    def settle_some(self, data: Any, is_earliest: bool, is_lost: bool) -> None:
        self.settle(self.draw_outcomes(data, is_earliest), is_lost)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), holder=holders, want=wanted, is_lost=is_lost)
    def settle_and_claim(self, data: Any, holder: str, want: int, is_lost: bool) -> None:
        outcomes = self.draw_outcomes(data, is_earliest=False)
        self.send(
            is_lost,
            lambda: settled_and_told(
                self.store.settle_and_claim(outcomes, holder, node_of(holder), lanes_of(QUEUES), want)
            ),
            lambda: (sorted(self.model.settle(outcomes)), self.model.claim(holder, LANES, want)),
        )

    def settle(self, outcomes: Sequence[Outcome], is_lost: bool = False) -> None:
        self.send(
            is_lost, lambda: sorted(self.store.settle(outcomes)), lambda: sorted(self.model.settle(outcomes))
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def retry_at_once(self, data: Any) -> None:
        """Failed, due and in its lane again in one step, else few walks came to a third attempt."""
        claim = self.draw_claim(data)
        self.settle([Retried(*claim, delay_of(self.next_rank(is_earliest=True)), "no")])
        if claim[1] in self.model.scheduled:
            self.let_be_due(claim[1])
            self.promote(5, is_lost=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), progress=st.sampled_from((b"1", b"2")), is_lost=is_lost)
    def progress(self, data: Any, progress: bytes, is_lost: bool) -> None:
        claim = self.draw_claim(data)
        self.send(
            is_lost,
            lambda: self.store.progress(*claim, progress),
            lambda: self.model.progress(*claim, progress.decode()),
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_lost=is_lost)
    def guard(self, data: Any, is_lost: bool) -> None:
        claim = self.draw_claim(data)
        self.send(
            is_lost,
            lambda: self.store.settle_and_guard([], *claim)[1],
            lambda: self.model.guard(*claim),
        )

    @rule(data=st.data(), judge=st.sampled_from(("", "", *NODES)), is_earliest=st.booleans(), is_lost=is_lost)
    def recover(self, data: Any, judge: str, is_earliest: bool, is_lost: bool) -> None:
        due = self.next_rank(is_earliest)
        busy = [name for name, held in self.model.held.items() if held]
        holder = data.draw(st.sampled_from(busy or HOLDERS))
        ran = data.draw(st.sampled_from(self.model.held.get(holder) or [""]))
        charge = data.draw(
            st.sampled_from(
                [Charge.lost(ran, "killed"), Charge.everything("lost"), Charge.failed(ran, "slow", delay_of(due)),
                 Charge.failed(ran, "slow", -1), Charge.unknown("gone"), Charge()]
            )
        )  # fmt: skip
        self.recover_as(holder, charge, judge, is_lost)

    @rule(holder=holders, other=holders, is_lost=is_lost)
    def lose_and_claim(self, holder: str, other: str, is_lost: bool) -> None:
        """Suspects in front of their lanes, and another job before them."""
        self.recover_as(holder, Charge.everything("lost"), "", is_lost)
        self.submit(LANES[0], 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=False)
        self.enter_and_claim(other, 5, is_lost)

    @rule(
        holder=holders, judge=nodes, is_lost=is_lost,
        change=st.sampled_from(("was lost", "was lost", "was lost long ago", "leaves", "beats for long")),
        change_of_judge=st.sampled_from(("beats for long", "has begun to beat", "had a short lease", "froze", "leaves")),
    )  # fmt: skip
    def take_over(self, holder: str, judge: str, change: str, change_of_judge: str, is_lost: bool) -> None:
        self.change_node(node_of(holder), change)
        self.change_node(judge, change_of_judge)
        self.recover_as(holder, Charge.everything("lost"), judge, is_lost)

    def recover_as(self, holder: str, charge: Charge, judge: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: became(self.store.recover(
                holder, charge, max_recoveries=MAX_RECOVERIES, judge=judge, lease_ms=LEASE_MS
            )),
            lambda: self.model.recover(holder, charge, judge),
        )  # fmt: skip

    # The scheduler's

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

    @rule(node=nodes, change=st.sampled_from(("was lost long ago", "was lost hours ago")))
    def forget_a_node(self, node: str, change: str) -> None:
        self.change_node(node, change)
        self.trim(is_for_age=False, keep=100, limit=1, is_lost=False)

    # Schedules

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

    # Time, and those who wait

    @precondition(lambda self: any(rank > self.past for rank in self.model.scheduled.values()))
    @rule(data=st.data())
    def become_due(self, data: Any) -> None:
        later = [job_id for job_id, rank in self.model.scheduled.items() if rank > self.past]
        self.let_be_due(data.draw(st.sampled_from(later)))

    def let_be_due(self, job_id: str) -> None:
        self.past += 1
        self.model.scheduled[job_id] = self.model.jobs[job_id].due = self.past
        self.world.call("ZADD", self.world.keys.scheduled, self.past, job_id)
        self.world.mark(job_id, due_at=self.past)

    @precondition(lambda self: any(job.expiry == "later" for job in self.model.jobs.values()))
    @rule(data=st.data())
    def wait_for_too_long(self, data: Any) -> None:
        later = [job_id for job_id, job in self.model.jobs.items() if job.expiry == "later"]
        job_id = data.draw(st.sampled_from(later))
        self.model.jobs[job_id].expiry = "over"
        self.world.mark(job_id, expires_at=1)

    @precondition(lambda self: any(job.is_expiring for job in self.model.jobs.values()))
    @rule(data=st.data())
    def vanish(self, data: Any) -> None:
        """Then the id may be submitted again, as a job that has not been."""
        over = [job_id for job_id, job in self.model.jobs.items() if job.is_expiring]
        job_id = data.draw(st.sampled_from(over))
        del self.model.jobs[job_id]
        self.world.call("DEL", self.world.keys.job(job_id))

    @rule(node=nodes, change=st.sampled_from(list(NODE_CHANGES)))
    def change_node(self, node: str, change: str) -> None:
        if change == "leaves":
            self.send(False, lambda: self.store.leave(node), lambda: self.model.leave(node))
            return
        told = self.model.nodes[node] = replace(NODE_CHANGES[change])
        self.world.lease(node, LEASE_ENDS[told.lease])
        self.world.beaten(node, ms_ago=BEATS[told.beat], alive_for_ms=ALIVE[told.alive])

    @rule(lane=st.sampled_from([*LANES, "scheduled"]))
    def take_token(self, lane: str) -> None:
        taken = self.world.call("LPOP", f"{self.world.keys.prefix}wake:{lane}")
        assert bool(taken) == (lane in self.model.tokens)
        self.model.tokens.discard(lane)

    @rule(changes=st.tuples(*[st.sampled_from(list(NODE_CHANGES))] * len(NODES)))
    def examine(self, changes: tuple[str, ...]) -> None:
        """What the scripts alone bring about is never out of order."""
        for node, change in zip(NODES, changes, strict=True):
            self.change_node(node, change)
        nodes = self.model.nodes
        gone = {holder for holder in self.model.holders if is_given_up(nodes.get(node_of(holder), Node()))}
        found = set(map(named, self.doctor(is_mending=False)))
        assert found == {("stale_holder", holder) for holder in gone}

    @rule(data=st.data(), damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=5, unique=True))
    def damage_and_mend(self, data: Any, damages: list[Damage]) -> None:
        for damage in damages:
            damage(self.world, self.model, data.draw)
        before = self.world.dump()
        self.doctor(is_mending=False)
        assert self.world.dump() == before
        assert Counter(map(named, self.doctor(is_mending=True))) == mend(self.model)
        assert self.doctor(is_mending=False) == []

    def doctor(self, *, is_mending: bool) -> list[Finding]:
        return list(Doctor(self.world.transport, "test", is_mending=is_mending).examine())

    # What must be so after each step

    @invariant()
    def the_server_agrees_with_the_model(self) -> None:
        model, world, keys = self.model, self.world, self.world.keys
        commands = [
            *(("LRANGE", f"{keys.prefix}ready:{lane}", 0, -1) for lane in LANES),
            *(("LRANGE", keys.held(holder), 0, -1) for holder in HOLDERS),
            *(("LLEN", f"{keys.prefix}wake:{lane}") for lane in (*LANES, "scheduled")),
            ("ZRANGE", keys.scheduled, 0, -1, "WITHSCORES"), ("ZRANGE", keys.dead, 0, -1, "WITHSCORES"),
            *(("HGET", keys.job(job_id), "finished_at") for job_id in sorted(model.dead)),
            ("SMEMBERS", keys.holders), ("SMEMBERS", keys.queues), ("HGETALL", keys.moved),
            ("ZRANGE", keys.paused, 0, -1, "WITHSCORES"), ("ZRANGE", keys.nodes, 0, -1),
            ("HGETALL", keys.stats), *(("LRANGE", keys.mail(box), 0, -1) for box in ("a", "b")),
            *(("LRANGE", keys.orders(node), 0, -1) for node in NODES), *(("LLEN", keys.bell(node)) for node in NODES),
        ]  # fmt: skip
        replies = iter(world.transport.trip(commands))
        assert {lane: texts(next(replies)) for lane in LANES} == {
            lane: model.lanes.get(lane, []) for lane in LANES
        }
        assert {holder: texts(next(replies)) for holder in HOLDERS} == {
            h: model.held.get(h, []) for h in HOLDERS
        }
        assert {lane: next(replies) for lane in (*LANES, "scheduled")} == {
            lane: int(lane in model.tokens) for lane in (*LANES, "scheduled")
        }
        now = world.now()
        scheduled = {job_id: rank_of(due, now) for job_id, due in scores(next(replies)).items()}
        assert scheduled == model.scheduled
        assert scores(next(replies)) == {job_id: int(next(replies)) for job_id in sorted(model.dead)}
        assert set(texts(next(replies))) == model.holders
        assert set(texts(next(replies))) == model.queues
        left = texts(next(replies))
        assert dict(zip(left[::2], map(int, left[1::2]), strict=True)) == +model.moved
        paused = texts(next(replies))
        assert dict(zip(paused[::2], map(pause_of, paused[1::2]), strict=True)) == model.paused
        assert set(texts(next(replies))) == set(model.nodes)
        assert {name: self.read_node(name) for name in model.nodes} == model.nodes
        counted = texts(next(replies))
        assert dict(zip(counted[::2], map(int, counted[1::2]), strict=True)) == +model.counters
        assert {box: told for box in ("a", "b") if (told := texts(next(replies)))} == model.mail
        orders = {node: list(map(order_of, texts(next(replies)))) for node in NODES}
        assert orders == {node: model.orders.get(node, []) for node in NODES}
        assert {node for node in NODES if next(replies)} == model.bells
        assert self.read_owners() == model.owners
        assert self.read_jobs() == model.jobs
        assert self.read_results() == model.results

    @invariant()
    def a_living_job_is_in_one_place_and_none_has_vanished(self) -> None:
        model = self.model
        places = Counter(job_id for ids in (*model.lanes.values(), *model.held.values()) for job_id in ids)
        places.update([*model.scheduled, *model.dead])
        places.subtract(model.moved)
        for job_id, job in model.jobs.items():
            has_place = job.status not in ENDED or (job.status == "cancelled" and not job.is_expiring)
            assert places[job_id] == has_place, (job_id, job)
            assert job.status != "pending" or job_id in model.lanes[job.lane]
            assert job.is_expiring == (job.status in ENDED and not has_place)
        assert not (+places).keys() - model.jobs.keys()

    @invariant()
    def a_key_is_had_by_one_living_job(self) -> None:
        model = self.model
        assert all(model.owner_of(key) for key in model.owners)
        for job_id, job in model.jobs.items():
            until, _, key = job.unique.partition(" ")
            if job.status not in FINAL and until == "end" and not job.is_unique_for_a_time:
                assert model.owner_of(key) == job_id

    # How

    def send(self, is_lost: bool, call: Callable[[], Any], expected: Callable[[], Any]) -> None:
        """Do a call and compare what it returns; if its reply is lost, do it again."""
        for _ in range(1 + is_lost):
            reply, wanted = call(), expected()
            assert reply == wanted
        # What a worker knows that it has claimed; of the claim whose reply was lost it never knows.
        if isinstance(reply, tuple) and isinstance(reply[1], list):
            self.claims += [(self.model.jobs[job[1]].holder, job[1], job[2]) for job in reply[1]]

    def submit_one(
        self,
        job_id: str,
        lane: str,
        due: int | None,
        has_expiry: bool,
        is_lost: bool,
        unique: Uniqueness | None,
    ) -> None:
        queue, _, priority = lane.partition(":")
        later = None if due is None else timedelta(milliseconds=delay_of(due))
        request = JobRequest(
            "greet", None, priority, queue=queue, job_id=job_id, scheduled_for=later,
            expires_in=EXPIRY if has_expiry else None, **options_of(unique),
        )  # fmt: skip
        self.send(
            is_lost,
            lambda: self.store.submit([request]),
            lambda: self.model.submit(job_id, lane, due, unique, has_expiry=has_expiry),
        )

    def draw_id(self, data: Any) -> str:
        return data.draw(st.sampled_from(self.ids or IDS[:1]))

    def draw_waiting(self, data: Any) -> str:
        """Most often a job that waits, and among them one that has been moved before."""
        waiting = [
            job_id for job_id, job in self.model.jobs.items() if job.status in ("pending", "scheduled")
        ]
        moved = [job_id for job_id in waiting if self.model.moved[job_id]]
        kinds = [kind for kind in (waiting, moved, self.ids) if kind]
        return data.draw(st.sampled_from(data.draw(st.sampled_from(kinds))))

    def draw_dead_and_another(self, data: Any) -> list[str]:
        job_ids = data.draw(st.permutations(sorted(self.model.dead)))[:2]
        return list(dict.fromkeys([*job_ids, self.draw_id(data)]))

    def draw_claim(self, data: Any) -> tuple[str, str, int]:
        """A run that is known to have begun: it goes on, or its holder has the job under another run, or any."""
        jobs = self.model.jobs
        known = [claim for claim in self.claims if claim[1] in jobs and jobs[claim[1]].holder == claim[0]]
        going_on = [claim for claim in known if jobs[claim[1]].run == claim[2]]
        late = [claim for claim in known if jobs[claim[1]].run > claim[2]]
        kinds = [kind for kind in (going_on, late, self.claims) if kind]
        return data.draw(st.sampled_from(data.draw(st.sampled_from(kinds))))

    def draw_outcomes(self, data: Any, is_earliest: bool) -> list[Outcome]:
        """Up to 5, of any holders and kinds or all of a kind, some of the same run or of the same job's other runs."""
        claims = [self.draw_claim(data) for _ in range(data.draw(st.integers(1, 4)))]
        claims += data.draw(st.sampled_from(([], claims[:1])))
        kinds = data.draw(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=len(claims)))
        return [
            make(*claim, delay_of(self.next_rank(is_earliest)))
            for claim, make in zip(claims, cycle(kinds), strict=False)
        ]

    def next_rank(self, is_earliest: bool) -> int:
        """A rank of the future, before or after all others."""
        self.rank += 1
        return FIRST_RANK - self.rank if is_earliest else FIRST_RANK + self.rank

    def read_node(self, name: str) -> Node:
        keys, now = self.world.keys, self.world.now()
        score, (beat_at, alive_since) = self.world.transport.trip(
            [("ZSCORE", keys.nodes, name), ("HMGET", keys.node(name), "beat_at", "alive_since")]
        )
        lease = word_for(LEASE_ENDS, int(float(score)) - now)
        if beat_at is None:
            return Node(lease)
        return Node(lease, word_for(BEATS, now - int(beat_at)), word_for(ALIVE, now - int(alive_since)))

    def read_jobs(self) -> dict[str, Record]:
        keys, now = map(self.world.keys.job, self.ids), self.world.now()
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("HGETALL", "PTTL")])
        records = zip(self.ids, replies[::2], replies[1::2], strict=True)
        return {job_id: read_record(texts(words), ttl, now) for job_id, words, ttl in records if words}

    def read_owners(self) -> dict[str, tuple[str, bool]]:
        keys = map(self.world.keys.unique, KEYS)
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("GET", "PTTL")])
        found = zip(KEYS, replies[::2], replies[1::2], strict=True)
        return {key: (job_id.decode(), ttl > 0) for key, job_id, ttl in found if job_id}

    def read_results(self) -> dict[str, str]:
        """A failure without its time. None of them stays for good."""
        keys = [self.world.keys.result(job_id) for job_id in self.ids]
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("GET", "PTTL")])
        found = {job_id: text for job_id, text in zip(self.ids, replies[::2], strict=True) if text}
        assert sum(ttl > 0 for ttl in replies[1::2]) == len(found)
        return {job_id: re.sub(r"^!\d+ ", "!", text.decode()) for job_id, text in found.items()}


OUTCOMES: list[Callable[[str, str, int, int], Outcome]] = [
    lambda holder, job_id, run, _: Completed(holder, job_id, run, b""),
    lambda holder, job_id, run, _: Completed(holder, job_id, run, b"5"),
    lambda holder, job_id, run, delay_ms: Retried(holder, job_id, run, delay_ms, "no"),
    lambda holder, job_id, run, _: Buried(holder, job_id, run, "never"),
    lambda holder, job_id, run, _: Released(holder, job_id, run),
]


class NotingTransport:
    """A way to the server that notes which scripts are called."""

    def __init__(self, transport: Transport) -> None:
        self.digests: set[str] = set()
        self._transport = transport

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        self.digests.update(command[1] for command in commands if command[0] == "EVALSHA")
        return self._transport.trip(commands)


def read_record(words: list[str], ttl: int, now: int) -> Record:
    fields = dict(zip(words[::2], words[1::2], strict=True))
    # What there is not has no field.
    assert "" not in fields.values()
    numbers = {name: int(fields.get(name, 0)) for name in ("run", "attempts", "recoveries", "guarded_run")}
    texts = {name: fields.get(name, "") for name in ("holder", "error", "progress", "cancel")}
    expires_at = int(fields.get("expires_at", 0))
    return Record(
        fields["lane"], fields["status"], **numbers, **texts,
        due=rank_of(int(fields.get("due_at", 0)), now),
        expiry="" if not expires_at else "later" if expires_at > now else "over",
        waiters=fields.get("waiters", "").split(),
        unique=fields.get("unique", ""), is_unique_for_a_time="unique_ms" in fields, has_spec="spec" in fields, has_result="has_result" in fields,
        is_finished="finished_at" in fields, is_expiring=ttl > 0,
    )  # fmt: skip


def options_of(unique: Uniqueness | None) -> dict[str, Any]:
    """The uniqueness of a request."""
    if unique is None:
        return {}
    return {
        "unique_key": unique.key, "unique_seconds": UNIQUE_TIME if unique.is_timed else None,
        "unique_until": unique.until, "on_duplicate": unique.on_duplicate,
    }  # fmt: skip


def rank_of(due_at: int, now: int) -> int:
    return due_at if due_at < RANK_MS else round((due_at - now) / RANK_MS)


def pause_of(score: str) -> str:
    return {"inf": "for good", "1": "over"}.get(score, "for a time")


def word_for(words: dict[str, int], ms: int) -> str:
    """The nearest."""
    return min(words, key=lambda word: abs(words[word] - ms))


def delay_of(rank: int) -> int:
    return rank * RANK_MS


def settled_and_told(replies: tuple[list[str], Claim]) -> tuple[list[str], list[Any] | None]:
    """Refused ids and a claim as the model tells them."""
    refused, claim = replies
    jobs = [(job.lane, job.job_id, job.run, job.attempts, job.recoveries) for job in claim.jobs]
    return sorted(refused), None if claim.is_gone else jobs


def became(recovery: Any) -> dict[str, list[str]] | None:
    """A recovery as the model tells it."""
    if recovery.is_refused:
        return None
    return {name: getattr(recovery, name) for name in ("requeued", "retried", "dead", "cancelled")}


def order_of(words: str) -> tuple[str, str, int, str]:
    """As the model has it."""
    holder, job_id, run, how = words.split(" ")
    return holder, job_id, int(run), how


def words_of(order: tuple[str, str, int, str]) -> str:
    return " ".join(map(str, order))


def named(finding: Finding) -> tuple[str, str]:
    """A finding as the model tells it: of a queue any lane may be found first."""
    return finding.fault, finding.detail if finding.fault == "unlisted_queue" else finding.subject


def scores(words: list[bytes]) -> dict[str, int]:
    return dict(zip(texts(words[::2]), map(int, words[1::2]), strict=True))


def texts(words: list[bytes]) -> list[str]:
    return [word.decode() for word in words]


# A walk that fails is made short before it is told, and that takes its time.
@pytest.mark.timeout(3600 if IS_LONG else 300)
def test_the_scripts_do_what_their_model_does_in_any_order(world: World) -> None:
    # What the server does not know yet is sent once more, behind what travelled with it. That matters only for two outcomes
    # of the same run, which no worker has.
    for name in SCRIPTS:
        world.call("SCRIPT", "LOAD", script(name).text)
    transport = NotingTransport(world.transport)
    run_state_machine_as_test(lambda: Scripts(World(transport)), settings=PROFILE)
    assert transport.digests == {script(name).digest for name in SCRIPTS}
