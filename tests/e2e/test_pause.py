"""Pauses on real daemons: what runs goes on, what waits waits, whoever is killed or restarted meanwhile."""

import math
import os
import re
import signal
from datetime import UTC, datetime

import pytest

from bananasd import Priority, Status
from tests.conftest import wait_until
from tests.daemon import QUICK
from tests.patience import assert_soon

SETTINGS = {"workers": {**QUICK["workers"], "queues": ["default", "open"]}}


@pytest.fixture
def daemon(make_daemon, own_server):
    return make_daemon(redis_url=own_server.url, settings=SETTINGS).start()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def assert_passed_over(client, *job_ids):
    """Jobs of lower priority run; had these been free to run they would have been first."""
    for _ in range(3):
        free = client.submit_job("note", {}, Priority.LOW, queue="open")
        assert client.wait(free, 10).status is Status.COMPLETED
    assert {client.get_job(job_id).status for job_id in job_ids} == {Status.PENDING}


def hold(client, tmp_path):
    """A job that runs until it is let go."""
    job_id = client.submit_job("hold", {"until": str(tmp_path / "go")})
    wait_until(lambda: client.get_job(job_id).status is Status.PROCESSING)
    return job_id


def test_running_jobs_go_on_and_waiting_ones_begin_when_their_queue_is_resumed(client, tmp_path):
    running = hold(client, tmp_path)
    client.pause("default")
    waiting = client.submit_job("note", {}, Priority.HIGH)
    (tmp_path / "go").touch()
    assert client.wait(running, 10).status is Status.COMPLETED
    assert_passed_over(client, waiting)

    def attempt():
        client.pause("default")
        waiting = client.submit_job("note", {}, Priority.HIGH)
        assert_passed_over(client, waiting)
        resumed_at = datetime.now(UTC)
        client.resume("default")
        job = client.wait(waiting, 10)
        assert (job.status, job.attempts) == (Status.COMPLETED, 1)
        return (job.started_at - resumed_at).total_seconds()

    # By its token: an idle worker looks once a second by itself.
    assert_soon(0.8, attempt)
    assert client.wait(waiting, 10).status is Status.COMPLETED


def test_while_everything_is_paused_idle_workers_come_to_rest(client, own_server):
    client.pause()
    waiting = [client.submit_job("note", {}) for _ in range(200)]
    own_server.call("CONFIG", "RESETSTAT")
    began = int(own_server.call("TIME")[0])
    wait_until(lambda: int(own_server.call("TIME")[0]) >= began + 3 and waits(own_server))
    calls, ended = waits(own_server), int(own_server.call("TIME")[0])
    # Two workers and the scheduler, once a second each; a loop without rest makes thousands.
    assert calls < 10 * (ended - began)
    assert {client.get_job(job_id).status for job_id in waiting} == {Status.PENDING}
    client.resume()
    assert {client.wait(job_id, 10).status for job_id in waiting} == {Status.COMPLETED}


def waits(server):
    """How often somebody has waited for work."""
    calls = re.search(rb"cmdstat_blpop:calls=(\d+)", server.call("INFO", "commandstats"))
    return int(calls[1]) if calls else 0


def test_a_pause_for_a_time_ends_by_itself_within_a_second(client):
    def attempt():
        client.pause("default", 1)
        end = client.paused().get("default")
        job = client.wait(client.submit_job("note", {}), 10)
        if end is None:
            return math.inf  # it was over before anybody could ask
        assert end <= job.started_at
        return (job.started_at - end).total_seconds()

    assert_soon(1.5, attempt)
    assert client.paused() == {}


def test_a_pause_outlives_the_server_and_the_daemon(daemon, client, make_daemon, own_server):
    client.pause("default")
    waiting = client.submit_job("note", {}, Priority.HIGH)
    own_server.stop()
    own_server.start()
    assert_passed_over(client, waiting)
    assert daemon.stop() == 0
    other = make_daemon(redis_url=own_server.url, settings=SETTINGS).start()
    assert_passed_over(client, waiting)
    client.resume("default")
    assert client.wait(waiting, 10).status is Status.COMPLETED
    assert len(other.entries("start", waiting)) == 1


def test_a_job_whose_worker_is_killed_during_a_pause_waits_for_its_end_and_then_runs_again(
    daemon, client, tmp_path
):
    lost = hold(client, tmp_path)
    client.pause("default")
    os.kill(daemon.worker_of(lost).pid, signal.SIGKILL)
    wait_until(lambda: client.get_job(lost).status is Status.PENDING)
    assert_passed_over(client, lost)
    (tmp_path / "go").touch()
    client.resume("default")
    job = client.wait(lost, 10)
    assert (job.status, job.run, job.recoveries, job.attempts) == (Status.COMPLETED, 2, 1, 1)


def test_a_daemon_that_is_killed_during_a_pause_leaves_it_and_its_jobs_to_the_next(daemon, client, tmp_path):
    lost = hold(client, tmp_path)
    client.pause("default")
    waiting = client.submit_job("note", {})
    daemon.kill_all()
    daemon.start()
    wait_until(lambda: client.get_job(lost).status is Status.PENDING)
    assert_passed_over(client, lost, waiting)
    (tmp_path / "go").touch()
    client.resume("default")
    assert [client.wait(job_id, 10).status for job_id in (lost, waiting)] == [Status.COMPLETED] * 2
    assert [client.get_job(job_id).recoveries for job_id in (lost, waiting)] == [1, 0]


def test_a_drain_during_a_pause_puts_its_job_back_and_nothing_is_lost(daemon, client, tmp_path):
    held = hold(client, tmp_path)
    client.pause("default")
    assert daemon.stop() == 0
    job = client.get_job(held)
    assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
