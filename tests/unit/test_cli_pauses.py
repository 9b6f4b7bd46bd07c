"""``bananasd pause``, ``bananasd resume``, and how ``bananasd queues`` shows what is paused."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from bananasd import Client
from tests.command_line import bananasd, on
from tests.conftest import RedisServer


def test_a_queue_is_paused_until_it_is_resumed(server: RedisServer, client: Client) -> None:
    result = bananasd("pause", "mail", *on(server))
    assert (result.exit_code, result.stdout) == (0, "paused: queue mail until it is resumed\n")
    assert client.paused() == {"mail": None}
    result = bananasd("resume", "mail", *on(server))
    assert (result.exit_code, result.stdout) == (0, "nothing is paused\n")


def test_everything_is_paused_for_a_time(server: RedisServer, client: Client) -> None:
    result = bananasd("pause", "--for", "10m", *on(server))
    assert re.fullmatch(r"paused: everything until 20\S+\+00:00\n", result.stdout)
    end = client.paused()["*"]
    assert timedelta(minutes=9) < end - datetime.now(UTC) < timedelta(minutes=11)


def test_a_queue_to_which_no_job_has_come_is_paused_with_a_hint(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None, queue="email")
    result = bananasd("pause", "emial", *on(server))
    assert (result.exit_code, result.stdout) == (0, "paused: queue emial until it is resumed\n")
    assert (
        result.stderr == "bananasd: warning: no job has come to a queue 'emial' yet; did you mean 'email'?\n"
    )
    assert bananasd("pause", "email", *on(server)).stderr == ""
    assert bananasd("pause", *on(server)).stderr == ""
    assert client.paused() == {"emial": None, "email": None, "*": None}


def test_what_stays_paused_is_told(server: RedisServer, client: Client) -> None:
    client.pause("mail")
    client.pause()
    result = bananasd("resume", *on(server))
    assert result.stdout == "paused: queue mail until it is resumed\n"


def test_to_resume_what_is_not_paused_says_so_and_is_no_error(server: RedisServer, client: Client) -> None:
    client.pause("mail")
    result = bananasd("resume", *on(server))
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "everything was not paused")
    assert bananasd("resume", "gpu", *on(server)).stdout.splitlines()[0] == "queue gpu was not paused"
    assert client.paused() == {"mail": None}


def test_queues_show_what_is_paused_and_how_many_have_expired(server: RedisServer, client: Client) -> None:
    client.pause("mail")
    server.call("HSET", "{bananas:default}:stats", "expired", 1200)
    lines = [line.split(maxsplit=1) for line in bananasd("queues", *on(server)).stdout.splitlines() if line]
    assert ["paused", "queue mail until it is resumed"] in lines
    assert ["expired", "1,200 so far"] in lines


def test_queues_show_what_is_paused_as_json(server: RedisServer, client: Client) -> None:
    client.pause("mail")
    client.pause(seconds=60)
    told = json.loads(bananasd("queues", "--json", *on(server)).stdout)["paused"]
    assert told["mail"] is None
    assert datetime.fromisoformat(told["*"]) == client.paused()["*"]


def test_no_time_is_told_of_the_option_that_was_typed(server: RedisServer) -> None:
    result = bananasd("pause", "--for", "0", *on(server))
    assert result.stderr.startswith(
        "bananasd: Invalid value for '--for': '0' is no time at all: want more than 0"
    )


@pytest.mark.parametrize(
    "args",
    [["pause", "a b"], ["pause", "*"], ["pause", "--for", "soon"], ["pause", "--for", "0"], ["resume", ""]],
)
def test_what_can_never_be_right_is_wrong_usage_and_one_line(
    server: RedisServer, client: Client, args: list[str]
) -> None:
    result = bananasd(*args, *on(server))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert client.paused() == {}
