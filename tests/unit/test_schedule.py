"""Schedules as they are declared, kept and judged; pure."""

import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bananasd import InvalidJob, Job, Priority
from bananasd.record import read_spec
from bananasd.schedule import MAX_CATCH_UP, MISSED_AFTER_MS, Schedule, faults_of, read_schedule

MINUTE_MS = 60_000
NOON_MS = 1_767_268_800_000


def schedule(**settings):
    given = {"name": "nightly", "job": "report", "every": "1m", **settings}
    return Schedule(**given)


# What can be declared


@pytest.mark.parametrize(
    ("every", "text"), [(timedelta(minutes=1), "60s"), (timedelta(days=100, milliseconds=1500), "8640001.5s")]
)
def test_a_timedelta_is_taken_as_its_seconds(every, text):
    assert schedule(every=every).every == text


@pytest.mark.parametrize(
    ("settings", "field", "problem"),
    [
        ({"name": ""}, "name", "name '': want 1 to 200 characters"),
        ({"job": None}, "job", "job None: want 1 to 200 characters"),
        ({"every": None}, "cron", "want either cron"),
        (
            {"cron": "* * * * *"},
            "cron",
            "schedule 'nightly': both cron ('* * * * *') and every ('1m') are given",
        ),
        ({"every": "often"}, "every", "every 'often'"),
        ({"every": None, "cron": "61 * * * *"}, "cron", "schedule 'nightly': cron '61 * * * *': bad minute"),
        ({"every": None, "cron": "@daily", "timezone": "Mars"}, "timezone", "no such zone"),
        ({"priority": "urgent"}, "priority", "priority 'urgent': want high, normal or low"),
        ({"queue": "a b"}, "queue", "queue 'a b'"),
        ({"description": 5}, "description", "description 5: want text"),
        ({"misfire": "never"}, "misfire", "misfire 'never': want skip, once or all"),
        ({"enabled": "yes"}, "enabled", "enabled 'yes': want true or false"),
        ({"payload": {"x": float("nan")}}, "payload", "NaN"),
        ({"payload": "x" * 70_000}, "payload", "at most 65,536 are taken"),
    ],
)
def test_what_could_never_be_right_is_refused_and_its_setting_named(settings, field, problem):
    given = {"name": "nightly", "job": "report", "every": "1m", **settings}
    with pytest.raises(InvalidJob) as caught:
        Schedule(**given)
    assert problem in str(caught.value)
    assert [found for found, _ in faults_of(given)] == [field]


def test_all_faults_are_told_at_once():
    assert [field for field, _ in faults_of({"queue": "", "misfire": 1})] == [
        "name",
        "job",
        "queue",
        "misfire",
        "cron",
    ]


# As Redis keeps it

payloads = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None)
@given(
    payloads,
    st.sampled_from(Priority),
    st.sampled_from(["skip", "once", "all"]),
    st.booleans(),
    st.sampled_from([{"every": "5m"}, {"cron": "@daily", "timezone": "Asia/Tehran", "every": None}]),
)
def test_a_definition_reads_back_as_it_was_written(payload, priority, misfire, enabled, when):
    one = schedule(
        payload=payload, priority=priority, misfire=misfire, enabled=enabled, source="config", **when
    )
    definition = one.encode()
    read = read_schedule("nightly", definition)
    assert (read, read.encode()) == (one, definition)


def test_what_a_later_version_has_added_is_no_obstacle():
    definition = orjson.dumps({**orjson.loads(schedule().encode()), "colour": "green", "name": "other"})
    assert read_schedule("nightly", definition) == schedule()


@pytest.mark.parametrize(
    ("definition", "problem"),
    [(b"{", "not JSON"), (b"[]", "of a version"), (b'{"v":2,"job":"x","every":"1s"}', "of a version"),
     (b'{"v":1,"every":"1s"}', "job None"), (b'{"v":1,"job":"x"}', "want either")],
)  # fmt: skip
def test_a_definition_that_cannot_be_used_is_told(definition, problem):
    with pytest.raises(InvalidJob, match=f"^(its definition is )?{problem}"):
        read_schedule("nightly", definition)


# The job of a slot


def test_the_job_of_a_slot_has_always_the_same_id_and_no_other_has_it():
    one = schedule()
    assert one.job_id("a", 1) == one.job_id("a", 1) == schedule(payload=5).job_id("a", 1)
    ids = {one.job_id("a", 1), one.job_id("b", 1), one.job_id("a", 2), schedule(name="other").job_id("a", 1)}
    assert len(ids) == 4
    assert all(str(uuid.UUID(job_id)) == job_id for job_id in ids)


