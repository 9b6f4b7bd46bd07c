"""explain: the facts about a job, as they are at one instant."""

import json
from math import inf

import pytest

from bananasd.job import Status
from bananasd.retry import RetryPolicy
from bananasd.store import facts as facts_module
from bananasd.store.facts import Facts, find_facts
from bananasd.store.node_rows import Child
from bananasd.store.outcomes import Retried
from tests.store.conftest import HOLDER, LEASE_MS, NODE, OTHER, OTHER_NODE

NO_JOB = "00000000-0000-0000-0000-000000000000"


def ask(world, job_id: str) -> Facts:
    return find_facts(world.transport, "test", job_id)


def beat(world, node: str = NODE, **about) -> None:
    world.store.beat(node, LEASE_MS, json.dumps(about).encode(), [])


def test_of_a_job_that_is_not_there_nothing_is_told(world):
    facts = ask(world, NO_JOB)
    assert facts == Facts(NO_JOB, facts.now_ms)
    assert abs(facts.now_ms - world.now()) < 5_000


def test_it_changes_nothing(world):
    ids = [*world.start(), *world.kill(), *world.schedule(1_000), *world.submit()]
    beat(world)
    before = world.dump()
    assert len({ask(world, job_id).job.status for job_id in ids}) == 4
    assert world.dump() == before


def test_the_place_of_a_job_is_how_many_are_before_it_in_its_lane(world):
    ids = world.submit(3)
    assert [ask(world, job_id).place for job_id in ids] == [0, 1, 2]
    assert {ask(world, job_id).length for job_id in ids} == {3}


def test_jobs_of_higher_priority_in_its_queue_come_first(world):
    world.submit(5, "high", "gpu")
    (high,), (normal,), (low,) = world.submit(priority="high"), world.submit(), world.submit(priority="low")
    assert [ask(world, job_id).higher for job_id in (high, normal, low)] == [0, 1, 2]


def test_a_lane_is_looked_through_only_so_far(world, monkeypatch):
    monkeypatch.setattr(facts_module, "MAX_LOOK", 2)
    ids = world.submit(4)
    assert [ask(world, job_id).place for job_id in ids] == [0, 1, None, None]
    assert ask(world, ids[3]).length == 4


def test_a_job_that_is_in_no_lane_has_no_place(world):
    (job_id,) = world.submit()
    world.call("DEL", world.keys.prefix + "ready:default:normal")
    assert (ask(world, job_id).place, ask(world, job_id).length) == (None, 0)


def test_a_job_that_was_moved_has_left_its_id_behind(world):
    (job_id,) = world.submit()
    world.store.reprioritise(job_id, "high", "gpu")
    facts = ask(world, job_id)
    assert (facts.left_behind, facts.job.lane, facts.place) == (1, "gpu:high", 0)


@pytest.mark.parametrize(("name", "of_queue", "of_all"), [("default", True, False), ("*", False, True), ("gpu", False, False)])  # fmt: skip
def test_a_pause_is_that_of_its_queue_or_of_everything(world, name, of_queue, of_all):
    (job_id,) = world.submit()
    world.store.pause(name, None)
    facts = ask(world, job_id)
    assert (facts.queue_pause, facts.whole_pause) == (inf if of_queue else None, inf if of_all else None)


def test_a_pause_for_a_time_has_its_end_and_one_that_is_over_is_none(world):
    (job_id,) = world.submit()
    world.store.pause("default", 60_000)
    assert 0 < ask(world, job_id).queue_pause - world.now() <= 60_000
    world.call("ZADD", world.keys.paused, world.now() - 1, "default")
    assert ask(world, job_id).queue_pause is None


def test_live_nodes_are_those_whose_lease_runs_with_what_they_tell(world):
    (job_id,) = world.submit()
    world.store.enter(HOLDER, NODE, LEASE_MS, {"greet": b"{}"})
    child = {"slot": "worker 3", "generation": 7, "job": {"id": job_id, "name": "greet"}}
    beat(world, lanes={"default:normal": 2}, children=[child], max_retries=4)
    beat(world, OTHER_NODE), world.lease(OTHER_NODE, -1)
    (node,) = ask(world, job_id).live
    assert (node.name, node.lanes, node.handlers, node.max_retries) == (
        NODE,
        {"default:normal": 2},
        {"greet"},
        4,
    )
    assert node.children == (Child("worker 3", 7, job_id),)
    assert node.lease_ms == LEASE_MS


