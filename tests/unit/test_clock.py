"""The only module that reads time."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd import clock


def test_now_is_the_wall_clock_in_milliseconds():
    before = time.time_ns() // 1_000_000
    assert before <= clock.now_ms() <= time.time_ns() // 1_000_000
    assert isinstance(clock.now_ms(), int)


def test_a_deadline_comes_nearer_and_then_has_passed():
    deadline = clock.deadline_in(60)
    assert 50 < clock.remaining(deadline) <= 60
    assert clock.remaining(clock.deadline_in(-1)) == 0
    assert clock.remaining(clock.deadline_in(float("inf"))) == float("inf")


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_become_an_aware_datetime_and_come_back(ms):
    instant = clock.to_datetime(ms)
    assert instant.utcoffset() == timedelta(0)
    assert clock.to_ms(instant) == ms


@pytest.mark.parametrize(
    ("instant", "ms"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        (datetime(1970, 1, 1, 0, 0, 0, 1999, tzinfo=UTC), 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC), -1),
        (datetime(2026, 11, 24, 8, 57, 13, 823_000, tzinfo=UTC), 1_795_510_633_823),
    ],
)
def test_an_instant_is_whole_milliseconds_whatever_its_zone(instant, ms):
    assert clock.to_ms(instant) == ms
