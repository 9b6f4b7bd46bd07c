"""bury: settle a run that failed for good."""

from bananasd.store.outcomes import Buried
from tests.store.conftest import HOLDER


def test_a_buried_job_is_dead_with_its_error_and_stays(world):
    (job_id,) = world.start()
    before = world.now()
    assert world.store.settle([Buried(HOLDER, job_id, 1, "ValueError: no")]) == []
    record = world.record(job_id)
    assert (record["status"], record["attempts"], record["error"]) == ("failed", "1", "ValueError: no")
    assert before <= int(record["finished_at"]) <= world.now()
    assert world.call("ZSCORE", world.keys.dead, job_id).decode() == record["finished_at"]
    assert "holder" not in record
    assert (world.held(), world.ready(), world.scheduled(), world.ttl(job_id)) == ([], [], [], -1)
    assert world.counter("dead") == 1


def test_it_changes_nothing_for_a_run_that_is_over(world, stale):
    before = world.dump()
    assert world.store.settle([Buried(*stale, "no")]) == [stale[1]]
    assert world.dump() == before
