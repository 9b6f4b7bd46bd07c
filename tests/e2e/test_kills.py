"""SIGKILL to each process of the tree in turn: it comes back, and nothing is lost."""

import os
import signal
import time

import pytest

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.daemon import is_alive
from tests.patience import TRIES, assert_soon

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
    return make_daemon(CHILD, settings={"workers": {"max_recoveries": TRIES + 1}}).start()


def keys(client) -> set[str]:
    """The kinds of keys that are left, without the namespace."""
    pool = client._pool.call()
    (found,) = pool.trip([("KEYS", "*")])
    return {key.decode().split("}:")[1].split(":")[0] for key in found}


def test_a_killed_workers_job_runs_again_within_a_second(daemon):
    def attempt():
        go = daemon.directory / "go"
        go.unlink(missing_ok=True)
        job_id = client.submit_job("hold", {"until": str(go)})
        worker = daemon.worker_of(job_id)
        wait_until(lambda: daemon.entries("start", job_id))
        killed_at = time.monotonic()
        kill(worker.pid)
        seconds = started_again(daemon, job_id, 2) - killed_at
        go.touch()
        job = client.wait(job_id, 10)
        assert (job.status, job.recoveries, job.attempts) == (Status.COMPLETED, 1, 1)
        assert "signal 9 (SIGKILL)" in job.error
        return seconds

    with daemon.client() as client:
        assert_soon(1, attempt)


def started_again(daemon, job_id, run):
    """When this run of it began, by the monotonic clock."""
    wait_until(lambda: len(daemon.entries("start", job_id)) == run)
    return float(daemon.entries("start", job_id)[-1][4])


def test_every_child_comes_back_and_nothing_is_lost(daemon):
    with daemon.client() as client:
        job_ids = client.submit_many(JobRequest("note", {"seconds": 0.005}) for _ in range(400))
        for slot in ("worker 0", "scheduler", "redis", "worker 1"):
            victim = next(child for child in daemon.children() if child.slot == slot)
            kill(victim.pid)
            # Until the master has seen it the board shows it as it was.
            wait_until(lambda: victim.pid not in [child.pid for child in daemon.children()])  # noqa: B023
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
    def attempt():
        kills.append(job_id)
        daemon.kill()
        assert daemon.children() == []
        daemon.start()
        up_at = time.monotonic()
        return started_again(daemon, job_id, 1 + len(kills)) - up_at

    kills, go = [], daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(go)})
        wait_until(lambda: daemon.entries("start", job_id))
    assert_soon(1, attempt)
    go.touch()
    with daemon.client() as client:
        job = client.wait(job_id, 10)
    assert (job.status, job.recoveries) == (Status.COMPLETED, len(kills))
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
