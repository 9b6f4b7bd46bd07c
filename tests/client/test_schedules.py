"""The client's calls for schedules."""

from datetime import UTC, datetime, timedelta

import pytest

from bananasd import Client, InvalidJob, Schedule
from bananasd.store import schedules as store_schedules


def hourly(name="hourly", **settings):
    return Schedule(**{"name": name, "job": "greet", "every": "1h", **settings})


@pytest.fixture
def store(world):
    return world.schedules


def test_what_was_put_is_listed_with_its_slots(client):
    before = datetime.now(UTC) - timedelta(seconds=1)
    client.put_schedule(hourly("b", payload={"a": 1}, priority="high"))
    client.put_schedule(hourly("a", enabled=False))
    a, b = client.schedules()
    assert (a.name, a.next_at, b.name, b.payload, b.priority, b.source) == (
        "a",
        None,
        "b",
        {"a": 1},
        "high",
        "client",
    )
    assert before <= b.last_at < b.next_at <= b.last_at + timedelta(hours=1)
    assert (b.next_at.minute, b.next_at.second) == (0, 0)


def test_one_that_was_listed_can_be_changed_and_put(client):
    from dataclasses import replace

    client.put_schedule(hourly())
    (before,) = client.schedules()
    client.put_schedule(replace(before, payload=5))
    (after,) = client.schedules()
    assert (after.payload, after.last_at) == (5, before.last_at)


def test_one_is_removed_once(client):
    client.put_schedule(hourly())
    assert [client.remove_schedule("hourly"), client.remove_schedule("hourly")] == [True, False]
    assert client.schedules() == []


def test_one_of_a_configuration_is_not_changed(client, store):
    store.put("config", {"hourly": hourly(source="config").encode()})
    with pytest.raises(InvalidJob, match="'hourly' is in the configuration of a daemon"):
        client.put_schedule(hourly())
    assert client.schedules()[0].source == "config"


def test_there_is_an_end_to_their_number(client, monkeypatch):
    monkeypatch.setattr(store_schedules, "MAX_SCHEDULES", 1)
    client.put_schedule(hourly("a"))
    with pytest.raises(InvalidJob, match="schedule 'b': there are"):
        client.put_schedule(hourly("b"))


def test_one_that_cannot_be_read_is_left_out(client, store, server):
    client.put_schedule(hourly())
    server.call("HSET", store.keys.schedules, "bad", "{")
    assert [schedule.name for schedule in client.schedules()] == ["hourly"]


@pytest.mark.parametrize("call", [lambda c: c.put_schedule("hourly"), lambda c: c.remove_schedule("")])
def test_what_could_never_be_right_is_refused(client: Client, call):
    with pytest.raises(InvalidJob):
        call(client)


def test_namespaces_have_schedules_of_their_own(client, server):
    client.put_schedule(hourly())
    with Client(server.url, namespace="other") as other:
        assert other.schedules() == []
