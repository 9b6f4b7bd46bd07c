"""put_schedules: put, change and remove the schedules of one source."""

import pytest

from bananasd.schedule import Schedule
from bananasd.store import schedules as store_schedules


def definition(source="client", **settings):
    return Schedule(**{"name": "s", "job": "greet", "every": "1h", "source": source, **settings}).encode()


def put(world, source="client", name="s", **settings):
    return world.schedules.put(source, {name: definition(source, **settings)})


def kept(world):
    return {name: text for name, text, _ in world.schedules.read().entries}


def version(world):
    return world.schedules.read().version


def test_a_new_schedule_begins_now_so_that_nothing_of_the_past_fires(world):
    before = world.now()
    assert put(world) == [("s", "put")]
    assert before <= world.last("s") <= world.now()
    assert kept(world) == {"s": definition()}


def test_what_is_as_it_should_be_is_left_alone_and_not_told(world):
    put(world)
    world.call("HSET", world.keys.fired, "s", 5)
    world.take_tokens()
    before = world.dump()
    assert put(world) == []
    assert world.dump() == before


def test_a_change_has_another_version_and_wakes_a_scheduler(world):
    versions = [version(world)]
    for payload in (1, 2):
        world.take_tokens()
        put(world, payload=payload)
        versions.append(version(world))
        assert world.call("LLEN", world.keys.wake_scheduled) == 1
    assert len(set(versions)) == 3


@pytest.mark.parametrize("change", [{"payload": 5}, {"priority": "high"}, {"misfire": "all"}])
def test_another_job_at_the_same_slots_goes_on_from_the_last_one(world, change):
    put(world)
    world.call("HSET", world.keys.fired, "s", 5)
    put(world, **change)
    assert world.last("s") == 5


@pytest.mark.parametrize("change", [{"every": "2h"}, {"every": None, "cron": "@hourly"}])
def test_other_slots_begin_now(world, change):
    put(world)
    world.call("HSET", world.keys.fired, "s", 5)
    put(world, **change)
    assert world.last("s") > 5


def test_another_zone_begins_now(world):
    put(world, every=None, cron="@daily")
    world.call("HSET", world.keys.fired, "s", 5)
    put(world, every=None, cron="@daily", timezone="Asia/Tehran")
    assert world.last("s") > 5


def test_what_has_rested_begins_now(world):
    put(world, enabled=False)
    world.call("HSET", world.keys.fired, "s", 5)
    put(world, enabled=True)
    assert world.last("s") > 5


@pytest.mark.parametrize(
    ("first", "second"), [("config", "client"), ("config", "handler"), ("client", "handler")]
)
def test_a_name_belongs_to_the_highest_source(world, first, second):
    put(world, second, payload=2)
    assert put(world, first, payload=1) == [("s", "put")]
    assert put(world, second, payload=2) == [("s", "kept")]
    assert kept(world) == {"s": definition(first, payload=1)}


def test_all_of_a_source_is_all_there_is_of_it(world):
    for source, name in (("config", "old"), ("config", "s"), ("client", "mine"), ("handler", "theirs")):
        put(world, source, name)
    assert world.schedules.put("config", {"s": definition("config")}, is_all=True) == [("old", "removed")]
    assert sorted(kept(world)) == ["mine", "s", "theirs"]
    assert world.last("old") is None
    assert world.schedules.put("config", {}, is_all=True) == [("s", "removed")]


def test_one_that_a_source_has_no_more_is_removed_if_it_is_its_own(world):
    put(world, "handler", "a")
    put(world, "config", "b")
    assert world.schedules.put("handler", {"a": b"", "b": b"", "none": b""}) == [("a", "removed")]
    assert sorted(kept(world)) == ["b"]


def test_no_more_than_there_may_be(world, monkeypatch):
    monkeypatch.setattr(store_schedules, "MAX_SCHEDULES", 2)
    assert [put(world, name=name) for name in "abc"] == [[("a", "put")], [("b", "put")], [("c", "full")]]
    assert put(world, name="a", payload=1) == [("a", "put")]
    both = {"c": definition(), "b": b""}
    assert world.schedules.put("client", both) == [("b", "removed"), ("c", "put")]
    assert sorted(kept(world)) == ["a", "c"]


@pytest.mark.parametrize("text", ["", "{", "5", '"x"', '{"source": 5}', '{"source": "nobody"}'])
def test_what_cannot_be_read_is_replaced(world, text):
    world.call("HSET", world.keys.schedules, "s", text)
    assert put(world, "handler") == [("s", "put")]
    assert kept(world) == {"s": definition("handler")}


def test_a_repeat_after_a_lost_reply_changes_nothing(world):
    world.schedules.put("config", {"a": definition("config")})
    put(world, "config", "b")
    for expected in ([("b", "removed"), ("c", "put")], []):
        assert world.schedules.put("config", {"b": b"", "c": definition("config")}) == expected
