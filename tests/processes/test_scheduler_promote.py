"""Scheduled jobs come into their lanes at their time: a real daemon, whose workers serve another queue."""

from datetime import timedelta

import pytest

from bananasd import JobRequest, Priority, Status
from tests.conftest import wait_until
from tests.invariants import KEYS, Look
from tests.patience import assert_once
from tests.proxy import Proxy

SOON, LATER = timedelta(seconds=0.3), timedelta(hours=1)
ELSEWHERE = {"workers": {"queues": ["elsewhere"], "count": 1}}


@pytest.fixture
def daemon(make_daemon, server):
    return make_daemon(redis_url=server.url, settings=ELSEWHERE).start()


RARELY = """
from bananasd.processes import scheduler

scheduler.PROMOTE_SECONDS = 3600

from bananasd.__main__ import run

run()
"""
"""A daemon whose scheduler looks for due jobs only when it knows, or is told, that there are some."""


@pytest.fixture
def told(make_daemon, server):
    daemon = make_daemon(redis_url=server.url, settings=ELSEWHERE)
    daemon.program = ("-c", RARELY)
    return daemon.start()


@pytest.fixture
def look(server):
    return Look(server.url)


def schedule(client, when, priority=Priority.NORMAL):
    return client.submit_job_scheduled("note", {}, priority, when)


def status(client, job_id):
    return client.get_job(job_id).status


@pytest.mark.usefixtures("told")
def test_a_job_whose_time_has_come_is_moved_and_not_before(client):
    def is_soon() -> bool:
        late = lateness(client, schedule(client, SOON))
        assert late >= timedelta(0)
        return late < timedelta(seconds=0.25)

    assert_once(is_soon)


def lateness(client, job_id):
    """How long after its time a job was moved."""
    wait_until(lambda: status(client, job_id) is Status.PENDING)
    job = client.get_job(job_id)
    return job.updated_at - job.scheduled_for


def test_a_job_of_the_future_stays(daemon, client):
    future, due = schedule(client, LATER), schedule(client, SOON)
    wait_until(lambda: status(client, due) is Status.PENDING)
    assert status(client, future) is Status.SCHEDULED


@pytest.mark.usefixtures("told")
def test_an_earlier_job_is_not_kept_waiting_by_a_later_one(client):
    """The scheduler waits for the later one when the earlier one comes."""
    schedule(client, LATER)

    def is_soon() -> bool:
        return lateness(client, schedule(client, timedelta(seconds=0.2))) < timedelta(seconds=0.25)

    assert_once(is_soon)


def test_an_empty_set_is_left_as_it_is(daemon, look):
    def promotions() -> int:
        replies = look.call("INFO", "commandstats").decode()
        return int(replies.partition("cmdstat_zrangebyscore:calls=")[2].partition(",")[0] or 0)

    before = promotions()
    wait_until(lambda: promotions() >= before + 2)
    assert not [key for key in look.find() if key in (KEYS.scheduled, KEYS.dead) or ":ready:" in key]
    assert not daemon.lines("warning scheduler ")[1:]  # but that the server keeps nothing


def test_ten_thousand_that_are_due_together_are_moved_together(daemon, client, look):
    job_ids = client.submit_many(JobRequest("note", {}, scheduled_for=SOON) for _ in range(10_000))
    wait_until(lambda: look.call("ZCARD", KEYS.scheduled) == 0)
    assert sorted(look.ready()) == sorted(job_ids)


def test_promotion_keeps_the_priority(daemon, client, look):
    job_ids = {priority: schedule(client, SOON, priority) for priority in Priority}
    wait_until(lambda: look.call("ZCARD", KEYS.scheduled) == 0)
    for priority, job_id in job_ids.items():
        assert look.call("LRANGE", f"{KEYS.prefix}ready:default:{priority}", 0, -1) == [job_id.encode()]


def test_promotion_survives_a_connection_failure(make_daemon, server, client):
    proxy = Proxy(server.socket)
    daemon = make_daemon(redis_url=proxy.url, settings=ELSEWHERE).start()
    (before,) = daemon.children("scheduler")
    proxy.mode = "refuse"
    wait_until(lambda: daemon.lines("scheduler", "redis lost"))
    job_id = schedule(client, timedelta(0))
    proxy.mode = "pass"
    wait_until(lambda: status(client, job_id) is Status.PENDING)
    assert daemon.child("scheduler").pid == before.pid
    proxy.close()


def test_a_scheduled_job_starts_within_a_tenth_of_a_second(make_daemon, server, client, record_property):
    """A quarter is allowed here, for the machine may be busy."""
    make_daemon(redis_url=server.url).start()

    def are_soon() -> bool:
        ids = [schedule(client, timedelta(seconds=0.2 + 0.15 * i)) for i in range(5)]
        jobs = client.wait(ids, 30)
        lags = sorted((job.started_at - job.scheduled_for).total_seconds() for job in jobs)
        record_property("lags", lags)
        assert lags[0] >= 0
        return lags[2] < 0.1 and lags[-1] < 0.25

    assert_once(are_soon)
