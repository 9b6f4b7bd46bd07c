"""claim: move pending jobs from the lanes to a holder."""

import re

import pytest

from bananasd import JobRequest
from bananasd.store.claims import Claim, Claimed
from bananasd.store.outcomes import Completed, Retried
from tests.store.conftest import HOLDER, LANE, NODE, OTHER

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def holder(world) -> str:
    return world.enter()


def ids(claim: Claim) -> list[str]:
    return [job.job_id for job in claim.jobs]


def test_a_claimed_job_is_held_and_comes_with_all_that_its_worker_needs(world):
    request = JobRequest("greet", {"to": "José"}, "low", queue="mail")
    world.store.submit([request])
    world.mark(request.job_id, attempts=2, due_at=1234)
    before = world.now()
    (job,) = world.claim(queues=("default", "mail")).jobs
    record = world.record(request.job_id)
    started = int(record["started_at"])
    assert job == Claimed("mail:low", request.job_id, 1, request.spec, 2, 0, 1234, started)
    assert (record["status"], record["holder"], record["run"]) == ("processing", HOLDER, "1")
    assert before <= started <= world.now()
    assert world.held() == [request.job_id]
    assert world.ready("mail:low") == []


def test_jobs_come_and_are_held_in_the_order_of_their_lane(world):
    wanted = world.submit(5)
    assert ids(world.claim(3)) == wanted[:3]
    assert ids(world.claim(3)) == wanted[3:]
    assert world.held() == wanted


def test_high_comes_before_normal_before_low_whatever_came_first(world):
    low, normal, high = (world.submit(2, priority) for priority in ("low", "normal", "high"))
    assert ids(world.claim(6)) == high + normal + low


def test_priority_comes_before_the_order_of_queues(world):
    made = {(q, p): world.submit(1, p, q) for p in ("low", "normal", "high") for q in ("b", "a")}
    order = [("a", "high"), ("b", "high"), ("a", "normal"), ("b", "normal"), ("a", "low"), ("b", "low")]
    assert ids(world.claim(6, queues=("a", "b"))) == [made[lane][0] for lane in order]


def test_queues_that_are_not_asked_for_are_left_alone(world):
    world.submit(queue="gpu")
    assert world.claim().jobs == []
    assert len(world.ready("gpu:normal")) == 1


def test_nothing_to_do_is_no_reason_to_look_again(world):
    assert world.claim(10) == Claim([])
    assert world.tokens() == 0


def test_each_claim_is_a_run_of_its_own(world):
    world.submit()
    for run in (1, 2, 3):
        assert [job.run for job in world.claim().jobs] == [run]
        world.store.recover(HOLDER)
        world.enter()


# Who may claim


def test_a_holder_that_was_never_admitted_is_gone_and_moves_nothing(world):
    world.submit()
    before = world.dump()
    assert world.claim(holder=OTHER) == Claim([], is_gone=True)
    assert world.dump() == before


def test_a_holder_whose_nodes_lease_has_ended_is_gone_and_moves_nothing(world):
    world.submit()
    world.lease(NODE, -1)
    before = world.dump()
    assert world.claim() == Claim([], is_gone=True)
    assert world.dump() == before


def test_a_holder_whose_node_has_left_is_gone(world):
    world.submit()
    world.store.leave(NODE)
    assert world.claim().is_gone


def test_a_late_claim_of_a_recovered_holder_moves_nothing(world):
    world.submit()
    world.store.recover(HOLDER)
    before = world.dump()
    assert world.claim().is_gone
    assert world.dump() == before


def test_what_comes_with_the_claim_of_a_gone_holder_is_settled_all_the_same(world):
    (job_id,) = world.start()
    world.lease(NODE, -1)
    refused, claim = world.store.settle_and_claim([Completed(HOLDER, job_id, 1, b"")], HOLDER, NODE, [], 1)
    assert (refused, claim.is_gone, world.status(job_id)) == ([], True, "completed")


# Tombstones and broken records


def test_a_cancelled_id_is_dropped_and_its_record_then_gets_its_retention(world):
    cancelled, wanted = world.submit(2)
    world.store.cancel(cancelled)
    assert world.ttl(cancelled) == -1
    assert ids(world.claim(2)) == [wanted]
    assert 0 < world.ttl(cancelled) <= world.store.retention.completed_ms
    assert world.held() == [wanted]


@pytest.mark.parametrize("status", ["processing", "completed", "failed", "scheduled"])
def test_an_id_whose_job_is_not_pending_is_dropped_and_left_as_it_is(world, status):
    (job_id,) = world.submit()
    world.mark(job_id, status=status)
    before = world.record(job_id)
    assert world.claim().jobs == []
    assert world.ready() == []
    assert (world.record(job_id), world.ttl(job_id)) == (before, -1)


