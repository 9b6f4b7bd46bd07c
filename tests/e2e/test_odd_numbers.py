"""Numbers that others have written, and that no clock or calendar goes as far as: every command tells what it can."""

import json
from datetime import timedelta

import pytest

from bananasd import Priority, Status
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys, lanes_of
from bananasd.store.store import Store
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


@pytest.fixture
def tell_json(server):
    """The same for programs: JSON, which knows no infinity."""

    def run(*words):
        told = bananasd(*words, "--json", *on(server))
        assert told.exit_code in (0, 1), told.output
        return json.loads(told.stdout, parse_constant=pytest.fail)

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


ODD_LEASES = ["-inf", "inf", "1e300", "-1e300", "9e15", "-1", "0", "0.5", "1e-300"]


@pytest.mark.parametrize("lease_end", ODD_LEASES)
def test_a_job_that_a_node_of_an_odd_lease_holds_is_explained_in_json(
    server, client, tell, tell_json, lease_end
):
    job_id = client.submit_job("greet", {})
    store = Store(HeldConnection(Server(server.url, 5)), "default")
    store.enter("n1/1.1", "n1", 60_000, {})
    store.settle_and_claim([], "n1/1.1", "n1", lanes_of(("default",)), 1)
    server.call("ZADD", KEYS.nodes, lease_end, "n1")
    for beat in ({"beat_at": 1, "alive_since": 1}, {"beat_at": -(2**63), "alive_since": 2**63 - 1}):
        server.call("HSET", KEYS.node("n1"), *(word for pair in beat.items() for word in pair))
        told = tell_json("explain", job_id)
        is_over = float(lease_end) < 1000
        assert told["reason"] == ("lost" if is_over else "running")
        tell("explain", job_id)
    for command in COMMANDS:
        tell_json(command)


@pytest.mark.parametrize("end", ["-inf", "inf", "1e300", "9e15", "0", "0.5"])
def test_a_pause_of_any_end_is_told_in_json(server, client, tell_json, end):
    job_id = client.submit_job("greet", {})
    server.call("ZADD", KEYS.paused, end, "default", end, "*")
    for words in (("queues",), ("doctor",), ("explain", job_id)):
        tell_json(*words)


@pytest.mark.parametrize("score", ["-inf", "inf", "1e300"])
def test_dead_letters_of_no_calendar_are_listed(server, client, tell, tell_json, score):
    job_id = client.submit_job("greet", {})
    server.call("HSET", KEYS.job(job_id), "status", "failed", "finished_at", "9" * 18)
    server.call("ZADD", KEYS.dead, score, job_id)
    assert [job["id"] for job in tell_json("dead", "list")] == [job_id]
    assert job_id[:8] in tell("dead", "list")


def test_a_counter_that_is_no_number_of_redis_is_left_out(server, client, tell):
    server.call("HSET", KEYS.stats, "completed", "9" * 5000, "failed", "9" * 19)
    wait_until(lambda: client.queue_stats().counters.get("failed") == int("9" * 19))
    assert "completed" not in client.queue_stats().counters
    for command in COMMANDS:
        tell(command)
