"""The real program with its embedded server, from the submit to the end of the job."""

import math
import subprocess
import sys
from datetime import timedelta

import pytest

from bananasd import JobRequest, Priority, Status
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys
from tests.conftest import wait_until
from tests.patience import assert_soon

FAILING = """
    @handler("failing")
    def failing(job):
        raise ValueError("no good")
"""


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(FAILING).start()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def test_jobs_of_every_priority_complete(client):
    job_ids = [client.submit_job("note", {"result": str(priority)}, priority) for priority in Priority]
    assert [client.wait(job_id, 10).result for job_id in job_ids] == ["high", "normal", "low"]


def test_a_name_that_no_handler_has_is_a_failed_attempt(client):
    job = client.wait(client.submit_job("nobody", {}, max_retries=0), 10)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert "no handler is loaded for the name 'nobody'" in job.error


def test_retries_come_after_2_and_4_and_8_seconds(daemon, client):
    """The first is waited for; the others are read from the record, and brought forward."""

    def attempt():
        job_id = client.submit_job("failing", {})
        failed = []
        for number, seconds in enumerate((2, 4, 8), start=1):
            failed.append(look_after(number, client, job_id))
            if failed[-1].attempts > number:
                return math.inf  # nobody has looked for so long that the next try was over
            assert failed[-1].scheduled_for - failed[-1].updated_at == timedelta(seconds=seconds)
            if number > 1:
                bring_forward(daemon, job_id)
        waited = failed[1].started_at - failed[0].updated_at
        assert timedelta(seconds=2) <= waited
        return waited.total_seconds()

    assert_soon(3, attempt)


def look_after(number, client, job_id):
    """The job as it waits for its next try after this one, or a later one."""
    seen = []

    def is_waiting():
        seen.append(client.get_job(job_id))
        return seen[-1].attempts >= number and seen[-1].status is Status.SCHEDULED

    wait_until(is_waiting)
    return seen[-1]


def bring_forward(daemon, job_id):
    """Let a scheduled job be due now."""
    keys, connection = Keys("default"), HeldConnection(Server(daemon.url, 5))
    connection.trip([("ZADD", keys.scheduled, 0, job_id), ("RPUSH", keys.wake_scheduled, "")])
    connection.close()


def test_a_failing_job_dies_after_its_retries_and_comes_back_by_command(make_daemon):
    daemon = make_daemon(FAILING, settings={"retry": {"base_seconds": 0.05, "max_retries": 2}}).start()
    with daemon.client() as client:
        job_id = client.submit_job("failing", {})
        job = client.wait(job_id, 10)
        assert (job.status, job.attempts) == (Status.FAILED, 3)
        assert job.error.endswith("ValueError: no good")
        assert [dead.id for dead in client.dead_jobs()] == [job_id]
        command = [sys.executable, "-m", "bananasd", "dead", "retry", job_id, "--config", daemon.config]
        assert subprocess.run(command, capture_output=True, timeout=20).returncode == 0
        wait_until(lambda: client.get_job(job_id).run > 3)
        job = client.wait(job_id, 10)
        assert (job.attempts, job.run) == (3, 6)


def test_a_payload_that_does_not_fit_is_dead_after_one_attempt_and_says_where(make_daemon):
    daemon = make_daemon(
        """
        from dataclasses import dataclass

        @dataclass
        class Item:
            name: str
            price: float

        @dataclass
        class Order:
            items: list[Item]

        @handler("order")
        def run_order(job, order: Order):
            note(job, "start")
            return sum(item.price for item in order.items)
        """
    ).start()
    pen, cup = {"name": "pen", "price": 2}, {"name": "cup", "price": "two"}
    with daemon.client() as client:
        assert client.wait(client.submit_job("order", {"items": [pen, pen]}), 10).result == 4
        job = client.wait(client.submit_job("order", {"items": [pen, cup]}), 10)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "the payload does not fit the handler: $.items[1].price: expected float, got str"
    assert not daemon.entries("start", job.id)


def test_twenty_at_once(client):
    job_ids = client.submit_many(JobRequest("note", {"seconds": 0.05}) for _ in range(20))
    assert {client.wait(job_id, 10).status for job_id in job_ids} == {Status.COMPLETED}


def test_a_thousand_submitted_are_a_thousand_completed(daemon, client):
    job_ids = client.submit_many(JobRequest("note", {}) for _ in range(1000))
    wait_until(lambda: client.queue_stats().counters.get("completed") == 1000)
    assert sorted(line[1] for line in daemon.entries("end")) == sorted(job_ids)


def test_a_scheduled_job_starts_at_its_time(client):
    def attempt():
        job_id = client.submit_job_scheduled("note", {}, Priority.NORMAL, timedelta(seconds=1))
        job = client.wait(job_id, 10)
        assert timedelta(0) <= job.started_at - job.scheduled_for
        return (job.started_at - job.scheduled_for).total_seconds()

    assert_soon(0.5, attempt)


def test_a_drain_under_load_and_a_fresh_start_run_each_job_once(make_daemon, tmp_path):
    daemon = make_daemon(settings={"master": {"drain_seconds": 40}}).start()
    with daemon.client() as client:
        # Each of the two workers is amid its jobs, however late it hears that it has to leave.
        held = (200, 201)
        job_ids = client.submit_many(
            JobRequest("hold", {"until": str(tmp_path / "go")})
            if number in held
            else JobRequest("note", {"seconds": 0.002})
            for number in range(1000)
        )
        wait_until(lambda: [child.job_name for child in daemon.children("worker")] == ["hold", "hold"])
        daemon.terminate()
        wait_until(lambda: [child.state for child in daemon.children("worker")] == ["draining"] * 2)
        (tmp_path / "go").touch()
    assert daemon.wait() == 0
    assert len(daemon.entries("end")) > 100
    assert len(daemon.entries("end")) < 1000
    daemon.start()
    with daemon.client() as client:
        wait_until(lambda: client.queue_stats().counters["completed"] == 1000)
    assert sorted(line[1] for line in daemon.entries("start")) == sorted(job_ids)


def test_a_second_daemon_on_the_same_run_dir_refuses(daemon):
    command = [sys.executable, "-m", "bananasd", "start", "--config", daemon.config]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode == 73
    assert f"pid {daemon.pid}" in second.stderr
    assert daemon.is_up()


def test_status_and_stop_speak_with_the_running_daemon(daemon):
    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "bananasd", *words, "--config", daemon.config],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip

    status = command("status")
    assert status.returncode == 0
    assert "worker 1" in status.stdout
    assert command("stop").returncode == 0
    assert daemon.wait() == 0
    assert command("status").returncode == 1
    assert "no daemon" in command("stop").stderr