BROKEN = {
    "missing": lambda world, job_id: world.call("DEL", world.keys.job(job_id)),
    "another type": lambda world, job_id: (
        world.call("DEL", world.keys.job(job_id)) + world.call("RPUSH", world.keys.job(job_id), "x")
    ),
    "no status": lambda world, job_id: world.call("HDEL", world.keys.job(job_id), "status"),
    "no spec": lambda world, job_id: world.call("HDEL", world.keys.job(job_id), "spec"),
    "no lane": lambda world, job_id: world.call("HDEL", world.keys.job(job_id), "lane"),
    "a run that is no number": lambda world, job_id: world.mark(job_id, run="x"),
    "attempts that are no number": lambda world, job_id: world.mark(job_id, attempts="1.5"),
    "recoveries that are no number": lambda world, job_id: world.mark(job_id, recoveries="many"),
    "a run of more digits than a number keeps": lambda world, job_id: world.mark(job_id, run="9" * 20),
    "attempts of thousands of digits": lambda world, job_id: world.mark(job_id, attempts="9" * 5000),
    "a time to expire that is none": lambda world, job_id: world.mark(job_id, expires_at="soon"),
    "a due time that is none": lambda world, job_id: world.mark(job_id, due_at="soon"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_record_that_cannot_be_read_is_buried_with_the_reason_and_the_next_job_claimed(world, broken):
    bad, good = world.submit(2)
    BROKEN[broken](world, bad)
    world.call("PEXPIRE", world.keys.job(bad), 60_000)
    assert ids(world.claim(2)) == [good]
    assert world.dead() == [bad]
    record = world.record(bad)
    assert (record["status"], record["lane"]) == ("failed", LANE)
    assert "unreadable" in record["error"]
    assert world.ttl(bad) == -1


# Jobs that have waited for too long


def test_a_job_that_may_not_begin_any_more_ends_as_expired_and_the_next_one_is_claimed(world):
    late, wanted = world.submit(2, expires_in=60)
    world.mark(late, expires_at=world.now() - 1)
    assert ids(world.claim(2)) == [wanted]
    record = world.record(late)
    assert (record["status"], "run" in record, world.counter("expired")) == ("expired", False, 1)
    assert int(record["finished_at"]) <= world.now()
    assert 0 < world.ttl(late) <= world.store.retention.completed_ms
    assert (world.ready(), world.held(), world.dead()) == ([], [wanted], [])


def test_a_job_that_somebody_put_into_another_lane_does_not_expire_before_its_time(world):
    (job_id,) = world.submit(expires_in=60)
    world.call("LMOVE", world.keys.ready(LANE), world.keys.ready("default:high"), "LEFT", "RIGHT")
    assert [job.job_id for job in world.claim().jobs] == [job_id]
    assert world.status(job_id) == "processing"


def test_jobs_that_have_expired_are_counted_though_nothing_is_claimed(world):
    late = world.submit(3, expires_in=60)
    for job_id in late:
        world.mark(job_id, expires_at=1)
    world.take_tokens()
    assert world.claim(1) == Claim([])
    assert (world.counter("expired"), world.tokens()) == (3, 0)


def test_a_job_that_waits_for_another_try_expires_too(world):
    (job_id,) = world.start(expires_in=60)
    world.store.settle([Retried(HOLDER, job_id, 1, 0, "no")])
    world.store.promote()
    world.mark(job_id, expires_at=1)
    assert world.claim() == Claim([])
    assert (world.status(job_id), world.record(job_id)["attempts"]) == ("expired", "1")


def test_a_job_that_runs_when_its_time_is_over_ends_as_ever(world):
    (job_id,) = world.start(expires_in=60)
    world.mark(job_id, expires_at=1)
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"")]) == []
    assert world.status(job_id) == "completed"


def test_a_cancelled_job_does_not_expire(world):
    (job_id,) = world.submit(expires_in=60)
    world.store.cancel(job_id)
    world.mark(job_id, expires_at=1)
    world.claim()
    assert (world.status(job_id), world.counter("expired")) == ("cancelled", 0)


def test_after_five_hundred_that_have_expired_it_asks_to_be_called_again(world):
    late = world.submit(501, expires_in=60)
    for job_id in late:
        world.mark(job_id, expires_at=1)
    assert world.claim() == Claim([], is_cut=True)
    assert world.ready() == late[500:]


@pytest.mark.parametrize(("want", "taken"), [(-3, 1), (0, 1), (1, 1), (999, 999), (5000, 1000)])
def test_however_many_are_wanted_it_takes_one_to_a_thousand(world, want, taken):
    wanted = world.submit(1002)
    assert ids(world.claim(want)) == wanted[:taken] == world.held()
    assert world.ready() == wanted[taken:]


# What it costs


def commands_of(world, call) -> int:
    """How many commands a script has called."""
    world.call("CONFIG", "RESETSTAT")
    call()
    stats = re.findall(r"cmdstat_(\w+)\S*:calls=(\d+)", world.call("INFO", "commandstats").decode())
    return sum(int(count) for name, count in stats if name not in ("evalsha", "eval", "config", "info"))


