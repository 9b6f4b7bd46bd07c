"""A job that runs longer than it may: it is interrupted, and killed if it does not care."""

import os

import pytest

from bananasd import Status
from bananasd.processes.child import ATTENTION
from tests.conftest import wait_until
from tests.daemon import Daemon, is_alive
from tests.patience import assert_soon
from tests.processes.conftest import HANDLERS, ONE_WORKER, lend, runner

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
        result = [type(error).__name__, os.getpid()]
"""
IGNORE = """
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass
"""
IGNORED_SECONDS = 0.5
"""The timeout of what ignores it: time enough to begin with that."""


@pytest.fixture(scope="module")
def patient():
    """A daemon that kills nothing that takes its time to heed the interrupt."""
    settings = ONE_WORKER | {"workers": {"count": 1, "grace_seconds": 30}, "master": {"drain_seconds": 60}}
    yield from lend(Daemon(HANDLERS, settings=settings).start())


@pytest.fixture
def run_patiently(patient):
    """As `run`, on that daemon."""
    return runner(patient)


def test_a_job_out_of_time_is_interrupted_and_that_is_a_failed_attempt(run_patiently, patient):
    def attempt() -> float:
        job = run_patiently(CLEAN.format(sleep="time.sleep"), timeout_seconds=0.5, max_retries=0)
        assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
        assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
        assert len(patient.entries("cleaned", job.id)) == 1
        seconds = (job.finished_at - job.started_at).total_seconds()
        assert seconds >= 0.5
        return seconds

    # The master looks four times a second.
    assert_soon(1, attempt)


def test_a_job_out_of_time_is_retried_by_its_policy(run_patiently):
    job = run_patiently(SLEEP, timeout_seconds=0.05, max_retries=1)
    assert (job.status, job.attempts) == (Status.FAILED, 2)


def test_the_worker_of_an_interrupted_job_is_replaced_at_once(run_patiently, patient):
    before = run_patiently("result = os.getpid()").result
    run_patiently(SLEEP, timeout_seconds=0.05, max_retries=0)
    wait_until(lambda: not is_alive(before))
    assert run_patiently("result = os.getpid()").result != before
    # Where that counts as a crash there is a pause.
    assert patient.child("worker").crashes == 0


def test_a_result_that_is_returned_in_spite_of_an_interrupt_counts(run_patiently):
    kind, pid = run_patiently(SWALLOW, timeout_seconds=0.5).result
    assert kind == "JobTimeout"
    wait_until(lambda: not is_alive(pid))


def test_a_job_that_ignores_its_timeout_is_killed_and_that_is_a_failed_attempt(run):
    def attempt() -> float:
        job = run(IGNORE, timeout_seconds=IGNORED_SECONDS, max_retries=0)
        assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
        assert job.error == "it ran longer than its timeout of 0.5 s, ignored the interrupt, and was killed"
        seconds = (job.finished_at - job.started_at).total_seconds()
        assert seconds >= IGNORED_SECONDS + 1
        return seconds

    assert_soon(IGNORED_SECONDS + 1 + 1.5, attempt)


def test_a_job_that_was_killed_for_its_time_is_retried_by_its_policy(run, daemon):
    with daemon.client() as client:
        code = "if job.attempt == 2: sys.exit('again')\n" + IGNORE.replace("\n    ", "\n")
        job_id = client.submit_job("tested", code, timeout_seconds=IGNORED_SECONDS, max_retries=1)
        job = client.wait(job_id, 30)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 2, 0)
    assert job.error.endswith("SystemExit: again")


@pytest.mark.parametrize(
    ("daemon_of", "code", "error"),
    [
        ("run_patiently", SLEEP, "JobTimeout: the job ran longer than its timeout"),
        ("run", IGNORE, "was killed"),
    ],
)
def test_a_job_out_of_time_is_dead_at_once_if_its_handler_says_so(request, daemon_of, code, error):
    run = request.getfixturevalue(daemon_of)
    job = run(code, name="tested_once", timeout_seconds=IGNORED_SECONDS)
    assert (job.status, job.attempts, job.run) == (Status.FAILED, 1, 1)
    assert job.error.endswith(error)


def test_an_async_handler_is_interrupted_and_cleans_up(run_patiently, patient):
    code = CLEAN.format(sleep="await asyncio.sleep")
    job = run_patiently(code, name="tested_async", timeout_seconds=0.5, max_retries=0)
    assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
    assert len(patient.entries("cleaned", job.id)) == 1


def test_what_an_async_handler_has_returned_counts_though_its_loop_would_not_end(run_patiently):
    code = """
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
        return "done"
    """
    job = run_patiently(code, name="tested_async", timeout_seconds=0.5)
    assert (job.status, job.result, job.attempts) == (Status.COMPLETED, "done", 1)


def test_an_interrupt_that_nobody_ordered_hits_nobody(daemon, restarts):
    with daemon.client() as client:
        until = daemon.directory / "until"
        job_id = client.submit_job("hold", {"until": str(until)})
        os.kill(daemon.worker_of(job_id).pid, ATTENTION)
        until.touch()
        job = client.wait(job_id, 30)
    assert (job.run, job.attempts) == (1, 1)
    assert restarts() == 0
