"""The slots of schedules: pure, so Hypothesis takes them through years and zones."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bananasd import InvalidJob
from bananasd.cron import Every, latest_slots, timetable

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe",
    "Pacific/Apia", "Africa/Casablanca", "America/St_Johns",
]  # fmt: skip
zones = st.sampled_from(ZONES)
instants = st.integers(1_000_000_000_000, 2_200_000_000_000)
patient = settings(deadline=None)


@st.composite
def crons(draw):
    def field(low, high):
        value = st.integers(low, high).map(str)
        step = st.integers(1, high).map(lambda n: f"*/{n}")
        listed = st.lists(value, min_size=1, max_size=3).map(",".join)
        spread = st.tuples(st.integers(low, high), st.integers(low, high)).map(
            lambda pair: f"{min(pair)}-{max(pair)}"
        )
        return draw(st.one_of(st.just("*"), value, step, listed, spread))

    return f"{field(0, 59)} {field(0, 23)} {field(1, 28)} {field(1, 12)} {field(0, 7)}"


def local(zone, *fields):
    return datetime(*fields, tzinfo=ZoneInfo(zone))


def ms(instant):
    return round(instant.timestamp() * 1000)


def texts(table, start, count):
    """The next slots as the clocks of UTC show them."""
    slots = islice(table.slots_after(ms(start)), count)
    return [datetime.fromtimestamp(slot / 1000, UTC).strftime("%m-%d %H:%M") for slot in slots]


# In general


@patient
@given(crons(), zones, instants)
def test_each_slot_is_later_than_the_one_before_and_than_the_start(cron, zone, start):
    slots = list(islice(timetable(cron, None, zone).slots_after(start), 30))
    assert all(a < b for a, b in pairwise([start, *slots]))
    assert all(slot % 60_000 == 0 for slot in slots)


@patient
@given(crons(), zones, instants, st.integers(0, 29), st.integers(0, 999))
def test_whoever_begins_to_count_later_comes_to_the_same_slots(cron, zone, start, passed, more_ms):
    table = timetable(cron, None, zone)
    slots = list(islice(table.slots_after(start), 32))
    later = slots[passed] + more_ms
    assert list(islice(table.slots_after(later), 2)) == slots[passed + 1 : passed + 3]


@patient
@given(st.integers(1, 10**7), instants)
def test_every_counts_from_the_epoch(seconds, start):
    first, second = islice(timetable(None, f"{seconds}s", "UTC").slots_after(start), 2)
    assert first % (seconds * 1000) == 0
    assert start < first <= start + seconds * 1000
    assert second == first + seconds * 1000


@patient
@given(zones, instants)
def test_a_daily_job_runs_once_for_each_day_of_the_calendar(zone, start):
    slots = list(islice(timetable("30 2 * * *", None, zone).slots_after(start), 400))
    days = [datetime.fromtimestamp(slot / 1000, ZoneInfo(zone)).date() for slot in slots]
    skipped = {date(2011, 12, 30)}  # Samoa had no such day
    assert len(set(days)) == len(days) or zone == "Pacific/Apia"
    assert all(
        b - a == timedelta(days=1) or a + timedelta(days=1) in skipped or a == b for a, b in pairwise(days)
    )


@patient
@given(zones, instants)
@example("Europe/Berlin", ms(local("Europe/Berlin", 2026, 10, 25)))
@example("Europe/Berlin", ms(local("Europe/Berlin", 2026, 3, 29)))
@example("Australia/Lord_Howe", ms(local("Australia/Lord_Howe", 2026, 4, 5)))
@example("Australia/Lord_Howe", ms(local("Australia/Lord_Howe", 2026, 10, 4)))
def test_an_hourly_job_misses_no_hour(zone, start):
    """Only where clocks are moved by parts of an hour is one between two full hours longer or shorter."""
    slots = list(islice(timetable("@hourly", None, zone).slots_after(start), 2_000))
    odd = {HOUR_MS // 2, HOUR_MS * 3 // 2} if zone == "Australia/Lord_Howe" else set()
    assert {b - a for a, b in pairwise(slots)} - {HOUR_MS} <= odd


@cache
def transitions(zone):
    """When the clocks of a zone were moved, to the minute."""
    found = []
    for day in range(ms(datetime(2005, 1, 1, tzinfo=UTC)), 2_000_000_000_000, DAY_MS):
        before, after = day, day + DAY_MS
        if offset(zone, before) != offset(zone, after):
            while after - before > MINUTE_MS:
                middle = (before + after) // 2 // MINUTE_MS * MINUTE_MS
                if offset(zone, middle) == offset(zone, before):
                    before = middle
                else:
                    after = middle
            found.append(after)
    return found


def offset(zone, instant):
    return datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).utcoffset()


def shows(cron, zone, instant):
    """Whether the clock shows a time of this cron."""
    wall = datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    return next(CronSim(cron, wall - timedelta(seconds=1))) == wall


@patient
@given(
    st.sampled_from([zone for zone in ZONES if zone not in ("UTC", "Asia/Kathmandu")]), st.integers(0, 10**6),
    st.sampled_from(["* * * * *", "0 * * * *", "30 * * * *", "*/20 1-3 * * *", "0 */2 * * *", "15 */3 * * *", "*/7 2 * * *"]),
    st.integers(0, 240),
)  # fmt: skip
def test_where_clocks_are_moved_slots_go_by_what_they_show(zone, which, cron, minutes_before):
    moved_at = transitions(zone)[which % len(transitions(zone))]
    start, end = moved_at - minutes_before * MINUTE_MS, moved_at + 4 * HOUR_MS
    expected = [at for at in range(start + MINUTE_MS, end, MINUTE_MS) if shows(cron, zone, at)]
    assert (
        list(takewhile(lambda slot: slot < end, timetable(cron, None, zone).slots_after(start))) == expected
    )


@patient
@given(instants, st.integers(1, 10_000), st.integers(1, 50), st.integers(0, 40 * DAY_MS))
def test_the_latest_slots_are_the_end_of_all(start, every, limit, span):
    table = Every(every * 1000)
    slots = takewhile(lambda slot: slot <= start + span, table.slots_after(start))
    assert latest_slots(table, start, start + span, limit) == list(slots)[-limit:]


@patient
@given(crons(), zones, instants, st.integers(0, 3 * DAY_MS))
def test_the_latest_slots_of_cron_are_the_end_of_all(cron, zone, start, span):
    table = timetable(cron, None, zone)
    slots = takewhile(lambda slot: slot <= start + span, table.slots_after(start))
    assert latest_slots(table, start, start + span, 7) == list(slots)[-7:]


def test_a_year_of_every_minute_is_not_gone_through():
    now = ms(datetime(2026, 5, 1, tzinfo=UTC))
    walked = []

    class Counted:
        def slots_after(self, start):
            for slot in Every(60_000).slots_after(start):
                walked.append(slot)
                yield slot

    assert len(latest_slots(Counted(), now - 365 * DAY_MS, now, 100)) == 100
    assert len(walked) < 2_000


# Gaps and overlaps


def test_in_a_gap_a_daily_job_runs_once_at_the_end_of_the_gap():
    table = timetable("30 2 * * *", None, "Europe/Berlin")
    assert texts(table, local("Europe/Berlin", 2026, 3, 28), 3) == [
        "03-28 01:30",
        "03-29 01:00",
        "03-30 00:30",
    ]


def test_in_a_gap_times_that_fall_together_are_one():
    table = timetable("0,20,40 2,3 * * *", None, "Europe/Berlin")
    assert texts(table, local("Europe/Berlin", 2026, 3, 29), 4) == [
        "03-29 01:00", "03-29 01:20", "03-29 01:40", "03-30 00:00"
    ]  # fmt: skip


def test_in_an_overlap_a_daily_job_runs_once_at_its_first_time():
    table = timetable("30 2 * * *", None, "Europe/Berlin")
    assert texts(table, local("Europe/Berlin", 2026, 10, 24), 3) == [
        "10-24 00:30",
        "10-25 00:30",
        "10-26 01:30",
    ]


def test_begun_in_the_second_half_of_an_overlap_the_first_one_is_not_repeated():
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    table = timetable("30 2 * * *", None, "Europe/Berlin")
    assert texts(table, second, 1) == ["10-26 01:30"]


def test_in_an_overlap_a_job_of_every_half_hour_runs_in_both_halves():
    table = timetable("*/30 2 * * *", None, "Europe/Berlin")
    assert texts(table, local("Europe/Berlin", 2026, 10, 25), 4) == [
        "10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"
    ]  # fmt: skip


def test_in_a_gap_a_job_of_every_half_hour_runs_when_the_clock_shows_it():
    table = timetable("*/30 2-3 * * *", None, "Europe/Berlin")
    assert texts(table, local("Europe/Berlin", 2026, 3, 29), 3) == [
        "03-29 01:00",
        "03-29 01:30",
        "03-30 00:00",
    ]


def test_in_a_gap_of_half_an_hour_a_daily_job_runs_at_its_end():
    table = timetable("15 2 * * *", None, "Australia/Lord_Howe")
    assert texts(table, local("Australia/Lord_Howe", 2026, 10, 3), 3) == [
        "10-02 15:45",
        "10-03 15:30",
        "10-04 15:15",
    ]


# What is taken


@pytest.mark.parametrize(
    ("nickname", "fields"),
    [("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * SUN"),
     ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), (" @Annually ", "0 0 1 1 *")],
)  # fmt: skip
def test_a_nickname_stands_for_five_fields(nickname, fields):
    start = datetime(2026, 5, 5, tzinfo=UTC)
    assert texts(timetable(nickname, None, "UTC"), start, 5) == texts(
        timetable(fields, None, "UTC"), start, 5
    )


@pytest.mark.parametrize(
    ("cron", "every", "timezone", "problem"),
    [
        (None, None, "UTC", "either cron"),
        ("* * * * *", "1m", "UTC", "both cron ('* * * * *') and every ('1m') are given"),
        ("* * * *", None, "UTC", "want five fields"),
        ("* * * * * *", None, "UTC", "want five fields"),
        ("@reboot", None, "UTC", "want five fields"),
        (5, None, "UTC", "want five fields"),
        ("60 * * * *", None, "UTC", "cron '60 * * * *': bad minute '60': want 0 to 59, or *"),
        ("* * * * MOO", None, "UTC", "bad day-of-week 'MOO': want 0 to 7 or sun to sat"),
        ("0 0 30 2 *", None, "UTC", "cron '0 0 30 2 *': there is no such day"),
        ("0 0 30-31 2 *", None, "UTC", "there is no such day"),
        ("0 0 32 2 *", None, "UTC", "bad day-of-month '32': want 1 to 31"),
        ("0 0 LW 2 SUN#1", None, "UTC", None),
        ("0 0 1-3 * */7,L", None, "UTC", "bad day-of-week"),
        (None, "0.5s", "UTC", "every '0.5s': want a duration"),
        (None, "soon", "UTC", "want a duration"),
        (None, 90, "UTC", "want a duration"),
        (None, "5m", "Europe/Berlin", "goes with cron"),
        ("@daily", None, "Europe/Berlim", "timezone 'Europe/Berlim': no such zone"),
        ("@daily", None, "../../etc/passwd", "no such zone"),
        ("@daily", None, "Europe", "no such zone"),
        ("@daily", None, "", "no such zone"),
        ("@daily", None, None, "no such zone"),
    ],
)
def test_what_can_never_be_is_refused_with_what_is_wanted(cron, every, timezone, problem):
    if problem is None:
        assert timetable(cron, every, timezone)
        return
    with pytest.raises(InvalidJob) as caught:
        timetable(cron, every, timezone)
    assert problem in str(caught.value)


@patient
@given(st.text("0123456789*/,-#LW@ MONSUFRIJA", max_size=20))
def test_any_text_makes_slots_or_is_refused(cron):
    try:
        table = timetable(cron, None, "Europe/Berlin")
    except InvalidJob:
        return
    assert next(table.slots_after(1_700_000_000_000)) > 1_700_000_000_000
