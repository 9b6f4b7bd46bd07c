"""trim: delete dead jobs over age and number, forget stale nodes."""

import pytest

from bananasd.store.store import Retention, Store
from tests.store.conftest import HOLDER, LEASE_MS, NODE, OTHER_NODE

DAY_MS = 86_400_000


@pytest.fixture
def trim(world):
    def trim(dead_ms: int = DAY_MS, dead_count: int = 1000, **limit: int) -> tuple[int, int, int]:
        return Store(world.transport, "test", Retention(dead_ms=dead_ms, dead_count=dead_count)).trim(**limit)

    return trim


def test_dead_jobs_over_age_are_deleted_with_their_records(world, trim):
    old, young = world.kill(2)
    world.age((old, DAY_MS + 1), (young, DAY_MS - 5_000))
    assert trim() == (1, 0, 0)
    assert (world.dead(), world.record(old), world.status(young)) == ([young], {}, "failed")


def test_the_oldest_dead_jobs_over_number_are_deleted(world, trim):
    first, second, third = world.kill(3)
    world.age((first, 10), (second, 30), (third, 20))
    assert trim(dead_count=1) == (0, 2, 0)
    assert (world.dead(), world.record(second), world.record(third)) == ([first], {}, {})


def test_each_trim_is_counted(world, trim):
    jobs = world.kill(4)
    world.age((jobs[0], 2 * DAY_MS))
    assert trim(dead_count=2) == (1, 1, 0)
    assert world.counter("trimmed") == 2


def test_it_deletes_no_more_than_its_limit(world, trim):
    jobs = world.kill(5)
    world.age(*((job_id, 2 * DAY_MS) for job_id in jobs[:3]))
    assert trim(dead_count=0, limit=2) == (2, 0, 0)
    assert trim(dead_count=0, limit=2) == (1, 1, 0)
    assert trim(dead_count=0, limit=2) == (0, 1, 0)
    assert trim(dead_count=0, limit=2) == (0, 0, 0)


def test_within_both_bounds_nothing_is_deleted(world, trim):
    world.kill(2)
    before = world.dump()
    assert trim(dead_count=2) == (0, 0, 0)
    assert world.dump() == before


def test_jobs_that_live_are_none_of_its_business(world, trim):
    world.start(2), world.submit(2), world.schedule(1000)
    before = world.dump()
    assert trim(dead_ms=0, dead_count=0) == (0, 0, 0)
    assert world.dump() == before


def test_what_lives_under_an_id_that_lies_among_the_dead_by_mistake_goes_on(world, trim):
    (pending,) = world.submit()
    world.call("ZADD", world.keys.dead, 1, pending)
    assert trim() == (1, 0, 0)
    assert (world.dead(), world.status(pending)) == ([], "pending")


def test_a_node_is_forgotten_a_day_after_its_lease_ended(world, trim):
    for node, ms in ((NODE, -DAY_MS - 1), (OTHER_NODE, -DAY_MS + 5_000)):
        world.store.beat(node, LEASE_MS, b"{}", [])
        world.lease(node, ms)
    assert trim() == (0, 0, 1)
    assert world.call("ZRANGE", world.keys.nodes, 0, -1) == [OTHER_NODE.encode()]
    assert [world.call("EXISTS", world.keys.node(node)) for node in (NODE, OTHER_NODE)] == [0, 1]


def test_a_node_that_still_has_a_holder_to_recover_is_not_forgotten(world, trim):
    world.enter(HOLDER)
    world.lease(NODE, -2 * DAY_MS)
    assert trim() == (0, 0, 0)
    world.store.recover(HOLDER)
    assert trim() == (0, 0, 1)
