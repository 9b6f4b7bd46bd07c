"""cancel: end a job that has not started."""

from bananasd.store.outcomes import Completed, Retried
from tests.store.conftest import HOLDER


def test_a_pending_job_is_cancelled_and_its_record_stays_until_its_id_is_dropped(world):
    (job_id,) = world.submit()
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert (world.status(job_id), world.ready(), world.ttl(job_id)) == ("cancelled", [job_id], -1)
    assert int(world.record(job_id)["finished_at"]) <= world.now()
    world.enter()
    assert world.claim().jobs == []
    assert world.ttl(job_id) > 0


def test_a_scheduled_job_is_cancelled_and_its_record_expires(world):
    (job_id,) = world.schedule(60_000)
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert world.scheduled() == []
    assert 0 < world.ttl(job_id) <= world.store.retention.completed_ms


def test_a_job_that_waits_for_its_next_attempt_can_be_cancelled(world):
    (job_id,) = world.start()
    world.store.settle([Retried(HOLDER, job_id, 1, 0, "")])
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert world.store.promote() == (0, None)


def test_a_running_job_is_left_as_it_is(world):
    (job_id,) = world.start()
    before = world.dump()
    assert world.store.cancel(job_id) == (False, "processing")
    assert world.dump() == before


def test_an_ended_job_is_left_as_it_is(world):
    (completed,) = world.start()
    world.store.settle([Completed(HOLDER, completed, 1, b"")])
    (dead,) = world.kill()
    before = world.dump()
    assert world.store.cancel(completed) == (False, "completed")
    assert world.store.cancel(dead) == (False, "failed")
    assert world.dump() == before


def test_a_repeat_says_that_it_is_cancelled(world):
    (job_id,) = world.submit()
    world.store.cancel(job_id)
    before = world.dump()
    assert world.store.cancel(job_id) == (False, "cancelled")
    assert world.dump() == before
    assert world.counter("cancelled") == 1


def test_an_unknown_job_has_no_status(world):
    assert world.store.cancel("00000000-0000-0000-0000-000000000000") == (False, "")
    assert world.dump() == {}
