"""fire: submit the job of a slot, once."""

import orjson
import pytest

from bananasd.store.connection import HeldConnection, Server
from bananasd.store.schedules import ScheduleStore

HOUR_MS = 3_600_000


def test_a_slot_becomes_a_pending_job_that_says_which_schedule_made_it(world):
    slot = world.plan(-1, queue="gpu", priority="high", payload=[1])
    world.take_tokens()
    assert world.fire(slot) == ["fired"]
    record = world.record(slot.job_id)
    assert (record["status"], record["lane"], record["due_at"]) == ("pending", "gpu:high", str(slot.slot_ms))
    spec = orjson.loads(record["spec"])
    assert spec["schedule"] == {"name": "hourly", "slot": slot.slot_ms}
    assert spec["payload"] == [1]
    assert (world.ready("gpu:high"), world.tokens("gpu:high")) == ([slot.job_id], 1)
    assert world.counter("submitted") == 1
    assert world.last() == slot.slot_ms


def test_a_repeat_after_a_lost_reply_makes_no_second_job(world):
    slot = world.plan(-1)
    assert [world.fire(slot), world.fire(slot)] == [["fired"], ["known"]]
    assert world.ready() == [slot.job_id]


def test_of_two_schedulers_that_come_with_a_slot_one_makes_the_job(server, world):
    slot = world.plan(-1)
    other = HeldConnection(Server(server.url, 5))
    outcomes = [world.fire(slot)[0], ScheduleStore(other, "test").fire([slot])[0][0]]
    other.close()
    assert outcomes == ["fired", "known"]
    assert world.counter("submitted") == 1


def test_the_job_has_ended_and_its_record_is_gone_and_its_slot_stays_fired(world):
    slot = world.plan(-1)
    world.fire(slot)
    world.call("DEL", world.keys.job(slot.job_id), f"{world.keys.prefix}ready:default:normal")
    assert world.fire(slot) == ["known"]
    assert world.ready() == []


def test_a_server_that_has_lost_the_last_slot_knows_the_job(world):
    slot = world.plan(-1)
    before = world.last()
    world.fire(slot)
    world.call("HSET", world.keys.fired, "hourly", before)
    assert world.fire(slot) == ["known"]
    assert world.ready() == [slot.job_id]
    assert world.last() == slot.slot_ms


def test_slots_fire_in_their_order_in_one_trip(world):
    later = world.plan(-5, -1)
    earlier = world.slot(_schedule(later), later.slot_ms - 3)
    assert world.fire(earlier, later) == ["fired", "fired"]
    assert world.ready() == [earlier.job_id, later.job_id]


def test_a_slot_that_passes_makes_no_job_and_is_not_fired_later(world):
    slot = world.plan(-1)
    assert world.fire(slot._replace(spec=b"")) == ["passed"]
    assert (world.ready(), world.last()) == ([], slot.slot_ms)
    assert world.fire(slot) == ["known"]


def test_a_slot_before_the_last_one_does_not_fire(world):
    later = world.plan(-5, -1)
    earlier = world.slot(_schedule(later), later.slot_ms - 3)
    assert world.fire(later, earlier) == ["fired", "known"]
    assert world.ready() == [later.job_id]


def test_a_slot_of_the_future_waits_whatever_the_callers_clock_says(world):
    """So does one that comes again after the server's clock was set back."""
    slot = world.plan(HOUR_MS)
    before = world.dump()
    ((what, now_ms),) = world.schedules.fire([slot])
    assert what == "early"
    assert slot.slot_ms - HOUR_MS <= now_ms < slot.slot_ms
    assert world.dump() == before


@pytest.mark.parametrize("change", [{"payload": 1}, {"enabled": False}, {"every": "2h"}, {"job": "other"}])
def test_a_schedule_that_has_changed_meanwhile_does_not_fire_as_it_was(world, change):
    slot = world.plan(-1)
    world.plan(-1, **change)
    before = world.dump()
    assert world.fire(slot) == ["changed"]
    assert world.dump() == before


def test_without_a_last_slot_nothing_fires_until_schedules_are_read_again(world):
    slot = world.plan(-1)
    world.call("DEL", world.keys.fired)
    assert world.fire(slot) == ["changed"]
    world.schedules.read()
    assert world.fire(slot) == ["known"]


def _schedule(slot):
    from bananasd.schedule import read_schedule

    return read_schedule(slot.name, slot.definition)
