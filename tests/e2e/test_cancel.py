"""Jobs that are cancelled while they run."""

import math
import os
import signal
import time

import pytest

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.daemon import halt
from tests.invariants import KEYS, Look
from tests.patience import TRIES, assert_soon

HANDLERS = """
    import asyncio
    from bananasd import JobCancelled

    @handler("polite")
    def polite(job):
        note(job, "start")
        while not job.should_stop:
            time.sleep(0.005)
        note(job, "told")

    @handler("asleep")
    def asleep(job):
        note(job, "start")
        try:
            time.sleep(60)
        except JobCancelled:
            note(job, "JobCancelled")
            raise

    @handler("awaiting")
    async def awaiting(job):
        note(job, "start")
        try:
            await asyncio.sleep(60)
        finally:
            note(job, "out")

    @handler("busy")
    def busy(job):
        note(job, "start")
        while True:
            pass

    @handler("deaf")
    def deaf(job):
        note(job, "start")
        while True:
            try:
                time.sleep(60)
            except BaseException:
                note(job, "heard")

    @handler("hogging")
    def hogging(job):
        note(job, "start")
        sum(range(10**8))  # no other thread gets a turn

    @handler("failing")
    def failing(job):
        note(job, "start")
        while not job.should_stop:
            time.sleep(0.005)
        raise ValueError("as it goes")

"""
WITHIN_SECONDS = 2
"""What is promised, for whoever hears the interrupt."""
ONE_WORKER = {"workers": {"count": 1, "grace_seconds": 1}}
PATIENT = {**ONE_WORKER, "redis": {"timeout_seconds": 60}}
"""A scheduler that is stopped is not replaced meanwhile."""


def of_two(lease_seconds):
    """For one of two nodes, each of which leaves the other's jobs alone though it is kept from its beat for a while."""
    return {**ONE_WORKER, "scheduler": {"beat_seconds": 0.2, "lease_seconds": lease_seconds}}


@pytest.fixture
def settings():
    return ONE_WORKER


@pytest.fixture
def daemon(make_daemon, settings):
    return make_daemon(HANDLERS, settings=settings).start()


def begin(daemon, client, name, **options):
    """A job whose handler runs."""
    job_id = client.submit_job(name, {}, **options)
    wait_until(lambda: daemon.entries("start", job_id))
    return job_id


def cancel(client, job_id, how):
    """Until it is cancelled; after how many seconds."""
    began = time.monotonic()
    assert client.cancel(job_id, how)
    assert client.wait(job_id, 20).status is Status.CANCELLED
    return time.monotonic() - began


def stop_scheduler(daemon):
    """Until it is told to go on, or killed; its pid."""
    (scheduler,) = daemon.children("scheduler")
    halt(scheduler.pid)
    return scheduler.pid


def assert_goes_on(daemon, client):
    """The daemon works, and nothing is out of order."""
    assert client.wait(client.submit_job("note", {}), 10).status is Status.COMPLETED
    wait_until(lambda: not Look(daemon.url).find("*orders:*"))
    assert Look(daemon.url).complaints() == []


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("polite", "told"),
        ("asleep", "JobCancelled"),
        ("awaiting", "out"),
        ("busy", "start"),
        ("failing", "start"),
    ],
)
def test_a_running_job_that_is_cancelled_softly_has_ended_within_two_seconds(daemon, name, trace):
    def attempt():
        ids.append(begin(daemon, client, name))
        seconds = cancel(client, ids[-1], "soft")
        assert len(daemon.entries("start", ids[-1])) == 1
        return seconds

    ids = []
    with daemon.client() as client:
        assert_soon(WITHIN_SECONDS, attempt)
        # It has heard of it: of one that was kept from that for long the worker was killed.
        assert len(daemon.entries(trace, ids[-1])) == 1
        assert_goes_on(daemon, client)
        assert client.queue_stats().counters["cancelled"] == len(ids)


