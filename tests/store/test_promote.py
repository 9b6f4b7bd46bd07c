"""promote: move due jobs to their lanes."""

import pytest

from bananasd import JobRequest
from tests.store.conftest import LANE

HOUR_MS = 3_600_000


def test_nothing_scheduled_is_nothing_to_do_and_nothing_to_wait_for(world):
    assert world.store.promote() == (0, None)
    assert world.dump() == {}


def test_a_due_job_becomes_pending_at_the_end_of_its_lane_with_a_token(world):
    (first,), (due,) = world.submit(), world.schedule(-1)
    world.take_tokens()
    assert world.store.promote() == (1, None)
    assert (world.status(due), world.ready(), world.scheduled()) == ("pending", [first, due], [])
    assert world.tokens() == 1


def test_a_future_job_stays_and_its_time_is_told(world):
    world.schedule(HOUR_MS)
    before = world.dump()
    moved, next_ms = world.store.promote()
    assert moved == 0
    assert HOUR_MS - 5_000 < next_ms <= HOUR_MS
    assert world.dump() == before


def test_the_earliest_comes_first(world):
    third, first, second = world.schedule(-10, -30, -20)
    world.store.promote()
    assert world.ready() == [first, second, third]


@pytest.mark.parametrize(("queue", "priority"), [("default", "high"), ("gpu", "normal"), ("gpu", "low")])
def test_queue_and_priority_are_kept(world, queue, priority):
    (job_id,) = world.submit(priority=priority, queue=queue, scheduled_for=_in_an_hour())
    world.call("ZADD", world.keys.scheduled, world.now() - 1, job_id)
    world.store.promote()
    assert world.ready(f"{queue}:{priority}") == [job_id]
    assert world.call("SISMEMBER", world.keys.queues, queue) == 1


def test_it_moves_no_more_than_its_limit_and_says_that_there_is_more(world):
    first, second, third = world.schedule(-3, -2, -1)
    assert world.store.promote(2) == (2, 0)
    assert (world.ready(), world.scheduled()) == ([first, second], [third])
    assert world.store.promote(2) == (1, None)


def test_ten_thousand_that_are_due_at_once_arrive_in_bounded_calls(world):
    requests = [JobRequest("greet", None, scheduled_for=_in_an_hour()) for _ in range(10_000)]
    for i in range(0, len(requests), 1000):
        world.store.submit(requests[i : i + 1000])
    past = world.now() - 1
    world.call(
        "ZADD", world.keys.scheduled, *(word for request in requests for word in (past, request.job_id))
    )
    assert [world.store.promote() for _ in range(40)] == [(250, 0)] * 39 + [(250, None)]
    assert sorted(world.ready()) == sorted(request.job_id for request in requests)


def test_a_cancelled_job_does_not_come_back(world):
    (job_id,) = world.schedule(-1)
    world.store.cancel(job_id)
    assert world.store.promote() == (0, None)
    assert world.status(job_id) == "cancelled"


def test_an_id_whose_job_is_not_scheduled_is_dropped_and_left_as_it_is(world):
    (job_id,) = world.submit()
    world.call("ZADD", world.keys.scheduled, 1, job_id)
    assert world.store.promote() == (1, None)
    assert (world.ready(), world.scheduled(), world.status(job_id)) == ([job_id], [], "pending")


@pytest.mark.parametrize("kind", ["missing", "another type", "no lane"])
def test_an_id_whose_record_cannot_be_read_dies_with_the_reason(world, kind):
    bad, good = world.schedule(-2, -1)
    world.call(*{"no lane": ("HDEL", world.keys.job(bad), "lane")}.get(kind, ("DEL", world.keys.job(bad))))
    if kind == "another type":
        world.call("SET", world.keys.job(bad), "x")
    assert world.store.promote() == (2, None)
    record = world.record(bad)
    assert (world.dead(), world.ready(), record["status"], record["lane"]) == ([bad], [good], "failed", LANE)
    assert "unreadable" in record["error"]


def _in_an_hour():
    from datetime import timedelta

    return timedelta(hours=1)
