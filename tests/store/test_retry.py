"""retry: settle a run that failed and has tries left."""

from datetime import timedelta

from bananasd.store.outcomes import Retried
from tests.store.conftest import HOLDER


def test_a_retried_job_counts_the_attempt_and_comes_back_after_its_delay(world):
    (job_id,) = world.start()
    before = world.now()
    assert world.store.settle([Retried(HOLDER, job_id, 1, 4_000, "ValueError: no")]) == []
    record = world.record(job_id)
    assert (record["status"], record["attempts"], record["error"]) == ("scheduled", "1", "ValueError: no")
    assert before + 4_000 <= int(record["due_at"]) <= world.now() + 4_000
    assert world.call("ZSCORE", world.keys.scheduled, job_id).decode() == record["due_at"]
    assert "holder" not in record
    assert (world.held(), world.ready(), world.ttl(job_id)) == ([], [], -1)


def test_attempts_add_up_over_the_runs(world):
    (job_id,) = world.start()
    for run in (1, 2):
        world.store.settle([Retried(HOLDER, job_id, run, 0, "no")])
        assert world.store.promote() == (1, None)
        (job,) = world.claim().jobs
        assert (job.run, job.attempts) == (run + 1, run)


def test_it_wakes_the_scheduler_only_if_the_job_is_due_before_all_others(world):
    first, second = world.start(2)
    world.submit(scheduled_for=timedelta(seconds=60))
    world.take_tokens()
    world.store.settle([Retried(HOLDER, first, 1, 90_000, "")])
    assert world.tokens("scheduled") == 0
    world.store.settle([Retried(HOLDER, second, 1, 1_000, "")])
    assert world.tokens("scheduled") == 1


def test_it_changes_nothing_for_a_run_that_is_over(world, stale):
    before = world.dump()
    assert world.store.settle([Retried(*stale, 0, "no")]) == [stale[1]]
    assert world.dump() == before
