"""recover: end a holder and put back what it held."""

import pytest

from bananasd.store.outcomes import Completed
from bananasd.store.store import Charge, Recovery
from tests.store.conftest import HOLDER, LANE, LEASE_MS, NODE, OTHER, OTHER_NODE


def counts(world, job_id: str) -> tuple[str, int, int]:
    record = world.record(job_id)
    return record["status"], int(record.get("attempts", 0)), int(record.get("recoveries", 0))


# Nothing charged


def test_what_a_holder_held_goes_back_to_the_front_in_its_order_with_nothing_counted(world):
    ids = world.start(3)
    later = world.submit(2)
    recovery = world.store.recover(HOLDER)
    assert sorted(recovery.requeued) == sorted(ids)
    assert recovery[1:] == ([], [], [], False)
    assert world.ready() == ids + later
    assert [counts(world, job_id) for job_id in ids] == [("pending", 0, 0)] * 3
    assert "holder" not in world.record(ids[0])


def test_each_job_goes_to_its_own_lane_with_a_token(world):
    world.enter()
    lanes = {
        f"{queue}:{priority}": world.submit(1, priority, queue)
        for queue, priority in (("a", "low"), ("b", "high"))
    }
    world.claim(2, queues=("a", "b"))
    world.take_tokens()
    world.store.recover(HOLDER)
    assert {lane: world.ready(lane) for lane in lanes} == lanes
    assert [world.tokens(lane) for lane in lanes] == [1, 1]


def test_the_holder_is_gone_with_its_list(world):
    world.start()
    world.store.recover(HOLDER)
    assert (world.store.holders(), world.held(), world.claim().is_gone) == ([], [], True)


def test_other_holders_are_left_alone(world):
    world.start()
    (other,) = world.start(holder=OTHER)
    world.store.recover(HOLDER)
    assert (world.store.holders(), world.held(OTHER), world.status(other)) == ([OTHER], [other], "processing")


def test_a_repeat_changes_nothing(world):
    (job_id,) = world.start()
    world.store.recover(HOLDER, Charge.lost(job_id, "killed"))
    before = world.dump()
    assert world.store.recover(HOLDER, Charge.lost(job_id, "killed")) == Recovery([], [], [], [])
    assert world.dump() == before


def test_a_holder_that_never_was_is_no_error(world):
    assert world.store.recover("n9/9.9") == Recovery([], [], [], [])
    assert world.dump() == {}


def test_more_than_a_thousand_jobs_keep_their_order_and_the_holder_leaves_last(world):
    ids = [job_id for _ in range(3) for job_id in world.submit(700)]
    world.enter()
    world.claim(1000), world.claim(1000), world.claim(1000)
    later = world.submit()
    assert len(world.held()) == 2100
    assert len(world.store.recover(HOLDER).requeued) == 2100
    assert world.ready() == ids + later
    assert world.store.holders() == []


def test_as_long_as_it_holds_something_a_holder_stays(world):
    world.start(700)
    world.start(700)
    keys = [world.keys.held(HOLDER), world.keys.holders, world.keys.nodes]
    args = (world.keys.prefix, HOLDER, "nothing", "", "", 3, -1, "", 0, NODE)
    assert world.store._run("recover", keys, args)[0] == b"more"
    assert (world.store.holders(), len(world.held())) == ([HOLDER], 400)
    assert world.store._run("recover", keys, args)[0] == b"done"
    assert world.store.holders() == []


# Lost with its worker


def test_the_job_that_ran_counts_as_lost_and_stays_in_front_of_those_that_had_not_started(world):
    ids = world.start(3)
    recovery = world.store.recover(HOLDER, Charge.lost(ids[0], "killed by signal 9"))
    assert sorted(recovery.requeued) == sorted(ids)
    assert world.ready() == ids
    assert [counts(world, job_id) for job_id in ids] == [
        ("pending", 0, 1),
        ("pending", 0, 0),
        ("pending", 0, 0),
    ]
    assert world.record(ids[0])["error"] == "killed by signal 9"
    assert world.counter("lost") == 1


def test_at_max_recoveries_it_dies_with_the_cause(world):
    suspect, innocent = world.start(2)
    world.mark(suspect, recoveries=2)
    recovery = world.store.recover(HOLDER, Charge.lost(suspect, "killed by signal 9"), max_recoveries=3)
    assert recovery == Recovery([innocent], [], [suspect], [])
    assert counts(world, suspect) == ("failed", 0, 3)
    assert world.record(suspect)["error"] == "killed by signal 9"
    assert (world.dead(), world.ready(), world.ttl(suspect)) == ([suspect], [innocent], -1)


def test_a_job_that_it_does_not_hold_is_not_charged(world):
    (job_id,) = world.start()
    (other,) = world.start(holder=OTHER)
    world.store.recover(HOLDER, Charge.lost(other, "killed"))
    assert (counts(world, job_id), counts(world, other)) == (("pending", 0, 0), ("processing", 0, 0))


def test_if_nobody_knows_which_job_ran_all_are_charged_and_keep_their_order(world):
    ids = world.start(3)
    world.mark(ids[1], recoveries=2)
    recovery = world.store.recover(HOLDER, Charge.everything("host lost"), max_recoveries=3)
    assert (sorted(recovery.requeued), recovery.dead) == (sorted([ids[0], ids[2]]), [ids[1]])
    assert world.ready() == [ids[0], ids[2]]
    assert [counts(world, job_id)[2] for job_id in ids] == [1, 3, 1]


# Killed for its time


