"""enter: admit a holder."""

import json

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


def handlers_of(world, node: str = NODE) -> bytes | None:
    return world.call("HGET", world.keys.node(node), "handlers")


def test_a_node_tells_which_handlers_its_latest_worker_has_loaded(world):
    world.store.enter(HOLDER, NODE, LEASE_MS, {"mail": b"{}", "scan": b"{}"})
    assert sorted(json.loads(handlers_of(world))) == ["mail", "scan"]
    world.store.enter("n1/2.1", NODE, LEASE_MS, {"mail": b"{}"})
    assert json.loads(handlers_of(world)) == ["mail"]
    world.store.leave(NODE)
    assert handlers_of(world) is None


def test_a_worker_that_was_replaced_tells_nothing_new_when_it_enters_once_more(world):
    world.store.enter("n1/12.1", NODE, LEASE_MS, {"new": b"{}"})
    world.store.enter("n1/9.2", NODE, LEASE_MS, {"old": b"{}"})
    assert json.loads(handlers_of(world)) == ["new"]


def test_a_damaged_row_of_its_node_keeps_no_worker_out(world):
    world.call("SET", world.keys.node(NODE), "no hash")
    (job_id,) = world.submit()
    world.enter()
    assert [job.job_id for job in world.claim().jobs] == [job_id]
