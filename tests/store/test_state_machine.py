"""Every script against a model of it in Python, in whatever order comes up, replies lost and commands late.

In the long form it takes longer walks, and other ones each time.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from bananasd.schedule import Schedule
from bananasd.store.connection import Transport
from bananasd.store.outcomes import Buried, Retried
from bananasd.store.scripts import Command, script
from bananasd.store.store import Charge
from tests.faults.cutter import SCRIPTS
from tests.faults.form import IS_LONG, either
from tests.store.client_rules import ClientRules, uniqueness
from tests.store.conftest import World
from tests.store.machine import HOLDERS, LANES, NAMES, NODES, delay_of, holders, is_lost, nodes
from tests.store.mending_model import ENDED
from tests.store.model import FINAL, MAX_RECOVERIES, Uniqueness, node_of
from tests.store.scheduler_rules import SchedulerRules
from tests.store.sight import Sight
from tests.store.surrounding_rules import SurroundingRules
from tests.store.worker_rules import WorkerRules

pytestmark = pytest.mark.usefixtures("untraced")

PROFILE = settings(
    max_examples=either(90, 1200),
    stateful_step_count=either(50, 100),
    derandomize=not IS_LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Scripts(ClientRules, WorkerRules, SchedulerRules, SurroundingRules):
    """What the model says must come back from the server, and must stand there."""

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

    # Ways that a walk would seldom take by chance

    @rule(data=st.data(), unique=uniqueness, lane=st.sampled_from(LANES), is_lost=is_lost)
    def run_to_its_end(self, data: Any, unique: Uniqueness | None, lane: str, is_lost: bool) -> None:
        """One with a key, perhaps, while others come; else few walks came to the end of one."""
        self.submit(
            lane, 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=is_lost, unique=unique
        )
        self.enter_and_claim(HOLDERS[0], 5, is_lost=False)
        if self.claims:
            self.settle_some(data, is_earliest=False, is_lost=is_lost)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def retry_at_once(self, data: Any) -> None:
        """Failed, due and in its lane again in one step, else few walks came to a third attempt."""
        claim = self.draw_claim(data)
        self.settle([Retried(*claim, delay_of(self.next_rank(is_earliest=True)), "no")])
        if claim[1] in self.model.scheduled:
            self.let_be_due(claim[1])
            self.promote(5, is_lost=False)

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

    @rule(node=nodes, change=st.sampled_from(("was lost long ago", "was lost hours ago")))
    def forget_a_node(self, node: str, change: str) -> None:
        self.change_node(node, change)
        self.trim(is_for_age=False, keep=100, limit=1, is_lost=False)

    # What must be so after each step

    @invariant()
    def the_server_agrees_with_the_model(self) -> None:
        Sight(self.world, self.ids).agree_with(self.model)

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
        for job_id, job in model.jobs.items():
            until, _, key = job.unique.partition(" ")
            is_past_its_time = job.expiry == "over" and job.status != "processing"
            if (
                job.status not in FINAL
                and until == "end"
                and not (job.is_unique_for_a_time or is_past_its_time)
            ):
                assert model.owner_of(key) == job_id


class NotingTransport:
    """A way to the server that notes which scripts are called."""

    def __init__(self, transport: Transport) -> None:
        self.digests: set[str] = set()
        self._transport = transport

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        self.digests.update(command[1] for command in commands if command[0] == "EVALSHA")
        return self._transport.trip(commands)


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
