"""Firing against a real server, whose keys say what was last; no test waits for a slot."""

import logging

import pytest

from bananasd.processes.firing import MAX_PLANS, Firing
from bananasd.schedule import Schedule
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.schedules import ScheduleStore
from bananasd.store.store import Store
from tests.conftest import wait_until

MINUTE_MS, DAY_MS = 60_000, 86_400_000


class Place:
    """A namespace with schedules, and schedulers that fire them."""

    def __init__(self, url):
        self.connection = HeldConnection(Server(url, 5))
        self.schedules = ScheduleStore(self.connection, "test")
        self.keys = self.schedules.keys
        self.firing = Firing(self.schedules)

    def call(self, *command):
        (reply,) = self.connection.trip([command])
        return reply

    def now(self):
        seconds, micros = self.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def put(self, name="s", **settings):
        schedule = Schedule(**{"name": name, "job": "greet", "every": "1m", **settings})
        self.schedules.put("client", {name: schedule.encode()})
        return schedule

    def age(self, minutes, name="s"):
        """It last fired at the start of a minute so long ago."""
        now = self.now()
        last = now - now % MINUTE_MS - minutes * MINUTE_MS
        self.call("HSET", self.keys.fired, name, last)
        return last

    def last(self, name="s"):
        return int(self.call("HGET", self.keys.fired, name))

    def fire(self, firing=None):
        firing = firing or self.firing
        firing.note(self.schedules.promote_and_read(firing.version)[1])
        return firing.fire()

    def made(self):
        """The slots of the jobs that wait, in their order."""
        ids = self.call("LRANGE", f"{self.keys.prefix}ready:default:normal", 0, -1)
        return [int(self.call("HGET", self.keys.job(job_id.decode()), "due_at")) for job_id in ids]


@pytest.fixture
def place(server):
    # A minute's turn amid a test would be a slot more.
    place = Place(server.url)
    wait_until(lambda: place.now() % MINUTE_MS < MINUTE_MS - 2_000)
    yield place
    place.connection.close()


def floor(ms, period_ms):
    return ms - ms % period_ms


def minutes(first, *numbers):
    return [first + number * MINUTE_MS for number in numbers]


def test_without_schedules_there_is_nothing_to_wait_for(place):
    assert place.fire() is None


def test_a_new_schedule_fires_nothing_and_its_next_slot_is_waited_for(place):
    place.put()
    seconds = place.fire()
    assert 0 < seconds <= 60
    assert place.made() == []


def test_what_is_due_is_fired_once_by_any_number_of_schedulers(place):
    place.put()
    last = place.age(1)
    for firing in (place.firing, place.firing, Firing(place.schedules)):
        place.fire(firing)
    assert place.made() == minutes(last, 1)


@pytest.mark.parametrize(
    ("misfire", "made", "missed"), [("skip", [5], "4"), ("once", [4, 5], "3"), ("all", [1, 2, 3, 4, 5], "")]
)
def test_missed_slots_are_made_up_for_as_the_schedule_says(place, caplog, misfire, made, missed):
    place.put(misfire=misfire)
    last = place.age(5)
    for firing in (place.firing, place.firing, Firing(place.schedules)):
        place.fire(firing)
    assert place.made() == minutes(last, *made)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ([f"schedule missed name=s slots={missed} misfire={misfire}"] if missed else [])


@pytest.mark.parametrize(("misfire", "made"), [("skip", 1), ("once", 2)])
def test_after_a_jump_of_the_servers_clock_a_short_period_makes_no_burst(place, misfire, made):
    place.put(every="30s", misfire=misfire)
    place.call("HSET", place.keys.fired, "s", place.now() - 120 * MINUTE_MS)
    latest = floor(place.now(), 30_000)
    for firing in (place.firing, place.firing, Firing(place.schedules)):
        place.fire(firing)
    # One more if a slot's time has come in the middle.
    assert made <= len(place.made()) <= made + 1
    assert latest <= place.made()[-1] <= floor(place.now(), 30_000)


