"""A job that runs longer than it may: it is interrupted, and killed if it does not care."""

import os

import pytest

from bananasd import Status
from bananasd.processes.child import ATTENTION
from tests.conftest import wait_until
from tests.daemon import is_alive

CLEAN = """
    try:
        {sleep}(1000)
    finally:
        note(job, "cleaned")
"""
SLEEP = "time.sleep(1000)"
SWALLOW = """
    try:
        time.sleep(1000)
    except BaseException as error:
        result = type(error).__name__
"""
IGNORE = """
    note(job, "ignoring")
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass
"""


def test_a_job_out_of_time_is_interrupted_and_that_is_a_failed_attempt(run, daemon):
    job = run(CLEAN.format(sleep="time.sleep"), timeout_seconds=0.2, max_retries=0)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
    assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
    assert 0.2 <= (job.finished_at - job.started_at).total_seconds() < 1
    assert len(daemon.entries("cleaned", job.id)) == 1


def test_a_job_out_of_time_is_retried_by_its_policy(run):
    job = run(SLEEP, timeout_seconds=0.05, max_retries=1)
    assert (job.status, job.attempts) == (Status.FAILED, 2)


def test_the_worker_of_an_interrupted_job_is_replaced_at_once(run, daemon, restarts):
    (worker,) = daemon.children("worker")
    run(SLEEP, timeout_seconds=0.05, max_retries=0)
    wait_until(lambda: not is_alive(worker.pid))
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 1).status is Status.COMPLETED
    assert restarts() == 1


def test_a_result_that_is_returned_in_spite_of_an_interrupt_counts(run, daemon):
    (worker,) = daemon.children("worker")
    assert run(SWALLOW, timeout_seconds=0.05).result == "JobTimeout"
    wait_until(lambda: not is_alive(worker.pid))


def test_a_job_that_ignores_its_timeout_is_killed_and_that_is_a_failed_attempt(run):
    job = run(IGNORE, timeout_seconds=0.1, max_retries=0)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
    assert job.error == "it ran longer than its timeout of 0.1 s, ignored the interrupt, and was killed"
    assert 1.1 <= (job.finished_at - job.started_at).total_seconds() < 2.5


def test_a_job_that_was_killed_for_its_time_is_retried_by_its_policy(run, daemon):
    with daemon.client() as client:
        code = "if job.attempt == 2: sys.exit('again')\n" + IGNORE.replace("\n    ", "\n")
        job = client.wait(client.submit_job("tested", code, timeout_seconds=0.1, max_retries=1), 10)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 2, 0)
    assert job.error.endswith("SystemExit: again")


@pytest.mark.parametrize(
    ("code", "error"), [(SLEEP, "JobTimeout: the job ran longer than its timeout"), (IGNORE, "was killed")]
)
def test_a_job_out_of_time_is_dead_at_once_if_its_handler_says_so(run, code, error):
    job = run(code, name="tested_once", timeout_seconds=0.1)
    assert (job.status, job.attempts, job.run) == (Status.FAILED, 1, 1)
    assert job.error.endswith(error)


def test_an_async_handler_is_interrupted_and_cleans_up(run, daemon):
    code = CLEAN.format(sleep="await asyncio.sleep")
    job = run(code, name="tested_async", timeout_seconds=0.1, max_retries=0)
    assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
    assert len(daemon.entries("cleaned", job.id)) == 1


def test_what_an_async_handler_has_returned_counts_though_its_loop_would_not_end(run):
    code = """
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
        return "done"
    """
    job = run(code, name="tested_async", timeout_seconds=0.1)
    assert (job.status, job.result, job.attempts) == (Status.COMPLETED, "done", 1)


def test_an_interrupt_that_nobody_ordered_hits_nobody(daemon, restarts):
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 0.3})
        worker = daemon.worker_of(job_id)
        wait_until(lambda: daemon.entries("start", job_id))
        os.kill(worker.pid, ATTENTION)
        job = client.wait(job_id, 10)
    assert (job.run, job.attempts) == (1, 1)
    assert restarts() == 0
