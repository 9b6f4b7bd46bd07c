"""release: put jobs that did not start, or were interrupted by a drain, back."""

from bananasd.store.outcomes import Released
from tests.store.conftest import HOLDER


def test_released_jobs_are_pending_at_the_front_of_their_lane_in_their_order(world):
    ids = world.start(3)
    later = world.submit(2)
    assert world.store.settle([Released(HOLDER, job_id, 1) for job_id in ids]) == []
    assert world.ready() == ids + later
    assert [world.status(job_id) for job_id in ids] == ["pending"] * 3
    assert world.held() == []


def test_each_goes_to_its_own_lane(world):
    world.enter()
    (high,), (low,) = world.submit(1, "high"), world.submit(1, "low")
    world.claim(2)
    world.store.settle([Released(HOLDER, high, 1), Released(HOLDER, low, 1)])
    assert (world.ready("default:high"), world.ready("default:low")) == ([high], [low])


def test_nothing_is_counted_against_a_released_job_but_its_run_goes_on(world):
    (job_id,) = world.start()
    world.mark(job_id, attempts=1, recoveries=2)
    world.store.settle([Released(HOLDER, job_id, 1)])
    record = world.record(job_id)
    assert (record["attempts"], record["recoveries"], record.get("holder")) == ("1", "2", None)
    assert world.claim().jobs[0].run == 2


def test_it_ensures_one_token_on_each_lane(world):
    ids = world.start(2)
    world.take_tokens()
    world.store.settle([Released(HOLDER, job_id, 1) for job_id in ids])
    assert world.tokens() == 1


def test_the_rest_is_released_when_some_are_refused(world):
    first, second, third = world.start(3)
    world.mark(second, holder="n9/1.1")
    assert world.store.settle([Released(HOLDER, job_id, 1) for job_id in (first, second, third)]) == [second]
    assert world.ready() == [first, third]


def test_it_changes_nothing_for_a_run_that_is_over(world, stale):
    before = world.dump()
    assert world.store.settle([Released(*stale)]) == [stale[1]]
    assert world.dump() == before
