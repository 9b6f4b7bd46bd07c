"""reschedule: give a job that waits another due time."""

from datetime import timedelta

import pytest

from bananasd import ServerRefused
from bananasd.store.doctor import Doctor
from bananasd.store.outcomes import Completed, Retried
from tests.store.conftest import HOLDER, World


def test_a_pending_job_waits_for_its_due_time_and_comes_to_the_end_of_its_lane(world: World) -> None:
    job_id, other = world.submit(2)
    before = world.now()
    assert world.store.reschedule(job_id, "+60000") == (True, "scheduled")
    due_at = int(world.record(job_id)["due_at"])
    assert before + 60_000 <= due_at <= world.now() + 60_000
    assert (world.scheduled(), world.tokens("scheduled")) == ([job_id], 1)
    assert float(world.call("ZSCORE", world.keys.scheduled, job_id)) == due_at
    world.enter()
    assert [job.job_id for job in world.claim(5).jobs] == [other]
    world.call("ZADD", world.keys.scheduled, 1, job_id)
    world.store.promote()
    assert world.ready() == [job_id]
    assert [job.job_id for job in world.claim(5).jobs] == [job_id]
    assert world.record(job_id)["run"] == "1"
    assert world.call("EXISTS", world.keys.moved) == 0


def test_a_job_whose_old_id_lies_before_its_new_one_runs_once(world: World) -> None:
    (job_id,) = world.submit()
    world.store.reschedule(job_id, "+60000")
    assert world.store.reschedule(job_id, "0") == (True, "pending")
    assert (world.ready(), world.scheduled()) == ([job_id, job_id], [])
    world.enter()
    assert [job.job_id for job in world.claim(5).jobs] == [job_id]
    assert (world.ready(), world.call("EXISTS", world.keys.moved)) == ([], 0)


@pytest.mark.parametrize("due", ["0", "+0", "+0.5"])
def test_a_scheduled_job_can_be_had_at_once(world: World, due: str) -> None:
    (job_id,) = world.schedule(60_000)
    world.take_tokens()
    assert world.store.reschedule(job_id, due) == (True, "pending")
    assert (world.ready(), world.scheduled(), world.tokens()) == ([job_id], [], 1)
    assert world.call("EXISTS", world.keys.moved) == 0


def test_a_scheduled_job_is_put_off_or_brought_forward(world: World) -> None:
    first, second = world.schedule(60_000, 90_000)
    world.take_tokens()
    assert world.store.reschedule(first, "+120000") == (True, "scheduled")
    assert (world.scheduled(), world.tokens("scheduled")) == ([second, first], 0)
    assert world.store.reschedule(first, "+1000") == (True, "scheduled")
    assert (world.scheduled(), world.tokens("scheduled")) == ([first, second], 1)


def test_a_job_that_waits_for_its_next_try_is_tried_then(world: World) -> None:
    (job_id,) = world.start()
    world.store.settle([Retried(HOLDER, job_id, 1, 60_000, "no")])
    assert world.store.reschedule(job_id, "0") == (True, "pending")
    (job,) = world.claim().jobs
    assert (job.job_id, job.run, job.attempts) == (job_id, 2, 1)


def test_a_pending_job_that_shall_be_due_is_left_where_it_is(world: World) -> None:
    (job_id,) = world.submit()
    before = world.dump()
    assert world.store.reschedule(job_id, "0") == (False, "pending")
    assert world.dump() == before


def test_a_repeat_leaves_one_id_behind(world: World) -> None:
    (job_id,) = world.submit()
    world.store.reschedule(job_id, "+60000")
    world.store.reschedule(job_id, "+60000")
    assert (world.scheduled(), world.call("HGET", world.keys.moved, job_id)) == ([job_id], b"1")


def test_how_long_it_may_wait_counts_from_the_new_time(world: World) -> None:
    (job_id,) = world.submit(expires_in=60)
    world.mark(job_id, expires_at=10**14)
    world.store.reschedule(job_id, "+3600000")
    record = world.record(job_id)
    assert int(record["expires_at"]) == int(record["due_at"]) + 60_000
    before = world.now()
    world.store.reschedule(job_id, "0")
    assert before + 60_000 <= int(world.record(job_id)["expires_at"]) <= world.now() + 60_000


@pytest.mark.parametrize("due", ["0", "+3600000"])
def test_a_job_whose_time_is_over_has_expired_though_no_claim_has_met_it(world: World, due: str) -> None:
    for job_id in (
        *world.submit(expires_in=60),
        *world.submit(expires_in=60, scheduled_for=timedelta(hours=1)),
    ):
        world.mark(job_id, expires_at=1)
        before = world.dump()
        assert world.store.reschedule(job_id, due) == (False, "expired")
        assert world.dump() == before


@pytest.mark.parametrize("due", ["", "tomorrow", "nan", "-5", "1e3", "9" * 16])
def test_a_time_that_is_none_is_refused_and_nothing_is_done(world: World, due: str) -> None:
    (job_id,) = world.submit()
    before = world.dump()
    with pytest.raises(ServerRefused, match=f"BADDUE .*: {due}"):
        world.store.reschedule(job_id, due)
    assert world.dump() == before


def test_a_job_that_runs_or_has_ended_is_left_as_it_is(world: World) -> None:
    completed, running = world.start(2)
    world.store.settle([Completed(HOLDER, completed, 1, b"")])
    (dead,) = world.kill()
    before = world.dump()
    statuses = [world.store.reschedule(job_id, "+1000") for job_id in (completed, running, dead)]
    assert statuses == [(False, "completed"), (False, "processing"), (False, "failed")]
    assert world.dump() == before


def test_an_unknown_job_has_no_status(world: World) -> None:
    assert world.store.reschedule("00000000-0000-0000-0000-000000000000", "+1000") == (False, "")
    assert world.dump() == {}


@pytest.mark.parametrize("is_dropped", [False, True])
def test_a_rescheduled_job_that_is_cancelled_leaves_no_fault(world: World, is_dropped: bool) -> None:
    (job_id,) = world.submit()
    world.store.reschedule(job_id, "+60000")
    world.store.cancel(job_id)
    assert world.ttl(job_id) > 0
    if is_dropped:
        world.enter()
        assert world.claim().jobs == []
        assert (world.ready(), world.call("EXISTS", world.keys.moved)) == ([], 0)
    assert list(Doctor(world.transport, "test").examine()) == []


def test_who_follows_the_job_is_told(world: World) -> None:
    (job_id,) = world.submit()
    world.store.await_jobs("+b", [job_id])
    world.store.reschedule(job_id, "+60000")
    assert world.mail() == [job_id]