def test_a_slot_that_was_given_up_stays_so_when_the_policy_changes(place):
    place.put(every="1d")
    place.call("HSET", place.keys.fired, "s", place.now() - 3 * DAY_MS)
    place.fire()
    place.put(every="1d", misfire="all")
    place.fire()
    assert place.made() in ([], [floor(place.now(), DAY_MS)])  # at midnight, the one that is in time
    assert place.now() - place.last() < DAY_MS + MINUTE_MS


def test_no_more_than_a_hundred_are_made_up_for(place):
    place.put(misfire="all")
    last = place.age(1000)
    place.fire()
    assert place.made() == minutes(last, *range(900, 1001))


def test_a_schedule_that_has_changed_is_read_again_and_not_fired_as_it_was(place):
    place.put(payload=1)
    place.firing.note(place.schedules.promote_and_read("")[1])
    place.put(payload=2)
    last = place.age(1)
    place.firing._plans[0].done_ms = last
    place.firing._plans[0].next_ms = last + MINUTE_MS
    assert place.firing.fire() == 0
    assert (place.firing.version, place.made()) == ("", [])
    place.fire()
    assert place.made() == minutes(last, 1)


@pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS])
def test_a_scheduler_that_is_wrong_about_the_time_is_put_right_by_the_server(place, off_ms):
    place.put()
    last = place.age(1)
    place.firing.note(place.schedules.promote_and_read("")[1])
    place.firing._now_ms += off_ms
    place.firing.fire()
    place.fire()
    assert place.made() == minutes(last, 1)


def test_a_schedule_that_rests_fires_nothing(place):
    place.put(enabled=False, misfire="all")
    place.age(5)
    assert place.fire() is None
    assert place.made() == []


def test_one_that_cannot_be_read_is_told_and_harms_no_other(place, caplog):
    place.put()
    last = place.age(1)
    place.call("HSET", place.keys.schedules, "bad", '{"v": 1, "job": "x", "every": "never"}')
    place.call("HSET", place.keys.schedules, b"\xff", "x")
    place.fire()
    assert place.made() == minutes(last, 1)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "schedule unreadable name='bad': every 'never'" in told


def test_many_that_are_due_together_are_fired_some_at_a_time(place):
    many = 2 * MAX_PLANS + 1
    for number in range(many):
        place.put(f"s{number}")
        last = place.age(1, f"s{number}")
    place.firing.note(place.schedules.promote_and_read("")[1])
    assert [place.firing.fire() for _ in range(2)] == [0, 0]
    assert len(place.made()) == 2 * MAX_PLANS
    assert place.firing.fire() > 0
    assert place.made() == [last + MINUTE_MS] * many


def test_a_clock_that_was_set_back_by_days_has_them_counted_anew(place):
    place.put()
    place.fire()
    far = place.now() + 3 * DAY_MS
    place.call("HSET", place.keys.fired, "s", far)
    place.firing._plans[0].be_done(far)
    place.fire()
    place.fire()
    assert place.last() <= place.now()
    assert place.fire() <= 60


def test_what_was_promoted_is_promoted_in_the_same_trip(place):
    assert Store(place.connection, "test").promote() == place.schedules.promote_and_read("")[0]


class Counted:
    """A transport that counts its trips."""

    def __init__(self, transport):
        self.transport, self.trips = transport, 0

    def trip(self, commands):
        self.trips += 1
        return self.transport.trip(commands)


def test_while_nothing_is_due_schedules_cost_no_trip_of_their_own(place):
    place.put()
    counted = Counted(place.connection)
    store = ScheduleStore(counted, "test")
    firing = Firing(store)
    for trips in (1, 2, 3):
        firing.note(store.promote_and_read(firing.version)[1])
        firing.fire()
        assert counted.trips == trips
