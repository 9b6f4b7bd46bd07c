"""``bananasd schedules`` against a real server."""

import json
from datetime import datetime

import pytest

from bananasd import Client, Schedule
from tests.command_line import bananasd, on
from tests.conftest import RedisServer


@pytest.fixture
def put(client: Client) -> None:
    client.put_schedule(
        Schedule(name="nightly", job="report", cron="30 3 * * *", timezone="Asia/Kathmandu", payload=[1])
    )
    client.put_schedule(Schedule(name="resting", job="ping\u202e", every="90s", enabled=False))


@pytest.mark.parametrize("words", [(), ("list",)])
def test_the_list_shows_when_each_fires(server: RedisServer, put: None, words: tuple[str, ...]) -> None:
    result = bananasd("schedules", *words, *on(server))
    header, nightly, resting = result.stdout.splitlines()
    assert header.split() == ["NAME", "WHEN", "ZONE", "JOB", "NEXT", "LAST", "SOURCE"]
    assert nightly.split()[:8] == ["nightly", "30", "3", "*", "*", "*", "Asia/Kathmandu", "report"]
    assert " 03:30:00 " in nightly
    assert resting.split()[:5] == ["resting", "every", "90s", "UTC", "ping\\u202e"]
    assert "rests" in resting
    assert resting.endswith("client")


def test_programs_get_json(server: RedisServer, put: None) -> None:
    nightly, resting = json.loads(bananasd("schedules", "--json", *on(server)).stdout)
    assert {name: nightly[name] for name in ("name", "job", "cron", "every", "timezone", "payload", "source")} == {
        "name": "nightly", "job": "report", "cron": "30 3 * * *", "every": None, "timezone": "Asia/Kathmandu",
        "payload": [1], "source": "client",
    }  # fmt: skip
    assert datetime.fromisoformat(nightly["next_at"]).strftime("%H:%M %z") == "21:45 +0000"
    assert nightly["last_at"]
    assert (resting["next_at"], resting["enabled"]) == (None, False)


def test_without_any_there_is_an_empty_table(server: RedisServer) -> None:
    assert len(bananasd("schedules", *on(server)).stdout.splitlines()) == 1


def test_one_is_removed(server: RedisServer, client: Client, put: None) -> None:
    assert bananasd("schedules", "remove", "nightly", *on(server)).exit_code == 0
    assert [schedule.name for schedule in client.schedules()] == ["resting"]
    result = bananasd("schedules", "remove", "nightly", *on(server))
    assert (result.exit_code, result.stderr) == (1, "bananasd: there is no schedule 'nightly'\n")


def test_the_help_of_the_group_names_its_commands() -> None:
    text = bananasd("schedules", "--help").stdout
    assert "list" in text
    assert "remove" in text


def test_the_help_of_the_group_has_the_options_that_it_takes() -> None:
    text = bananasd("schedules", "--help").stdout
    assert all(option in text for option in ("--json", "--config", "--url", "--namespace", "--help"))
    assert text.index("Options:") < text.index("Commands:")
