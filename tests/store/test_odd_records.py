"""What others may have written: ids that are not UTF-8, and records that are damaged while their job runs."""

import pytest

from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.stats import Stats
from bananasd.store.store import Charge
from tests.store.conftest import HOLDER

ODD_ID = b"\xff\xfe id"
SPEC = b'{"v":1,"name":"x","payload":1}'


@pytest.fixture
def odd(server, world):
    """A job whose id is not UTF-8, claimed."""
    prefix = world.store.keys.prefix.encode()
    server.call(
        "HSET", prefix + b"job:" + ODD_ID, "spec", SPEC, "lane", "default:normal", "status", "pending"
    )
    server.call("RPUSH", prefix + b"ready:default:normal", ODD_ID)
    world.enter()
    (claimed,) = world.claim().jobs
    return claimed


@pytest.mark.parametrize(
    "outcome",
    [
        lambda job: Completed(HOLDER, job.job_id, job.run, b""),
        lambda job: Retried(HOLDER, job.job_id, job.run, 10, "x"),
        lambda job: Buried(HOLDER, job.job_id, job.run, "x"),
        lambda job: Released(HOLDER, job.job_id, job.run),
    ],
)
def test_an_id_that_is_not_utf_8_comes_back_to_the_server_as_it_was(world, odd, outcome):
    assert world.store.settle([outcome(odd)]) == []
    assert world.held() == []


def test_such_an_id_is_recovered_listed_and_purged(world, odd, server):
    stats = Stats(world.store._transport, "test")
    assert world.store.recover(HOLDER, Charge.lost(odd.job_id, "x"), max_recoveries=1).dead == [odd.job_id]
    assert [job.id for job in stats.dead_jobs(0, 10)] == stats.dead_ids() == [odd.job_id]
    assert stats.queues().dead == 1
    assert world.store.purge_dead([odd.job_id]) == 1


def test_a_queue_that_is_not_utf_8_is_counted(world, server):
    server.call("SADD", world.store.keys.queues, b"\xff")
    assert len(Stats(world.store._transport, "test").queues().lanes) == 3


def test_counters_that_became_none_count_anew_and_the_job_is_in_one_place(world):
    (job_id,) = world.start()
    world.mark(job_id, attempts="junk", recoveries="junk")
    assert world.store.settle([Retried(HOLDER, job_id, 1, 0, "x")]) == []
    assert (world.status(job_id), world.record(job_id)["attempts"], world.held()) == ("scheduled", "1", [])


@pytest.mark.parametrize("charge", ["lost", "failed"])
def test_they_do_not_hold_up_a_recovery(world, charge):
    (job_id,) = world.start()
    world.mark(job_id, attempts="junk", recoveries="junk")
    world.store.recover(HOLDER, Charge(charge, job_id, "x", 0))
    assert world.status(job_id) in ("pending", "scheduled")
    assert world.held() == []


def test_a_job_that_lost_its_lane_is_released_into_the_default_one(world, server):
    (job_id,) = world.start()
    server.call("HDEL", world.store.keys.job(job_id), "lane")
    assert world.store.settle([Released(HOLDER, job_id, 1)]) == []
    assert world.ready() == [job_id]
