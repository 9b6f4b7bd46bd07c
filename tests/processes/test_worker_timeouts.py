"""A job that runs longer than it may: it is interrupted, and killed if it does not care."""

import os

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import is_alive


@pytest.fixture
def daemon(server, make_daemon):
    return make_daemon(
        """
        import asyncio

        @handler("sleep")
        def run_sleep(job):
            time.sleep(1000)

        @handler("clean")
        def run_clean(job):
            try:
                time.sleep(1000)
            finally:
                note(job, "cleaned")

        @handler("swallow")
        def run_swallow(job):
            try:
                time.sleep(1000)
            except BaseException as error:
                return type(error).__name__

        @handler("ignore")
        def run_ignore(job):
            note(job, "ignoring")
            while True:
                try:
                    time.sleep(1000)
                except BaseException:
                    note(job, "ignored")

        @handler("async")
        async def run_async(job):
            try:
                await asyncio.sleep(1000)
            finally:
                note(job, "cleaned")

        @handler("returned")
        async def run_returned(job):
            asyncio.get_running_loop().run_in_executor(None, time.sleep, 1000)
            return "done"
        """,
        redis_url=server.url,
        settings={"workers": {"count": 1}, "retry": {"base_seconds": 0.01}},
    ).start()


def test_a_job_out_of_time_is_interrupted_and_that_is_a_failed_attempt(daemon):
    with daemon.client() as client:
        job = client.wait(client.submit_job("clean", {}, timeout_seconds=0.2, max_retries=0), 10)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
    assert "in run_clean" in job.error
    assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
    assert 0.2 <= (job.finished_at - job.started_at).total_seconds() < 1
    assert len(daemon.entries("cleaned", job.id)) == 1


def test_a_job_out_of_time_is_retried_by_its_policy(daemon):
    with daemon.client() as client:
        job = client.wait(client.submit_job("sleep", {}, timeout_seconds=0.05, max_retries=1), 10)
    assert (job.status, job.attempts) == (Status.FAILED, 2)


def test_the_worker_of_an_interrupted_job_is_replaced_at_once(daemon):
    pid = daemon.children("worker")[0].pid
    with daemon.client() as client:
        client.wait(client.submit_job("sleep", {}, timeout_seconds=0.05, max_retries=0), 10)
        wait_until(lambda: not is_alive(pid))
        job = client.wait(client.submit_job("note", {}), 1)
    assert job.status is Status.COMPLETED
    assert daemon.children("worker")[0].restarts == 1


def test_a_result_that_is_returned_in_spite_of_an_interrupt_counts(daemon):
    pid = daemon.children("worker")[0].pid
    with daemon.client() as client:
        job = client.wait(client.submit_job("swallow", {}, timeout_seconds=0.05), 10)
    assert job.result == "JobTimeout"
    wait_until(lambda: not is_alive(pid))


def test_a_job_that_ignores_its_timeout_is_killed_and_that_is_a_failed_attempt(daemon):
    with daemon.client() as client:
        job = client.wait(client.submit_job("ignore", {}, timeout_seconds=0.1, max_retries=0), 10)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
    assert job.error == "it ran longer than its timeout of 0.1 s, ignored the interrupt, and was killed"
    assert 1.1 <= (job.finished_at - job.started_at).total_seconds() < 2.5


def test_a_job_that_was_killed_for_its_time_is_retried_by_its_policy(daemon):
    with daemon.client() as client:
        job_id = client.submit_job("ignore", {}, timeout_seconds=0.1, max_retries=1)
        wait_until(lambda: len(daemon.entries("ignoring", job_id)) == 2)
        job = client.get_job(job_id)
    assert (job.status, job.attempts, job.recoveries) == (Status.PROCESSING, 1, 0)


def test_an_async_handler_is_interrupted_and_cleans_up(daemon):
    with daemon.client() as client:
        job = client.wait(client.submit_job("async", {}, timeout_seconds=0.1, max_retries=0), 10)
    assert job.error.endswith("JobTimeout: the job ran longer than its timeout")
    assert len(daemon.entries("cleaned", job.id)) == 1


def test_what_an_async_handler_has_returned_counts_though_its_loop_would_not_end(daemon):
    with daemon.client() as client:
        job = client.wait(client.submit_job("returned", {}, timeout_seconds=0.1), 10)
    assert (job.status, job.result, job.attempts) == (Status.COMPLETED, "done", 0)


def test_an_interrupt_that_comes_late_hits_nobody(daemon):
    from bananasd.processes.child import ATTENTION

    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 0.3})
        worker = daemon.worker_of(job_id)
        wait_until(lambda: daemon.entries("start", job_id))
        os.kill(worker.pid, ATTENTION)
        assert client.wait(job_id, 10).attempts == 0
    assert daemon.children("worker")[0].pid == worker.pid
