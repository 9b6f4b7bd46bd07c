"""Waiting for jobs of the real daemon: how soon it is told, and what it gets when something is killed meanwhile."""

import math
import os
import pty
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from bananasd import JobFailed, JobRequest, Status
from tests.conftest import wait_until
from tests.patience import assert_soon

HANDLERS = """
    @handler("failing", max_retries=1)
    def failing(job):
        raise ValueError(f"no good: {job.attempt}")

    @handler("second")
    def second(job):
        note(job, "start")
        time.sleep(60 if job.run == 1 else 0)
        return "second"

    @handler("steps")
    def steps(job):
        for done in (1, 2, 3):
            job.set_progress(done, 3, f"step {done}")
            while not os.path.exists(f"{job.payload}{done}"):
                time.sleep(0.005)
        return "all steps"
"""


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(HANDLERS, settings={"retry": {"base_seconds": 0.05}}).start()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def test_who_waits_knows_of_the_end_within_milliseconds(daemon, client):
    """From the last line of the handler to the return of the call: encoded, settled, told, read."""

    def attempt():
        took = []
        for n in range(30):
            job = client.submit_and_wait("note", {"result": n}, wait_seconds=10)
            returned_at = time.monotonic()
            (entry,) = daemon.entries("end", job.id)
            took.append(returned_at - float(entry[4]))
            assert job.result == n
        return statistics.median(took)

    # Half a millisecond or so on an idle machine; the bound is for a busy one.
    assert_soon(0.02, attempt)


def test_who_waits_for_a_job_of_a_killed_worker_gets_the_result_of_its_second_run(daemon, client):
    job_id = client.submit_job("second", None)
    with ThreadPoolExecutor(1) as threads:
        waited = threads.submit(client.wait, job_id, 20)
        wait_until(lambda: daemon.entries("start", job_id))
        os.kill(daemon.worker_of(job_id).pid, signal.SIGKILL)
        job = waited.result()
    assert (job.result, job.run, job.recoveries) == ("second", 2, 1)


def test_a_server_that_is_killed_meanwhile_is_survived(daemon, client, tmp_path):
    job_id = client.submit_job("hold", {"until": str(tmp_path / "go")})
    with ThreadPoolExecutor(1) as threads:
        waited = threads.submit(client.wait, job_id, 20)
        wait_until(lambda: daemon.entries("start", job_id))
        (server,) = (child for child in daemon.children() if child.slot == "redis")
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: any(c.slot == "redis" and c.pid != server.pid for c in daemon.children()))
        (tmp_path / "go").touch()
        assert waited.result().status is Status.COMPLETED


def test_a_thousand_jobs_in_one_wait(client):
    ids = client.submit_many(JobRequest("note", {"result": n}) for n in range(1000))
    assert [job.result for job in client.wait(ids, 60)] == list(range(1000))


def test_a_failure_carries_the_traceback_of_the_last_attempt(client):
    with pytest.raises(JobFailed) as caught:
        client.submit_and_wait("failing", None, wait_seconds=20)
    assert caught.value.error == "ValueError: no good: 2"
    assert 'raise ValueError(f"no good: {job.attempt}")' in caught.value.traceback
    assert caught.value.job.attempts == 2


def test_a_watch_shows_each_step(client, tmp_path):
    seen = []
    for job in client.watch(client.submit_job("steps", f"{tmp_path}/")):
        if job.progress:
            (tmp_path / f"{job.progress['done']}").touch()
        seen.append((job.status, job.progress and job.progress["done"]))
    assert seen[-1] == (Status.COMPLETED, 3)
    assert [(Status.PROCESSING, done) in seen for done in (1, 2)] == [True, True]


@pytest.mark.parametrize("command", ["submit", "job"])
def test_a_terminal_shows_the_progress_and_then_the_end(daemon, client, tmp_path, command):
    screen, terminal = pty.openpty()
    payload = f'"{tmp_path}/"'
    job_id = client.submit_job("steps", f"{tmp_path}/")
    words = (
        ["submit", "steps", "--id", job_id, "--payload", payload] if command == "submit" else ["job", job_id]
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "bananasd", *words, "--wait", "--url", daemon.url, "--namespace", "default"],
        stdout=subprocess.PIPE, stderr=terminal, text=True,
    )  # fmt: skip
    os.close(terminal)
    shown = ""
    with suppress(OSError):  # EIO: the program has ended, and the terminal with it
        for done in (1, 2, 3):
            while f"{done} of 3: step {done}" not in shown and (read := os.read(screen, 1000)):
                shown += read.decode()
            (tmp_path / str(done)).touch()
        while read := os.read(screen, 1000):
            shown += read.decode()
    os.close(screen)
    told, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    assert "all steps" in told
    assert shown.endswith("\r\x1b[K")
    assert client.wait(job_id, math.inf).status is Status.COMPLETED