def test_a_job_killed_for_its_time_is_a_failed_attempt_that_comes_back_after_its_delay(world):
    ran, waiting = world.start(2)
    before = world.now()
    recovery = world.store.recover(HOLDER, Charge.failed(ran, "timed out", 4_000))
    assert recovery == Recovery([waiting], [ran], [], [])
    assert (counts(world, ran), counts(world, waiting)) == (("scheduled", 1, 0), ("pending", 0, 0))
    record = world.record(ran)
    assert before + 4_000 <= int(record["due_at"]) <= world.now() + 4_000
    assert record["error"] == "timed out"
    assert (world.scheduled(), world.ready(), world.tokens("scheduled")) == ([ran], [waiting], 1)


def test_a_job_killed_for_its_time_may_come_back_without_a_delay(world):
    (ran,) = world.start()
    assert world.store.recover(HOLDER, Charge.failed(ran, "timed out", 0)) == Recovery([], [ran], [], [])
    assert world.counter("retried") == 1
    assert world.store.promote() == (1, None)


def test_a_job_killed_for_its_time_dies_when_it_has_no_tries_left(world):
    ran, waiting = world.start(2)
    assert world.store.recover(HOLDER, Charge.failed(ran, "timed out", -1)) == Recovery(
        [waiting], [], [ran], []
    )
    assert (counts(world, ran), world.record(ran)["error"]) == (("failed", 1, 0), "timed out")
    assert world.scheduled() == []


# What does not belong to it


@pytest.mark.parametrize("field", [{"holder": OTHER}, {"status": "pending"}, {"status": "completed"}])
def test_an_id_whose_record_is_not_this_holders_is_only_dropped(world, field):
    foreign, own = world.start(2)
    world.mark(foreign, **field)
    before = world.record(foreign)
    assert world.store.recover(HOLDER, Charge.everything("host lost")).requeued == [own]
    assert world.record(foreign) == before
    assert (world.ready(), world.held(), world.store.holders()) == ([own], [], [])


@pytest.mark.parametrize("kind", ["missing", "another type", "no lane"])
def test_an_id_whose_record_cannot_be_read_dies_with_the_reason(world, kind):
    bad, good = world.start(2)
    world.call(*{"no lane": ("HDEL", world.keys.job(bad), "lane")}.get(kind, ("DEL", world.keys.job(bad))))
    if kind == "another type":
        world.call("SET", world.keys.job(bad), "x")
    assert world.store.recover(HOLDER) == Recovery([good], [], [bad], [])
    record = world.record(bad)
    assert (world.dead(), record["status"], record["lane"]) == ([bad], "failed", LANE)
    assert "unreadable" in record["error"]


def test_what_a_recovered_worker_reports_late_is_refused(world):
    (job_id,) = world.start()
    world.store.recover(HOLDER)
    world.enter(OTHER)
    world.claim(holder=OTHER)
    before = world.dump()
    refused, claim = world.store.settle_and_claim([Completed(HOLDER, job_id, 1, b"")], HOLDER, NODE, [], 1)
    assert (refused, claim.is_gone) == ([job_id], True)
    assert world.dump() == before


# The judgement by leases: may the caller take what a holder of another node holds?


@pytest.fixture
def lost_node(world):
    """Another node's holder with a job, its lease over; the caller has beaten for long enough."""
    (job_id,) = world.start(holder=OTHER)
    world.lease(OTHER_NODE, -1)
    world.lease(NODE, 10_000)
    world.beaten(NODE, ms_ago=1_000, alive_for_ms=LEASE_MS + 1)
    return job_id


def judge(world) -> Recovery:
    charge = Charge.everything("host lost")
    return world.store.recover(OTHER, charge, judge=NODE, lease_ms=LEASE_MS)


def test_a_node_that_has_beaten_for_a_lease_takes_over_from_one_whose_lease_is_over(world, lost_node):
    assert judge(world) == Recovery([lost_node], [], [], [])
    assert (world.ready(), world.store.holders()) == ([lost_node], [])


def test_a_node_without_any_lease_is_lost_too(world, lost_node):
    world.call("ZREM", world.keys.nodes, OTHER_NODE)
    assert judge(world).requeued == [lost_node]


REFUSALS = {
    "its lease runs": lambda world: world.lease(OTHER_NODE, 5_000),
    "the caller's lease is over": lambda world: world.lease(NODE, -1),
    "the caller has none": lambda world: world.call("ZREM", world.keys.nodes, NODE),
    "the caller has been up for less than a lease": lambda world: world.beaten(
        NODE, ms_ago=0, alive_for_ms=LEASE_MS - 10_000
    ),
    "the caller's last beat is more than half a lease old": lambda world: world.beaten(
        NODE, ms_ago=LEASE_MS // 2 + 1, alive_for_ms=10 * LEASE_MS
    ),
    "the caller has never beaten": lambda world: world.call("DEL", world.keys.node(NODE)),
    "the caller's row of beats begins in the future": lambda world: world.beaten(
        NODE, ms_ago=0, alive_for_ms=-60_000
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_nothing_is_taken_over_if(world, lost_node, reason):
    REFUSALS[reason](world)
    before = world.dump()
    assert judge(world) == Recovery([], [], [], [], is_refused=True)
    assert world.dump() == before


def test_after_an_outage_nobody_takes_over_until_somebody_has_beaten_for_a_lease(world, lost_node):
    world.lease(NODE, -1)
    world.beaten(NODE, ms_ago=60_000, alive_for_ms=120_000)
    world.store.beat(NODE, LEASE_MS, b"{}", [])
    assert judge(world).is_refused


def test_a_holder_of_the_own_node_needs_no_judgement(world):
    (job_id,) = world.start()
    assert world.store.recover(HOLDER).requeued == [job_id]
