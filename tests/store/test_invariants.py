"""A long random walk through all transitions, in every order that comes up: no job is ever lost, doubled or stuck."""

import random
from collections import Counter

import pytest

from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Charge
from tests.store.conftest import World

pytestmark = pytest.mark.usefixtures("untraced")

QUEUES = ("default", "gpu")
LANES = [str(lane) for lane in lanes_of(QUEUES)]
HOLDERS = ("n1/1.1", "n1/2.1", "n2/1.1")
STEPS = 400


class Walk:
    """Every step may be refused; what it may not do is break an invariant."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.store, self.random = world, world.store, random.Random(seed)
        self.jobs: list[str] = []
        self.claims: list[tuple[str, str, int]] = []

    def step(self) -> None:
        steps = {
            self.submit: 3, self.wake_and_claim: 5, self.settle: 5, self.schedule: 1, self.promote: 2, self.cancel: 1,
            self.recover: 1, self.requeue: 1, self.purge: 0.2, self.break_record: 0.1,
        }  # fmt: skip
        self.random.choices(list(steps), list(steps.values()))[0]()

    def submit(self) -> None:
        count, priority = self.random.randint(1, 4), self.random.choice(("high", "normal", "low"))
        self.jobs += self.world.submit(count, priority, self.random.choice(QUEUES))

    def schedule(self) -> None:
        self.jobs += self.world.schedule(self.random.choice((-1000, 3_600_000)))

    def promote(self) -> None:
        self.store.promote(self.random.randint(1, 5))

    def wake_and_claim(self) -> None:
        """As an idle worker: take a token, then claim; what it leaves behind must still have a token."""
        holder = self.world.enter(self.random.choice(HOLDERS))
        if self.world.call("LPOP", self.world.keys.wake(self.random.choice(LANES))) is None:
            return
        claim = self.world.claim(self.random.randint(1, 5), holder, QUEUES)
        self.claims += [(holder, job.job_id, job.run) for job in claim.jobs]
        assert len(claim.jobs) == 1 or all(job.recoveries == 0 for job in claim.jobs)

    def settle(self) -> None:
        """Any claim of old, so most of these are stale."""
        for claim in self.random.sample(self.claims[-30:], min(len(self.claims), 3)):
            outcome = self.random.choice(
                (
                    Completed(*claim, b"1"),
                    Retried(*claim, -1000, "no"),
                    Buried(*claim, "no"),
                    Released(*claim),
                )
            )
            is_current = self.is_current(claim)
            refused = self.store.settle([outcome])
            assert refused == ([] if is_current else [claim[1]])

    def recover(self) -> None:
        holder = self.random.choice(HOLDERS)
        held = [*self.world.held(holder), ""]
        charge = self.random.choice(
            (Charge(), Charge.lost(held[0], "x"), Charge.failed(held[0], "x", -1000), Charge.everything("x"))
        )
        self.store.recover(holder, charge)
        assert self.world.held(holder) == []

    def cancel(self) -> None:
        self.store.cancel(self.random.choice(self.jobs or [""]))

    def requeue(self) -> None:
        self.store.requeue_dead(self.random.sample(self.jobs, min(len(self.jobs), 10)))

    def purge(self) -> None:
        self.store.purge_dead(self.random.sample(self.jobs, min(len(self.jobs), 3)))

    def break_record(self) -> None:
        self.world.call("DEL", self.world.keys.job(self.random.choice(self.jobs or [""])))

    def is_current(self, claim: tuple[str, str, int]) -> bool:
        holder, job_id, run = claim
        record = self.world.record(job_id)
        return (record.get("status"), record.get("holder"), record.get("run")) == (
            "processing",
            holder,
            str(run),
        )

    def check(self) -> None:
        world = self.world
        ready = {lane: world.ready(lane) for lane in LANES}
        waiting = Counter(job_id for ids in ready.values() for job_id in ids)
        held = {job_id: holder for holder in HOLDERS for job_id in world.held(holder)}
        scheduled, dead = set(world.scheduled()), set(world.dead())
        places = waiting + Counter(list(held)) + Counter(scheduled) + Counter(dead)
        assert max(places.values(), default=1) == 1, "an id is at two places"
        for job_id, record, expires in self.records():
            status = record.get(b"status", b"").decode()
            is_in_place = {
                "": True,
                "pending": waiting[job_id] == 1,
                "processing": held.get(job_id) == record.get(b"holder", b"").decode(),
                "scheduled": job_id in scheduled,
                "failed": job_id in dead,
                "completed": places[job_id] == 0,
                "cancelled": held.get(job_id) is None and job_id not in scheduled | dead,
            }
            assert is_in_place[status], f"{job_id} is {status}, but {record} {places[job_id]}"
            assert expires == (status == "completed" or (status == "cancelled" and not waiting[job_id]))
        assert all(world.tokens(lane) == bool(ids) or world.tokens(lane) == 1 for lane, ids in ready.items())

    def records(self) -> list[tuple[str, dict[bytes, bytes], bool]]:
        keys = [self.world.keys.job(job_id) for job_id in self.jobs]
        replies = self.world.transport.trip([(c, key) for c in ("HGETALL", "PTTL") for key in keys])
        hashes = [dict(zip(words[::2], words[1::2], strict=True)) for words in replies[: len(keys)]]
        return list(zip(self.jobs, hashes, (ms > 0 for ms in replies[len(keys) :]), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_living_job_is_at_exactly_one_place_and_each_lane_with_jobs_has_its_token(world, seed):
    walk = Walk(world, seed)
    for _ in range(STEPS):
        walk.step()
        walk.check()
