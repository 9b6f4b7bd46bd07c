"""What is left after a fault: every job has ended, nobody holds anything, and no key is there that none documents."""

import os
import signal
from datetime import timedelta

import pytest

from bananasd import JobRequest, Priority
from tests.conftest import wait_until
from tests.invariants import assert_idle, assert_left

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)

JOBS = 300


def submit(client):
    """Jobs that take a second or two together."""
    return client.submit_many(JobRequest("note", {"seconds": 0.005}) for _ in range(JOBS))


def is_under_way(daemon):
    return len(daemon.entries("end")) > JOBS // 10


def have_all_completed(client):
    return client.queue_stats().counters.get("completed") == JOBS


@pytest.mark.parametrize("slot", ["worker 0", "scheduler", "redis"])
def test_a_child_is_killed_under_load(make_daemon, slot):
    daemon = make_daemon().start()
    with daemon.client() as client:
        job_ids = submit(client)
        wait_until(lambda: is_under_way(daemon))
        (victim,) = (child for child in daemon.children() if child.slot == slot)
        os.kill(victim.pid, signal.SIGKILL)
        # Until the master has seen it the board shows it as it was.
        wait_until(lambda: daemon.is_up() and victim.pid not in [child.pid for child in daemon.children()])
        wait_until(lambda: have_all_completed(client))
    assert {line[1] for line in daemon.entries("end")} == set(job_ids)
    # What one worker had in hand, and nothing else, has begun twice.
    assert len(daemon.entries("start")) <= JOBS + 2
    assert_idle(daemon)
    assert daemon.stop() == 0
    assert daemon.boards() == []


def test_the_master_is_killed_under_load(make_daemon):
    daemon = make_daemon().start()
    with daemon.client() as client:
        job_ids = submit(client)
        wait_until(lambda: is_under_way(daemon))
    daemon.kill()
    assert len(daemon.boards()) == 1
    daemon.start()
    with daemon.client() as client:
        wait_until(lambda: have_all_completed(client))
    assert {line[1] for line in daemon.entries("end")} == set(job_ids)
    assert len(daemon.entries("start")) <= JOBS + 2
    assert_idle(daemon)
    assert daemon.stop() == 0
    assert daemon.boards() == []


def test_the_whole_tree_is_killed_again_and_again(make_daemon, own_server):
    """Each time another daemon begins, it finds what the one before held."""
    daemon = make_daemon(redis_url=own_server.url, settings={"workers": {"max_recoveries": 20}}).start()
    with daemon.client() as client:
        job_ids = submit(client)
        for kill in range(4):
            wait_until(lambda: len(daemon.entries("end")) > JOBS // 10 * (kill + 1))  # noqa: B023
            daemon.kill_all()
            daemon.start()
        wait_until(lambda: have_all_completed(client))
    assert {line[1] for line in daemon.entries("end")} == set(job_ids)
    assert_idle(daemon)
    assert daemon.stop() == 0
    assert_left(own_server.url)


def test_a_server_that_is_full_is_drained(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url, settings={"redis": {"timeout_seconds": 15}}).start()
    with daemon.client() as client:
        submit(client)
        later = client.submit_job_scheduled("note", {}, Priority.HIGH, timedelta(seconds=0.2))
        own_server.call("CONFIG", "SET", "maxmemory", "1")
        wait_until(lambda: client.queue_stats().counters.get("completed") == JOBS + 1)
        assert daemon.entries("end", later)
        assert_idle(daemon)
        assert not daemon.lines("redis lost")
    assert daemon.stop() == 0
    assert_left(own_server.url)


def test_a_namespace_is_emptied_under_a_running_daemon(make_daemon, own_server):
    """Its jobs are gone, that is what FLUSHALL means; the daemon goes on with those that come."""
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        submit(client)
        wait_until(lambda: is_under_way(daemon))
        own_server.call("FLUSHALL")
        job_id = client.submit_job("note", {})
        wait_until(lambda: daemon.entries("end", job_id))
    assert_idle(daemon)
    assert daemon.stop() == 0
    assert_left(own_server.url)
