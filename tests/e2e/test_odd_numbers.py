"""Numbers that others have written, and that no clock or calendar goes as far as: every command tells what it can."""

from datetime import timedelta

import pytest

from bananasd import Priority, Status
from bananasd.store.keys import Keys
from tests.command_line import bananasd, on
from tests.conftest import wait_until

KEYS = Keys("default")
DUE = 900_000_000_000_000
COMMANDS = ("queues", "doctor")


@pytest.fixture
def tell(server):
    """What a command says that finds all well, or something that is not."""

    def run(*words):
        told = bananasd(*words, *on(server))
        assert told.exit_code in (0, 1), told.output
        return told.output

    return run


@pytest.mark.parametrize("end", ["1e300", "9e15", "inf"])
def test_a_pause_until_a_year_beyond_all_calendars_lasts_until_it_is_resumed(server, client, tell, end):
    job_id = client.submit_job("greet", {})
    server.call("ZADD", KEYS.paused, end, "default")
    assert client.paused() == {"default": None}
    for command in COMMANDS:
        tell(command)
    assert "queue default is paused until" in tell("explain", job_id).lower()
    assert client.resume("default")
    assert client.paused() == {}


def test_a_job_that_is_due_beyond_the_year_9999_is_explained(server, client, tell):
    job_id = client.submit_job_scheduled("greet", {}, Priority.NORMAL, timedelta(hours=1))
    server.call("HSET", KEYS.job(job_id), "due_at", DUE)
    server.call("ZADD", KEYS.scheduled, DUE, job_id)
    assert client.get_job(job_id).status is Status.SCHEDULED
    assert "beyond the year 9999" in tell("explain", job_id)


def test_a_node_whose_lease_ended_before_all_time_is_told(server, tell):
    server.call("ZADD", KEYS.nodes, "-inf", "n1")
    assert "its lease ended 3650000d ago" in tell("doctor")
    for command in COMMANDS:
        tell(command)


def test_a_counter_that_is_no_number_of_redis_is_left_out(server, client, tell):
    server.call("HSET", KEYS.stats, "completed", "9" * 5000, "failed", "9" * 19)
    wait_until(lambda: client.queue_stats().counters.get("failed") == int("9" * 19))
    assert "completed" not in client.queue_stats().counters
    for command in COMMANDS:
        tell(command)