@pytest.mark.parametrize(
    ("priority", "jobs", "want", "before"),
    [("high", 0, 1, 6), ("high", 1, 1, 10), ("high", 2, 1, 11), ("normal", 1, 1, 11), ("normal", 2, 1, 12),
     ("normal", 65, 64, 139), ("low", 1, 64, 13), ("low", 5, 1, 13)],
)  # fmt: skip
def test_that_queues_may_be_paused_and_jobs_expire_costs_no_command(world, priority, jobs, want, before):
    """``before``: how many it were when nothing of that was there."""
    world.claim()  # the script is known now
    world.submit(jobs, priority)
    assert commands_of(world, lambda: world.claim(want)) <= before
    assert len(world.ready(f"default:{priority}")) == max(0, jobs - want)


def test_jobs_that_may_expire_cost_no_more_than_others(world):
    costs = []
    for options in ({}, {"expires_in": 60}):
        world.submit(1)
        world.claim()  # the script is known now
        world.submit(10, **options)
        costs.append(commands_of(world, lambda: world.claim(10)))
    assert costs[0] == costs[1]


# Suspects


def test_a_suspect_is_claimed_alone(world):
    suspect, *others = world.submit(3)
    world.mark(suspect, recoveries=1)
    (job,) = world.claim(3).jobs
    assert (job.job_id, job.recoveries) == (suspect, 1)
    assert ids(world.claim(3)) == others


def test_a_job_that_was_never_lost_is_no_suspect(world):
    wanted = world.submit(2)
    for job_id in wanted:
        world.mark(job_id, recoveries=0)
    assert ids(world.claim(2)) == wanted


def test_a_batch_ends_before_a_suspect(world):
    first, suspect, last = world.submit(3)
    world.mark(suspect, recoveries=1)
    assert ids(world.claim(3)) == [first]
    assert world.ready() == [suspect, last]
    assert world.status(suspect) == "pending"
    assert world.tokens() == 1


def test_a_batch_ends_before_a_suspect_of_another_lane_too(world):
    (first,), (suspect,), (last,) = (world.submit(1, priority) for priority in ("high", "normal", "low"))
    world.mark(suspect, recoveries=1)
    assert ids(world.claim(3)) == [first]
    assert ids(world.claim(3)) == [suspect]
    assert ids(world.claim(3)) == [last]


# Bounds


def test_it_takes_no_more_than_a_mebibyte_of_specs(world):
    requests = [JobRequest("greet", "x" * (MIB // 4)) for _ in range(6)]
    world.store.submit(requests)
    assert ids(world.claim(6)) == [request.job_id for request in requests[:4]]
    assert len(ids(world.claim(6))) == 2


def test_the_largest_jobs_are_claimed_one_by_one(world):
    requests = [JobRequest("greet", "x" * (MIB - 2)) for _ in range(2)]
    world.store.submit(requests)
    assert [ids(world.claim(2)) for _ in range(2)] == [[request.job_id] for request in requests]


def test_after_a_thousand_ids_without_a_job_it_asks_to_be_called_again(world):
    cancelled, wanted = world.submit(1500, "high"), world.submit()
    for job_id in cancelled:
        world.mark(job_id, status="cancelled")
    world.take_tokens()
    assert world.claim() == Claim([], is_cut=True)
    assert world.ready("default:high") == cancelled[1000:]
    assert world.tokens("default:high") == 0
    assert ids(world.claim()) == wanted


def test_after_two_hundred_ids_without_a_record_it_asks_to_be_called_again(world):
    """To bury one takes five times as long as to drop one."""
    unreadable = world.submit(201)
    world.call("DEL", *map(world.keys.job, unreadable))
    assert world.claim() == Claim([], is_cut=True)
    assert world.ready() == unreadable[200:]
    assert world.claim() == Claim([])
    assert set(world.dead()) == set(unreadable)


def test_what_was_taken_before_the_thousandth_id_is_returned(world):
    first, *cancelled = world.submit(1200)
    for job_id in cancelled:
        world.mark(job_id, status="cancelled")
    assert ids(world.claim(2)) == [first]
    assert len(world.ready()) == 200


# Tokens


def test_a_claim_that_took_something_ensures_a_token_on_each_of_its_lanes_that_is_not_empty(world):
    for priority in ("high", "normal"):
        world.submit(2, priority)
    world.submit(1, "low", "other")
    world.take_tokens()
    world.claim()
    lanes = ("default:high", "default:normal", "default:low", "other:low")
    assert [world.tokens(lane) for lane in lanes] == [1, 1, 0, 0]
    world.claim(2)
    assert [world.tokens(lane) for lane in lanes] == [1, 1, 0, 0]


def test_a_claim_that_took_nothing_pushes_no_token(world):
    (job_id,) = world.submit()
    world.store.cancel(job_id)
    world.take_tokens()
    assert world.claim().jobs == []
    assert world.tokens() == 0
