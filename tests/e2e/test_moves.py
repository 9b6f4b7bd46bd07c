"""Jobs that are moved while daemons work and die."""

import itertools
import os
import signal
from datetime import timedelta

import pytest

from bananasd import JobNotWaiting, JobRequest, Priority, Status
from tests.conftest import wait_until
from tests.invariants import KEYS, Look

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)


def hold(client, tmp_path, name="go"):
    """A job that runs until it is let go."""
    job_id = client.submit_job("hold", {"until": str(tmp_path / name)}, Priority.HIGH)
    wait_until(lambda: client.get_job(job_id).status is Status.PROCESSING)
    return job_id


def test_a_job_that_is_given_high_priority_overtakes_and_one_that_is_put_off_comes_last(
    make_daemon, tmp_path
):
    daemon = make_daemon(settings={"workers": {"count": 1, "grace_seconds": 1}}).start()
    with daemon.client() as client:
        hold(client, tmp_path)
        put_off, *others, urgent = (client.submit_job("note", {}) for _ in range(5))
        client.reprioritise(urgent, Priority.HIGH)
        client.reschedule(put_off, timedelta(seconds=1.5))
        (tmp_path / "go").touch()
        assert client.wait(put_off, 10).status is Status.COMPLETED
        assert [line[1] for line in daemon.entries("start")[1:]] == [urgent, *others, put_off]
        wait_until(lambda: Look(daemon.url).call("EXISTS", KEYS.moved) == 0)
    assert Look(daemon.url).complaints() == []


def test_jobs_that_are_moved_to_and_fro_while_workers_are_killed_run_once_each(make_daemon):
    """Each run is complete or lost with its worker: whatever was moved, none is doubled, none vanishes."""
    daemon = make_daemon(
        settings={"workers": {"count": 2, "grace_seconds": 1, "max_recoveries": 100}}
    ).start()
    with daemon.client() as client:
        client.pause()
        ids = client.submit_many([JobRequest("note", {"seconds": 0.01}) for _ in range(300)])
        ways = itertools.cycle(
            [Priority.HIGH, Priority.LOW, Priority.NORMAL, timedelta(0), timedelta(seconds=0.1)]
        )
        moved = 0
        for n, (job_id, way) in enumerate(
            zip(itertools.chain(ids[::-1], ids[::-1], ids[::-1]), ways, strict=False)
        ):
            moved += move(client, job_id, way)
            if n == 200:  # by now enough have been moved, however fast the workers are
                client.resume()
            if n % 150 == 149:
                kill_a_worker(daemon)
        assert moved > 100
        assert {client.wait(job_id, 30).status for job_id in ids} == {Status.COMPLETED}
        for job_id in ids:
            job = client.get_job(job_id)
            # Of a run that was lost, too, something may stand in the ledger.
            assert (job.attempts, len(daemon.entries("end", job_id)) <= 1 + job.recoveries) == (1, True)
            assert len(daemon.entries("start", job_id)) <= job.run
        wait_until(lambda: Look(daemon.url).call("EXISTS", KEYS.moved) == 0 and not Look(daemon.url).ready())
    assert Look(daemon.url).complaints() == []


def move(client, job_id, way):
    try:
        return (
            client.reschedule(job_id, way) if isinstance(way, timedelta) else client.reprioritise(job_id, way)
        )
    except JobNotWaiting:
        return False


def kill_a_worker(daemon):
    wait_until(daemon.is_up)
    os.kill(daemon.child("worker").pid, signal.SIGKILL)


def test_what_a_moved_job_left_in_a_paused_queue_is_no_dead_letter_when_its_record_is_gone(make_daemon):
    settings = {"workers": {"count": 1, "grace_seconds": 1, "queues": ["default", "open"]}}
    daemon = make_daemon(settings=settings).start()
    with daemon.client() as client:
        client.pause("default")
        ids = [client.submit_job("note", {}) for _ in range(10)]
        for job_id in ids:
            client.reprioritise(job_id, Priority.NORMAL, "open")
        assert {client.wait(job_id, 10).status for job_id in ids} == {Status.COMPLETED}
        look = Look(daemon.url)
        look.call("DEL", *map(KEYS.job, ids))  # as time will do
        assert look.complaints() == []
        client.resume("default")
        wait_until(lambda: not look.ready())
        assert (client.dead_jobs(), look.call("EXISTS", KEYS.moved)) == ([], 0)
        assert len(daemon.entries("start")) == 10