def test_the_job_of_a_slot_says_which_one_made_it():
    one = schedule(payload={"a": [1]}, description="the numbers", queue="gpu", priority="high")
    job = Job("id", read_spec(one.spec(NOON_MS, NOON_MS + 5)), one.lane)
    assert (job.name, job.payload, job.description, job.queue, job.priority) == (
        "report", {"a": [1]}, "the numbers", "gpu", Priority.HIGH
    )  # fmt: skip
    assert (job.schedule, job.slot_at) == ("nightly", datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert job.created_ms == NOON_MS + 5
    assert job.to_dict()["slot_at"] == "2026-01-01T12:00:00.000+00:00"


@pytest.mark.parametrize("made_by", [None, 5, [], {}, {"name": 5, "slot": "x"}, {"slot": 2**62}])
def test_a_job_that_no_schedule_made_says_so(made_by):
    job = Job("id", {"schedule": made_by}, "default:normal")
    assert (job.schedule, job.slot_at) == (None, None)


# What is due


def slots(*minutes):
    return [NOON_MS + minute * MINUTE_MS for minute in minutes]


def test_a_slot_is_due_from_its_time_on_and_up_to_a_minute_late_under_each_policy():
    for misfire in ("skip", "once", "all"):
        one = schedule(misfire=misfire)
        assert one.due(NOON_MS, NOON_MS + MINUTE_MS - 1) == ([], 0, None)
        assert one.due(NOON_MS, NOON_MS + MINUTE_MS) == (slots(1), 0, None)
        assert one.due(NOON_MS, NOON_MS + 2 * MINUTE_MS - 1) == (slots(1), 0, None)


def test_slots_that_are_later_than_a_minute_were_missed():
    now = NOON_MS + 5 * MINUTE_MS + 1
    assert schedule(misfire="skip").due(NOON_MS, now) == (slots(5), 4, slots(4)[0])
    assert schedule(misfire="once").due(NOON_MS, now) == (slots(4, 5), 3, None)
    assert schedule(misfire="all").due(NOON_MS, now) == (slots(1, 2, 3, 4, 5), 0, None)


@pytest.mark.parametrize("away_ms", [10_000, 7_200_000])
def test_of_slots_that_follow_each_other_in_less_than_a_minute_only_the_latest_is_in_time(away_ms):
    def due(misfire):
        found = schedule(every="2s", misfire=misfire).due(NOON_MS, now)
        return [NOON_MS + away_ms - slot for slot in found.slots], found.given_up

    now = NOON_MS + away_ms + 1_999
    assert due("skip") == ([0], min(away_ms // 2_000 - 1, MAX_CATCH_UP))
    assert due("once") == ([2_000, 0], min(away_ms // 2_000 - 2, MAX_CATCH_UP - 1))
    made = min(away_ms // 2_000, MAX_CATCH_UP + 1)
    assert due("all") == ([2_000 * number for number in reversed(range(made))], 0)


@given(
    st.sampled_from(["1s", "2s", "7s", "59.5s", "1m", "3m"]),
    st.sampled_from(["skip", "once", "all"]),
    st.lists(st.integers(0, 200_000), max_size=8),
)
def test_however_often_and_late_it_is_looked_no_slot_is_due_twice_and_of_each_look_one_is_in_time_at_most(
    every, misfire, pauses_ms
):
    one, done, fired = schedule(every=every, misfire=misfire), NOON_MS, []
    for pause_ms in pauses_ms:
        due = one.due(done, done + pause_ms)
        done += pause_ms
        fired += due.slots
        assert misfire == "all" or len(due.slots) <= {"skip": 1, "once": 2}[misfire]
    assert fired == sorted(set(fired))


def test_no_more_than_a_hundred_are_made_up_for_and_they_are_the_latest():
    due = schedule(misfire="all").due(NOON_MS, NOON_MS + 500 * MINUTE_MS + 1)
    assert due.slots == slots(*range(400, 501))
    assert len(due.slots) == MAX_CATCH_UP + 1


def test_nothing_is_due_of_a_future_that_was_the_past():
    assert schedule(misfire="all").due(NOON_MS, NOON_MS - 10 * MISSED_AFTER_MS) == ([], 0, None)
