"""read_schedules: every schedule with its last slot, if they have changed."""

import pytest

from bananasd.store.schedules import Entry

DAY_MS = 86_400_000


def test_nothing_is_there_at_first(world):
    reading = world.schedules.read()
    assert (reading.version, reading.entries) == ("0", [])
    assert world.dump() == {}


def test_all_are_read_once_and_again_when_one_has_changed(world):
    slot = world.plan(-1)
    _, reading, _ = world.schedules.promote_and_read("")
    assert reading.entries == [Entry("hourly", slot.definition, world.last())]
    assert world.schedules.promote_and_read(reading.version)[1].entries is None
    world.plan(-1, name="other")
    assert len(world.schedules.promote_and_read(reading.version)[1].entries) == 2


def test_the_same_trip_promotes(world):
    (due,) = world.schedule(-1)
    assert world.schedules.promote_and_read("")[0] == (1, None)
    assert world.ready() == [due]


def test_it_tells_the_servers_now(world):
    before = world.now()
    assert before <= world.schedules.read().now_ms <= world.now()


@pytest.mark.parametrize("last", [None, "", "x", "nan", "inf", "-5", 10**15, "far"])
def test_a_schedule_without_a_last_slot_that_can_be_begins_now(world, last):
    world.plan(-1)
    if last is None:
        world.call("HDEL", world.keys.fired, "hourly")
    else:
        ahead = world.now() + DAY_MS + 60_000
        world.call("HSET", world.keys.fired, "hourly", ahead if last == "far" else last)
    before = world.now()
    ((_, _, last_ms),) = world.schedules.read().entries
    assert before <= last_ms <= world.now()
    assert world.last() == last_ms


def test_slots_up_to_a_day_ahead_stay_fired(world):
    """The server's clock was set back: they have been, and do not come twice."""
    world.plan(-1)
    ahead = world.now() + DAY_MS - 60_000
    world.call("HSET", world.keys.fired, "hourly", ahead)
    assert world.schedules.read().entries[0].last_ms == ahead
