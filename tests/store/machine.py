"""The machine that walks over the scripts, without its rules: where it stands, how it calls, and whom it picks."""

import uuid
from collections.abc import Callable
from itertools import cycle
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Buried, Completed, Outcome, Released, Retried
from tests.store.conftest import World
from tests.store.model import RANK_MS, Model, Node
from tests.store.schedule_model import Schedules

LEASE_MS = 3_600_000
QUEUES = ("default", "gpu")
LANES = [str(lane) for lane in lanes_of(QUEUES)]
NODES = ("n1", "n2", "n3")
HOLDERS = ("n1/1.1", "n1/1.2", "n2/1.1", "n3/7.1")
NAMES = ("hourly", "nightly")
KEYS = ("k", "ä key")
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

holders, nodes, wanted = map(st.sampled_from, (HOLDERS, NODES, (1, 2, 5)))
is_lost = st.booleans()
"""Whether the reply of a command is lost, and so the command repeated."""

OUTCOMES: list[Callable[[str, str, int, int], Outcome]] = [
    lambda holder, job_id, run, _: Completed(holder, job_id, run, b""),
    lambda holder, job_id, run, _: Completed(holder, job_id, run, b"5"),
    lambda holder, job_id, run, delay_ms: Retried(holder, job_id, run, delay_ms, "no"),
    lambda holder, job_id, run, _: Buried(holder, job_id, run, "never"),
    lambda holder, job_id, run, _: Released(holder, job_id, run),
]


class Machine(RuleBasedStateMachine):
    """A server and the model of it. Whoever acts on them has a class of rules: hypothesis collects them from methods."""

    def __init__(self, world: World) -> None:
        super().__init__()
        world.call("FLUSHDB")
        self.world, self.store, self.model = world, world.store, Model()
        self.schedules = Schedules(self.model)
        self.ids: list[str] = []
        self.claims: list[tuple[str, str, int]] = []
        self.rank = self.past = 0

    def send(self, is_lost: bool, call: Callable[[], Any], expected: Callable[[], Any]) -> None:
        """Do a call and compare what it returns; if its reply is lost, do it again."""
        for _ in range(1 + is_lost):
            reply, wanted = call(), expected()
            assert reply == wanted
        # What a worker knows that it has claimed; of the claim whose reply was lost it never knows.
        if isinstance(reply, tuple) and isinstance(reply[1], list):
            self.claims += [(self.model.jobs[job[1]].holder, job[1], job[2]) for job in reply[1]]

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


def delay_of(rank: int) -> int:
    return rank * RANK_MS
