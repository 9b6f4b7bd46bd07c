"""enter: admit a holder."""

import pytest

from tests.store.conftest import HOLDER, LEASE_MS, NODE


def lease_left_ms(world) -> float:
    return float(world.call("ZSCORE", world.keys.nodes, NODE)) - world.now()


def test_an_admitted_holder_may_claim(world):
    (job_id,) = world.submit()
    assert world.claim().is_gone
    world.enter()
    assert [job.job_id for job in world.claim().jobs] == [job_id]


@pytest.mark.parametrize("ended_ms_ago", [None, 1, 3_600_000])
def test_a_node_without_a_running_lease_is_granted_one(world, ended_ms_ago):
    if ended_ms_ago:
        world.lease(NODE, -ended_ms_ago)
    world.enter()
    assert LEASE_MS - 5_000 < lease_left_ms(world) <= LEASE_MS


@pytest.mark.parametrize("left_ms", [5_000, 60_000])
def test_a_lease_that_runs_is_left_as_it_is(world, left_ms):
    world.lease(NODE, left_ms)
    before = world.call("ZSCORE", world.keys.nodes, NODE)
    world.enter()
    assert world.call("ZSCORE", world.keys.nodes, NODE) == before


def test_entering_twice_changes_nothing_more(world):
    world.enter()
    before = world.dump()
    world.enter()
    assert world.dump() == before
    assert world.store.holders() == [HOLDER]


def test_the_latest_policies_of_its_handlers_are_kept(world):
    world.store.enter(HOLDER, NODE, LEASE_MS, {"mail": b'{"max_retries":1}', "scan": b"{}"})
    world.store.enter(HOLDER, NODE, LEASE_MS, {"mail": b'{"max_retries":2}'})
    policies = [world.store.handler_policy(name) for name in ("mail", "scan", "other")]
    assert policies == [b'{"max_retries":2}', b"{}", None]
