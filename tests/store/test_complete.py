"""complete: settle runs that succeeded."""

import pytest

from bananasd.store.outcomes import Completed
from tests.store.conftest import HOLDER


def test_a_completed_job_is_kept_for_its_retention_and_its_result_for_another(world):
    (job_id,) = world.start()
    assert world.store.settle([Completed(HOLDER, job_id, 1, b'{"sum":3}')]) == []
    record = world.record(job_id)
    assert (record["status"], record["has_result"], world.kept(job_id)) == ("completed", "1", '{"sum":3}')
    assert 0 < world.call("PTTL", world.keys.result(job_id)) <= world.store.retention.result_ms
    assert int(record["started_at"]) <= int(record["finished_at"]) <= world.now()
    assert 0 < world.ttl(job_id) <= world.store.retention.completed_ms
    assert world.held() == []


def test_no_result_leaves_none(world):
    (job_id,) = world.start()
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    assert ("has_result" in world.record(job_id), world.kept(job_id)) == (False, None)


def test_a_batch_is_settled_in_one_call_and_tells_which_were_refused(world):
    first, second, third = world.start(3)
    world.mark(second, run=7)
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"") for job_id in (first, second, third)]) == [
        second
    ]
    assert [world.status(job_id) for job_id in (first, second, third)] == [
        "completed",
        "processing",
        "completed",
    ]
    assert world.held() == [second]
    assert world.counter("completed") == 2


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 1), (1, 2), (2, 1, 0), (0, 2), (1, 1), (0, 0, 1), (0, 1, 2, 3, 3)]
)
def test_whatever_the_order_each_run_is_settled_once_and_the_others_stay_held(world, order):
    ids = world.start(4)
    refused = world.store.settle([Completed(HOLDER, ids[at], 1, b"") for at in order])
    assert refused == [
        ids[at] for at, before in zip(order, range(len(order)), strict=True) if at in order[:before]
    ]
    assert world.held() == [job_id for at, job_id in enumerate(ids) if at not in order]
    assert world.counter("completed") == len(set(order))


def test_it_changes_nothing_for_a_run_that_is_over(world, stale):
    before = world.dump()
    assert world.store.settle([Completed(*stale, b"2")]) == [stale[1]]
    assert world.dump() == before


def test_the_successful_try_is_counted_with_those_before_it(world):
    first, second = world.start(2)
    world.mark(second, attempts=2)
    world.store.settle([Completed(HOLDER, job_id, 1, b"") for job_id in (first, second)])
    assert [world.record(job_id)["attempts"] for job_id in (first, second)] == ["1", "3"]
