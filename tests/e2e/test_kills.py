"""SIGKILL to each process of the tree in turn: it comes back, and nothing is lost."""

import os
import signal
import time

import pytest

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.daemon import is_alive

CHILD = """
    @handler("parent")
    def parent(job):
        child = subprocess.Popen(["sleep", "300"])
        note(job, f"child-{child.pid}")
        child.wait()
"""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(CHILD).start()


def keys(client) -> set[str]:
    """The kinds of keys that are left, without the namespace."""
    pool = client._pool.call()
    (found,) = pool.trip([("KEYS", "*")])
    return {key.decode().split("}:")[1].split(":")[0] for key in found}


def test_a_killed_workers_job_runs_again_within_a_second(daemon):
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 1})
        worker = daemon.worker_of(job_id)
        wait_until(lambda: daemon.entries("start", job_id))
        killed_at = time.monotonic()
        kill(worker.pid)
        wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
        assert float(daemon.entries("start", job_id)[1][4]) - killed_at < 1
        job = client.wait(job_id, 10)
        assert (job.status, job.recoveries, job.attempts) == (Status.COMPLETED, 1, 1)
        assert "signal 9 (SIGKILL)" in job.error


def test_every_child_comes_back_and_nothing_is_lost(daemon):
    with daemon.client() as client:
        job_ids = client.submit_many(JobRequest("note", {"seconds": 0.005}) for _ in range(400))
        for slot in ("worker 0", "scheduler", "redis", "worker 1"):
            victim = next(child for child in daemon.children() if child.slot == slot)
            kill(victim.pid)
            wait_until(lambda: not is_alive(victim.pid))  # noqa: B023
            wait_until(daemon.is_up)
        for job_id in job_ids:
            assert client.wait(job_id, 20).status is Status.COMPLETED
        wait_until(lambda: client.queue_stats().processing == 0)
        assert {line[1] for line in daemon.entries("end")} == set(job_ids)
        assert keys(client) <= {
            "job",
            "holders",
            "nodes",
            "node",
            "handlers",
            "stats",
            "queues",
            "wake",
            "mail",
        }
    assert daemon.stop() == 0


def test_a_killed_master_leaves_no_child_and_the_next_runs_what_was_left_at_once(daemon):
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 30})
        daemon.worker_of(job_id)
    (daemon.directory / "handlers" / "noted.py").write_text(
        (daemon.directory / "handlers" / "noted.py")
        .read_text()
        .replace('get("seconds", 0)', 'get("none", 0)')
    )
    daemon.kill()
    assert daemon.children() == []
    daemon.start()
    up_at = time.monotonic()
    with daemon.client() as client:
        job = client.wait(job_id, 10)
    assert (job.status, job.recoveries) == (Status.COMPLETED, 1)
    assert float(daemon.entries("start", job_id)[1][4]) - up_at < 1
    assert "together with its daemon" in job.error


def test_what_a_killed_masters_worker_had_started_ends_with_the_next_start(daemon):
    with daemon.client() as client:
        job_id = client.submit_job("parent", {}, max_retries=0)
        daemon.worker_of(job_id)
        wait_until(lambda: "child-" in daemon.ledger.read_text() if daemon.ledger.exists() else False)
    child_pid = int(daemon.ledger.read_text().split()[0].removeprefix("child-"))
    daemon.kill()
    daemon.start()
    wait_until(lambda: not is_alive(child_pid))


def test_a_subprocess_of_a_killed_worker_is_gone(daemon):
    with daemon.client() as client:
        job_id = client.submit_job("parent", {})
        worker = daemon.worker_of(job_id)
        wait_until(lambda: "child-" in daemon.ledger.read_text() if daemon.ledger.exists() else False)
    child_pid = int(daemon.ledger.read_text().split()[0].removeprefix("child-"))
    kill(worker.pid)
    wait_until(lambda: not is_alive(child_pid))
