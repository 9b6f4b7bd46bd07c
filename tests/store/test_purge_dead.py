"""purge_dead: delete dead jobs."""


def test_a_purged_job_is_gone_with_its_record(world):
    first, second = world.kill(2)
    assert world.store.purge_dead([first]) == 1
    assert (world.dead(), world.record(first)) == ([second], {})


def test_only_those_that_are_dead_are_deleted(world):
    (dead,), (pending,), (running,) = world.kill(), world.submit(queue="other"), world.start()
    unknown = "00000000-0000-0000-0000-000000000000"
    assert world.store.purge_dead([pending, running, unknown, dead, dead]) == 1
    assert [world.status(job_id) for job_id in (pending, running)] == ["pending", "processing"]


def test_a_job_that_was_brought_back_is_not_deleted(world):
    (job_id,) = world.kill()
    world.store.requeue_dead([job_id])
    assert world.store.purge_dead([job_id]) == 0
    assert world.status(job_id) == "pending"


def test_what_lives_under_an_id_that_lies_there_by_mistake_goes_on(world):
    (dead,), (pending,), (running,) = world.kill(), world.submit(queue="other"), world.start()
    world.call("ZADD", world.keys.dead, 1, pending, 2, running)
    assert world.store.purge_dead([pending, running, dead]) == 1
    assert [world.status(job_id) for job_id in (pending, running)] == ["pending", "processing"]
    assert world.dead() == []


def test_what_is_no_record_is_deleted_too(world):
    first, second = world.kill(2)
    world.call("DEL", world.keys.job(first), world.keys.job(second))
    world.call("SET", world.keys.job(first), "junk")
    assert world.store.purge_dead([first, second]) == 2
    assert (world.dead(), world.call("EXISTS", world.keys.job(first))) == ([], 0)