def test_a_handler_that_looks_at_should_stop_is_not_interrupted(daemon):
    def attempt():
        job_id = begin(daemon, client, "polite")
        pids.append(daemon.worker_of(job_id).pid)
        return cancel(client, job_id, "soft")

    pids = []
    with daemon.client() as client:
        assert_soon(1, attempt)  # later it would have been
        assert_goes_on(daemon, client)
        assert [child.pid for child in daemon.children("worker")] == pids[-1:]


def test_a_handler_that_ignores_the_interrupt_is_killed_after_the_grace(daemon):
    def attempt():
        job_id = begin(daemon, client, "deaf")
        seconds = cancel(client, job_id, "soft")
        return seconds if daemon.entries("heard", job_id) else math.inf

    with daemon.client() as client:
        assert_soon(1 + 1 + WITHIN_SECONDS, attempt)
        assert daemon.lines("worker killed", "cause=cancelled")
        assert_goes_on(daemon, client)


def test_a_hard_cancel_kills_the_worker_at_once(daemon):
    def attempt():
        job_id = begin(daemon, client, "deaf")
        seconds = cancel(client, job_id, "hard")
        assert not daemon.entries("heard", job_id)
        job = client.get_job(job_id)
        assert (job.attempts, job.recoveries) == (0, 0)
        return seconds

    with daemon.client() as client:
        assert_soon(WITHIN_SECONDS, attempt)
        assert daemon.child("worker").last_end == "killed as its job was cancelled"
        assert_goes_on(daemon, client)


@pytest.mark.parametrize("settings", [{"workers": {"count": 1, "grace_seconds": 7}}])
def test_hard_may_follow_soft(daemon):
    def attempt():
        job_id = begin(daemon, client, "deaf")
        assert client.cancel(job_id, "soft")
        return cancel(client, job_id, "hard")

    with daemon.client() as client:
        assert_soon(WITHIN_SECONDS, attempt)
        assert daemon.lines("worker killed", "cause=cancelled", "hard")


def test_a_job_that_must_not_run_twice_is_cancelled_all_the_same(daemon):
    with daemon.client() as client:
        for name, how in (("asleep", "soft"), ("deaf", "hard")):
            cancel(client, begin(daemon, client, name, on_lost="dead"), how)
        assert client.dead_jobs() == []


def test_a_repeat_that_comes_too_late_hits_nobody(daemon):
    with daemon.client() as client:
        job_id = begin(daemon, client, "polite")
        for _ in range(3):
            assert client.cancel(job_id, "soft")
        next_id = client.submit_job("note", {"seconds": 2})
        wait_until(lambda: daemon.entries("start", next_id))
        for how in ("soft", "hard"):
            assert client.cancel(job_id, how)
        assert client.wait(next_id, 10).status is Status.COMPLETED
        assert (client.get_job(next_id).run, client.get_job(job_id).status) == (1, Status.CANCELLED)
        assert_goes_on(daemon, client)


def test_a_job_of_a_batch_that_has_not_begun_is_cancelled_before_or_when_it_does(daemon):
    with daemon.client() as client:
        hogging, behind = begin_batch(daemon, client)
        assert client.cancel(behind, "soft")
        assert client.wait(hogging, 20).status is Status.COMPLETED
        assert client.wait(behind, 20).status is Status.CANCELLED
        assert_goes_on(daemon, client)


def begin_batch(daemon, client):
    """Two jobs that were claimed together, the first of which runs."""
    for _ in range(TRIES):
        # Short ones: so the next are claimed together, unless the machine is so busy that these took long.
        client.wait(client.submit_many([JobRequest("note", {}) for _ in range(300)]), 20)
        first, second = client.submit_many([JobRequest("hogging", {}), JobRequest("asleep", {})])
        wait_until(lambda: daemon.entries("start", first))  # noqa: B023 - it is asked at once
        if client.get_job(second).status is Status.PROCESSING:
            return first, second
        client.cancel(second, "hard")
        client.wait([first, second], 20)
    pytest.fail("not once were two claimed together")


