"""requeue_dead: bring dead jobs back."""

from bananasd.store.outcomes import Buried, Completed
from tests.store.conftest import HOLDER


def test_a_dead_job_comes_back_to_the_end_of_its_lane_with_a_token(world):
    (dead,), (first,) = world.kill(), world.submit()
    world.take_tokens()
    assert world.store.requeue_dead([dead]) == [dead]
    assert (world.ready(), world.dead(), world.tokens()) == ([first, dead], [], 1)
    record = world.record(dead)
    assert record["status"] == "pending"
    assert record.keys().isdisjoint({"attempts", "recoveries", "finished_at", "progress"})


def test_attempts_and_recoveries_begin_anew_but_the_run_goes_on(world):
    (dead,) = world.kill()
    world.mark(dead, attempts=6, recoveries=3, run=9)
    world.store.requeue_dead([dead])
    (job,) = world.claim().jobs
    assert (job.attempts, job.recoveries, job.run) == (0, 0, 10)


def test_a_worker_of_the_old_life_cannot_settle_the_new_one(world):
    (dead,) = world.kill()
    world.store.requeue_dead([dead])
    world.claim()
    assert world.store.settle([Completed(HOLDER, dead, 1, b"")]) == [dead]
    assert world.status(dead) == "processing"


def test_why_it_died_is_told_for_a_minute_more_to_those_who_waited_and_then_no_more(world):
    (job_id,) = world.submit()
    world.store.await_jobs("b", [job_id])
    world.enter()
    world.claim()
    world.store.settle([Buried(HOLDER, job_id, 1, "boom")])
    world.store.requeue_dead([job_id])
    assert 0 < world.call("PTTL", world.keys.result(job_id)) <= 60_000


def test_only_those_that_are_dead_come_back(world):
    (dead,), (pending,), (running,) = world.kill(), world.submit(queue="other"), world.start()
    unknown = "00000000-0000-0000-0000-000000000000"
    assert world.store.requeue_dead([pending, dead, running, unknown]) == [dead]
    assert [world.status(job_id) for job_id in (pending, dead, running, unknown)] == [
        "pending",
        "pending",
        "processing",
        "",
    ]


def test_a_repeat_brings_nothing_back_twice(world):
    (dead,) = world.kill()
    world.store.requeue_dead([dead])
    before = world.dump()
    assert world.store.requeue_dead([dead, dead]) == []
    assert world.dump() == before


def test_a_job_whose_spec_is_lost_stays_dead(world):
    (lost,) = world.submit()
    world.call("DEL", world.keys.job(lost))
    world.enter()
    world.claim()
    assert world.store.requeue_dead([lost]) == []
    assert (world.dead(), world.status(lost)) == ([lost], "failed")


def test_what_is_no_record_does_not_keep_others_from_coming_back(world):
    odd, dead = world.kill(2)
    world.call("DEL", world.keys.job(odd))
    world.call("SET", world.keys.job(odd), "junk")
    assert world.store.requeue_dead([odd, dead]) == [dead]
    assert world.dead() == [odd]


def test_a_job_that_comes_back_may_wait_for_as_long_as_when_it_was_new(world):
    before = world.now()
    (dead,) = world.kill()
    world.mark(dead, expires_in=60_000, expires_at=1)
    world.store.requeue_dead([dead])
    assert before + 60_000 <= int(world.record(dead)["expires_at"]) <= world.now() + 60_000
    assert [job.job_id for job in world.claim().jobs] == [dead]
