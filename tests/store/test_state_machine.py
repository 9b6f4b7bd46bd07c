"""Every script against a model of it in Python, in whatever order comes up, replies lost and commands late.

BANANASD_LONG=1 takes longer walks, and other ones each time.
"""

import os
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
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
from bananasd.store.doctor import Doctor
from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Buried, Completed, Outcome, Released, Retried
from bananasd.store.store import Charge, Claim, Retention, Store
from tests.store.conftest import World
from tests.store.model import MAX_RECOVERIES, Model, Node, Record, node_of

LEASE_MS = 3_600_000
QUEUES = ("default", "gpu")
LANES = [str(lane) for lane in lanes_of(QUEUES)]
NODES = ("n1", "n2", "n3")
HOLDERS = ("n1/1.1", "n1/1.2", "n2/1.1", "n3/7.1")
IDS = [str(uuid.UUID(int=n)) for n in range(100)]
FIRST_RANK, RANK_MS = 1000, 1_000_000
"""Ranks of the future count up and down from the first, so far apart that no pause of this machine changes their order.
Those of the past are 1, 2, 3 …, in milliseconds since the epoch."""

NODE_CHANGES = {
    "beats for long": ("valid", LEASE_MS),
    "froze": ("valid", LEASE_MS),
    "was lost": ("over", -1000),
    "was lost long ago": ("long over", -2 * 86_400_000),
}