def test_what_a_cancel_says_is_what_becomes_of_the_job_and_no_other_is_hit(daemon):
    with daemon.client() as client:
        # One that is sure to run until it is told to end.
        jobs = [JobRequest("polite", {}), *(JobRequest("note", {"seconds": 0.01}) for _ in range(200))]
        ids = client.submit_many(jobs)
        said = {}
        for n, job_id in enumerate(ids, 1):
            wait_until(lambda: client.get_job(job_id).status is not Status.PENDING)  # noqa: B023
            if n % 3:
                said[job_id] = client.cancel(job_id, "soft")
        ended = {job.id: job for job in client.wait(ids, 30)}
        for job_id, job in ended.items():
            assert job.status is (Status.CANCELLED if said.get(job_id) else Status.COMPLETED)
            assert job.recoveries == 0
        assert True in said.values()
        assert_goes_on(daemon, client)


@pytest.mark.parametrize("settings", [PATIENT])
def test_orders_that_stand_when_the_scheduler_is_killed_are_carried_out_by_the_next(daemon):
    with daemon.client() as client:
        job_id = begin(daemon, client, "asleep")
        scheduler = stop_scheduler(daemon)
        assert client.cancel(job_id, "soft")
        # Its token has been taken on its behalf, unless it was stopped amid its work; what it was to be woken for is still there.
        assert len(Look(daemon.url).find("*orders:*")) == 1
        os.kill(scheduler, signal.SIGKILL)
        assert client.wait(job_id, 10).status is Status.CANCELLED
        assert daemon.entries("JobCancelled", job_id)
        assert_goes_on(daemon, client)


@pytest.mark.parametrize("settings", [PATIENT])
def test_a_worker_that_dies_after_the_cancel_does_not_let_the_job_run_again(daemon):
    with daemon.client() as client:
        job_id = begin(daemon, client, "asleep")
        scheduler, worker = stop_scheduler(daemon), daemon.worker_of(job_id)
        assert client.cancel(job_id, "soft")
        os.kill(worker.pid, signal.SIGKILL)
        os.kill(scheduler, signal.SIGCONT)
        assert client.wait(job_id, 10).status is Status.CANCELLED
        assert len(daemon.entries("start", job_id)) == 1
        assert_goes_on(daemon, client)


@pytest.mark.parametrize("settings", [of_two(15)])
def test_a_job_is_cancelled_from_another_node_and_only_there(make_daemon, daemon, settings):
    other = make_daemon(HANDLERS, redis_url=daemon.url, settings=settings).start()
    with other.client() as client:
        ids = [client.submit_job("asleep", {}) for _ in range(2)]
        wait_until(lambda: daemon.entries() and other.entries())
        (here,), (there,) = other.entries(), daemon.entries()
        assert {here[1], there[1]} == set(ids)
        cancel(client, there[1], "soft")
        assert client.get_job(here[1]).status is Status.PROCESSING
        cancel(client, here[1], "hard")
        assert_goes_on(daemon, client)
    assert other.stop() == 0


@pytest.mark.parametrize("settings", [of_two(3)])
def test_a_lost_nodes_job_that_was_cancelled_does_not_run_again(make_daemon, daemon, settings):
    with daemon.client() as client:
        begin(daemon, client, "asleep")  # before there is another who might take it
        other = make_daemon(HANDLERS, redis_url=daemon.url, settings=settings).start()
        job_id, node = begin(other, client, "asleep"), other.node.node
        other.send_all(signal.SIGSTOP)
        try:
            assert client.cancel(job_id, "soft")
            Look(daemon.url).call("ZADD", KEYS.nodes, 1, node)  # its lease is over
            assert client.wait(job_id, 20).status is Status.CANCELLED
        finally:
            other.kill_all()
        assert len(other.entries("start", job_id)) == 1 and not daemon.entries("start", job_id)