@pytest.mark.parametrize("about", [b"", b"{", b"3", b'{"lanes": 3, "children": 5, "max_retries": "x"}', b'{"children": [1, {"job": 3, "generation": "x"}]}'])  # fmt: skip
def test_what_a_node_tells_in_other_words_is_left_out(world, about):
    (job_id,) = world.submit()
    world.store.beat(NODE, LEASE_MS, about, [])
    world.call("HSET", world.keys.node(NODE), "handlers", "x", "counted", b"\xff x 3", "beat_at", "never")
    (node,) = ask(world, job_id).live
    assert (node.lanes, node.handlers, node.max_retries, node.counted, node.lease_ms) == (
        {},
        None,
        None,
        (),
        0,
    )
    assert all((child.generation, child.job_id) == (None, "") for child in node.children)


def test_a_worker_without_handlers_has_loaded_none(world):
    (job_id,) = world.submit()
    world.enter()
    assert ask(world, job_id).live[0].handlers == frozenset()


def test_of_a_job_that_runs_its_place_in_the_hand_of_its_holder_is_told(world):
    first, second = world.start(2)
    assert [ask(world, job_id).held_place for job_id in (first, second)] == [0, 1]
    facts = ask(world, second)
    assert (facts.job.status, facts.is_admitted, facts.home.name) == (Status.PROCESSING, True, NODE)
    world.call("SREM", world.keys.holders, HOLDER)
    assert not ask(world, second).is_admitted


def test_the_node_of_its_holder_is_told_though_its_lease_is_over(world):
    (job_id,) = world.start()
    world.start(holder=OTHER), world.lease(NODE, -4_000)
    facts = ask(world, job_id)
    assert [node.name for node in facts.live] == [OTHER_NODE]
    assert -15_000 < facts.home.lease_ends_ms - facts.now_ms <= -4_000
    world.call("ZREM", world.keys.nodes, NODE)
    assert ask(world, job_id).home.lease_ends_ms == 0


def test_whether_it_was_told_to_end_is_told(world):
    (job_id,) = world.start()
    world.store.cancel(job_id, "soft")
    assert ask(world, job_id).told == "soft"


def test_a_scheduled_job_is_looked_for_where_it_would_be_found_due(world):
    (job_id,) = world.schedule(60_000)
    assert ask(world, job_id).is_scheduled
    world.call("DEL", world.keys.scheduled)
    assert not ask(world, job_id).is_scheduled


def test_what_its_handler_says_of_retries_is_told_of_a_job_that_has_failed(world):
    (job_id,) = world.submit()
    world.store.enter(HOLDER, NODE, LEASE_MS, {"greet": b'{"max_retries": 7, "retry": null}'})
    world.claim()
    world.store.settle([Retried(HOLDER, job_id, 1, 60_000, "no")])
    assert ask(world, job_id).declared == RetryPolicy(7, None)
    world.call("HSET", world.keys.handlers, "greet", "{")
    assert ask(world, job_id).declared == RetryPolicy()


def test_how_many_end_a_second_is_what_a_node_has_kept_beside_what_is_counted_now(world):
    (job_id,) = world.submit()
    assert ask(world, job_id).ended_per_second is None
    beat(world)
    ago = world.now() - 10_000
    world.call("HSET", world.keys.node(NODE), "counted_before", f"{ago} completed 100 dead 1")
    for counter, number in {"completed": 150, "retried": 20, "dead": 1, "submitted": 9999}.items():
        world.call("HSET", world.keys.stats, counter, number)
    ended_per_second = ask(world, job_id).ended_per_second
    assert 70_000 / (world.now() - ago) <= ended_per_second <= 7


def test_damaged_keys_read_as_if_they_were_not_there(world):
    (job_id,) = world.submit()
    for key in (world.keys.paused, world.keys.moved, world.keys.stats, world.keys.nodes, world.keys.holders):
        world.call("DEL", key), world.call("SET", key, "x")
    facts = ask(world, job_id)
    assert (facts.place, facts.left_behind, list(facts.live)) == (0, 0, [])