IS_LONG = bool(os.environ.get("BANANASD_LONG"))
PROFILE = settings(
    max_examples=1000 if IS_LONG else 30,
    stateful_step_count=100 if IS_LONG else 50,
    derandomize=not IS_LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

holders, nodes, wanted = map(st.sampled_from, (HOLDERS, NODES, (1, 2, 5)))
is_lost = st.booleans()
"""Whether the reply of a command is lost, and so the command repeated."""


class Scripts(RuleBasedStateMachine):
    """What the model says must come back from the server, and must stand there."""

    def __init__(self, world: World) -> None:
        super().__init__()
        world.call("FLUSHDB")
        self.world, self.store, self.model = world, world.store, Model()
        self.ids: list[str] = []
        self.claims: list[tuple[str, str, int]] = []
        self.rank = self.past = 0

    @initialize(
        ready=st.lists(st.sampled_from(LANES), min_size=4, max_size=10),
        held=st.lists(st.integers(0, 3), max_size=4),
    )
    def begin(self, ready: list[str], held: list[int]) -> None:
        """Not from nothing: with jobs that wait, some that run, and nodes that have been there for long."""
        for lane in ready:
            self.submit(lane, 1, is_later=False, is_earliest=False, is_lost=False)
        for holder, count in zip(HOLDERS, held, strict=False):
            self.enter_and_claim(holder, 1 + count, is_lost=False)
        for node in NODES[: len(held)]:
            self.change_node(node, "beats for long")

    # A client's

    @rule(
        lane=st.sampled_from(LANES), count=st.sampled_from((1, 4)), is_later=st.booleans(), is_earliest=st.booleans(),
        is_lost=is_lost,
    )  # fmt: skip
    def submit(self, lane: str, count: int, is_later: bool, is_earliest: bool, is_lost: bool) -> None:
        for _ in range(count):
            if len(self.ids) < len(IDS):
                self.ids.append(IDS[len(self.ids)])
                self.submit_one(
                    self.ids[-1], lane, self.next_rank(is_earliest) if is_later else None, is_lost
                )

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lane=st.sampled_from(LANES))
    def submit_a_known_id(self, data: Any, lane: str) -> None:
        self.submit_one(self.draw_id(data), lane, None, is_lost=False)

    @rule(data=st.data(), is_lost=is_lost)
    def cancel(self, data: Any, is_lost: bool) -> None:
        job_id = self.draw_id(data)
        self.send(is_lost, lambda: self.store.cancel(job_id), lambda: self.model.cancel(job_id))

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data(), is_purged=st.sampled_from((False, False, True)), is_lost=is_lost)
    def end_being_dead(self, data: Any, is_purged: bool, is_lost: bool) -> None:
        job_ids = [*data.draw(st.permutations(sorted(self.model.dead)))[:2], self.draw_id(data)]
        job_ids = list(dict.fromkeys(job_ids))
        store, model = (
            getattr(it, "purge_dead" if is_purged else "requeue_dead") for it in (self.store, self.model)
        )
        self.send(is_lost, lambda: store(job_ids), lambda: model(job_ids))

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
            lambda: told(self.store.settle_and_claim([], holder, node_of(holder), lanes, want)[1]),
            lambda: self.model.claim(holder, [str(lane) for lane in lanes], want),
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
        for job_id in list(self.model.held[holder]):
            self.settle_one(Released(holder, job_id, self.model.jobs[job_id].run))
        self.enter_and_claim(holder, want, is_lost=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_earliest=st.booleans(), is_lost=is_lost)
    def settle(self, data: Any, is_earliest: bool, is_lost: bool) -> None:
        for _ in range(data.draw(st.integers(1, 4))):
            due = self.next_rank(is_earliest)
            claim = self.draw_claim(data)
            outcome = data.draw(
                st.sampled_from(
                    [Completed(*claim, b""), Completed(*claim, b"5"), Retried(*claim, delay_of(due), "no"),
                     Buried(*claim, "never"), Released(*claim)]
                )
            )  # fmt: skip
            self.settle_one(outcome, due, is_lost)

    def settle_one(self, outcome: Outcome, due: int = 0, is_lost: bool = False) -> None:
        self.send(is_lost, lambda: self.store.settle([outcome]), lambda: self.model.settle(outcome, due))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), progress=st.sampled_from((b"1", b"2")), is_lost=is_lost)
    def progress(self, data: Any, progress: bytes, is_lost: bool) -> None:
        claim = self.draw_claim(data)
        self.send(
            is_lost,
            lambda: self.store.progress(*claim, progress),
            lambda: self.model.progress(*claim, progress.decode()),
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
                 Charge.failed(ran, "slow", -1), Charge()]
            )
        )  # fmt: skip
        self.send(
            is_lost,
            lambda: became(self.store.recover(
                holder, charge, max_recoveries=MAX_RECOVERIES, judge=judge, lease_ms=LEASE_MS
            )),
            lambda: self.model.recover(holder, charge, judge, due),
        )  # fmt: skip

    # The scheduler's

    @rule(node=nodes, is_lost=is_lost)
    def beat(self, node: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: self.store.beat(node, LEASE_MS, b"{}", HOLDERS),
            lambda: self.model.beat(node, list(HOLDERS)),
        )

    @rule(limit=wanted, is_lost=is_lost)
    def promote(self, limit: int, is_lost: bool) -> None:
        self.send(
            is_lost, lambda: self.store.promote(limit)[0], lambda: self.model.promote(limit, self.past + 1)
        )

    @precondition(lambda self: self.model.dead)
    @rule(is_for_age=st.booleans(), keep=st.sampled_from((0, 2, 100)), limit=wanted, is_lost=is_lost)
    def trim(self, is_for_age: bool, keep: int, limit: int, is_lost: bool) -> None:
        store = Store(
            self.world.transport, "test", Retention(dead_ms=0 if is_for_age else LEASE_MS, dead_count=keep)
        )
        for _ in range(1 + is_lost):
            order = self.world.dead()
            assert store.trim(limit) == self.model.trim(order, is_for_age, keep, limit)

    # Time, and those who wait

    @precondition(lambda self: any(rank > self.past for rank in self.model.scheduled.values()))
    @rule(data=st.data())
    def become_due(self, data: Any) -> None:
        later = [job_id for job_id, rank in self.model.scheduled.items() if rank > self.past]
        job_id = data.draw(st.sampled_from(later))
        self.past += 1
        self.model.scheduled[job_id] = self.past
        self.world.call("ZADD", self.world.keys.scheduled, self.past, job_id)
        self.world.mark(job_id, due_at=self.past)

    @rule(
        node=nodes,
        change=st.sampled_from(("beats for long", "froze", "was lost", "was lost long ago", "leaves")),
    )
    def change_node(self, node: str, change: str) -> None:
        if change == "leaves":
            self.send(False, lambda: self.store.leave(node), lambda: self.model.leave(node))
        elif node in self.model.nodes:
            lease, ms = NODE_CHANGES[change]
            self.model.nodes[node].lease = lease
            self.world.lease(node, ms)
            is_beating = change == "beats for long"
            self.model.nodes[node].beat = "now" if is_beating else "long ago"
            self.model.nodes[node].alive = "for long"
            self.world.beaten(node, ms_ago=0 if is_beating else 2 * LEASE_MS, alive_for_ms=10 * LEASE_MS)

    @rule(lane=st.sampled_from([*LANES, "scheduled"]))
    def take_token(self, lane: str) -> None:
        taken = self.world.call("LPOP", f"{self.world.keys.prefix}wake:{lane}")
        assert bool(taken) == (lane in self.model.tokens)
        self.model.tokens.discard(lane)

    @rule()
    def examine(self) -> None:
        """What the scripts alone bring about is never out of order."""
        found = {
            finding.fault for finding in Doctor(self.world.transport, "test", is_mending=False).examine()
        }
        gone = [h for h in self.model.holders if is_given_up(self.model.nodes.get(node_of(h), Node()))]
        assert found == ({"stale_holder"} if gone else set())

    # What must be so after each step

    @invariant()
    def the_server_agrees_with_the_model(self) -> None:
        model, world, keys = self.model, self.world, self.world.keys
        commands = [
            *(("LRANGE", f"{keys.prefix}ready:{lane}", 0, -1) for lane in LANES),
            *(("LRANGE", keys.held(holder), 0, -1) for holder in HOLDERS),
            *(("LLEN", f"{keys.prefix}wake:{lane}") for lane in (*LANES, "scheduled")),
            ("ZRANGE", keys.scheduled, 0, -1), ("ZRANGE", keys.dead, 0, -1), ("SMEMBERS", keys.holders),
            ("SMEMBERS", keys.queues), ("ZRANGE", keys.nodes, 0, -1), ("HGETALL", keys.stats),
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
        assert texts(next(replies)) == sorted(model.scheduled, key=model.scheduled.__getitem__)
        assert set(texts(next(replies))) == model.dead
        assert set(texts(next(replies))) == model.holders
        assert set(texts(next(replies))) == model.queues
        assert set(texts(next(replies))) == set(model.nodes)
        assert {name: self.read_node(name) for name in model.nodes} == model.nodes
        counted = texts(next(replies))
        assert dict(zip(counted[::2], map(int, counted[1::2]), strict=True)) == +model.counters
        assert {job_id: record for job_id in self.ids if (record := self.read(job_id))} == model.jobs

    @invariant()
    def a_living_job_is_in_one_place_and_none_has_vanished(self) -> None:
        model = self.model
        places = Counter(job_id for ids in (*model.lanes.values(), *model.held.values()) for job_id in ids)
        places.update([*model.scheduled, *model.dead])
        for job_id, job in model.jobs.items():
            has_place = job.status not in ("completed", "cancelled") or (
                job.status == "cancelled" and not job.is_expiring
            )
            assert places[job_id] == has_place, (job_id, job)
            assert job.is_expiring == (job.status in ("completed", "cancelled") and not has_place)
        assert not places.keys() - model.jobs.keys()

    # How

    def send(self, is_lost: bool, call: Callable[[], Any], expected: Callable[[], Any]) -> None:
        """Do a call and compare what it returns; if its reply is lost, do it again."""
        for _ in range(1 + is_lost):
            reply, wanted = call(), expected()
            assert reply == wanted
        if not isinstance(reply, list):
            return
        # What a worker knows that it has claimed; of the claim whose reply was lost it never knows.
        self.claims += [
            (self.model.jobs[job[1]].holder, job[1], job[2]) for job in reply if isinstance(job, tuple)
        ]

    def submit_one(self, job_id: str, lane: str, due: int | None, is_lost: bool) -> None:
        queue, _, priority = lane.partition(":")
        later = None if due is None else timedelta(milliseconds=delay_of(due))
        request = JobRequest("greet", None, priority, queue=queue, job_id=job_id, scheduled_for=later)
        self.send(is_lost, lambda: self.store.submit([request]), lambda: self.model.submit(job_id, lane, due))

    def draw_id(self, data: Any) -> str:
        return data.draw(st.sampled_from(self.ids or IDS[:1]))

    def draw_claim(self, data: Any) -> tuple[str, str, int]:
        """A run that is known to have begun: it goes on, or its holder has the job under another run, or any."""
        jobs = self.model.jobs
        known = [claim for claim in self.claims if claim[1] in jobs and jobs[claim[1]].holder == claim[0]]
        going_on = [claim for claim in known if jobs[claim[1]].run == claim[2]]
        late = [claim for claim in known if jobs[claim[1]].run > claim[2]]
        kinds = [kind for kind in (going_on, late, self.claims) if kind]
        return data.draw(st.sampled_from(data.draw(st.sampled_from(kinds))))

    def next_rank(self, is_earliest: bool) -> int:
        """A rank of the future, before or after all others."""
        self.rank += 1
        return FIRST_RANK - self.rank if is_earliest else FIRST_RANK + self.rank

    def read_node(self, name: str) -> Node:
        keys, now = self.world.keys, self.world.now()
        score, (beat_at, alive_since) = self.world.transport.trip(
            [("ZSCORE", keys.nodes, name), ("HMGET", keys.node(name), "beat_at", "alive_since")]
        )
        ago = now - int(float(score))
        lease = "valid" if ago < 0 else "over" if ago < 86_400_000 else "long over"
        if beat_at is None:
            return Node(lease)
        beat = "now" if now - int(beat_at) < LEASE_MS / 2 else "long ago"
        return Node(lease, beat, "for long" if now - int(alive_since) > LEASE_MS else "just now")

    def read(self, job_id: str) -> Record | None:
        fields = self.world.record(job_id)
        if not fields:
            return None
        numbers = {name: int(fields.get(name, 0)) for name in ("run", "attempts", "recoveries")}
        words = {name: fields.get(name, "") for name in ("holder", "error", "result", "progress")}
        return Record(
            fields["lane"], fields["status"], **numbers, **words, is_expiring=self.world.ttl(job_id) > 0
        )


def is_given_up(node: Node) -> bool:
    return node.lease in ("", "long over") and node.beat != "now"


def delay_of(rank: int) -> int:
    return rank * RANK_MS


def told(claim: Claim) -> list[tuple[str, str, int, int, int]] | None:
    """A claim as the model tells it."""
    if claim.is_gone:
        return None
    return [(job.lane, job.job_id, job.run, job.attempts, job.recoveries) for job in claim.jobs]


def became(recovery: Any) -> dict[str, list[str]] | None:
    """A recovery as the model tells it."""
    if recovery.is_refused:
        return None
    return {name: getattr(recovery, name) for name in ("requeued", "retried", "dead")}


def texts(words: list[bytes]) -> list[str]:
    return [word.decode() for word in words]


# A walk that fails is made short before it is told, and that takes its time.
@pytest.mark.timeout(3600 if IS_LONG else 300)
def test_the_scripts_do_what_their_model_does_in_any_order(world: World) -> None:
    run_state_machine_as_test(lambda: Scripts(world), settings=PROFILE)
