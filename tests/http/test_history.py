"""Counts per minute, from looks at counters that only grow."""

import pytest

from bananasd.http.history import MINUTE_MS, History, Rates

NOON = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


def counters(submitted=0, completed=0, retried=0, dead=0):
    return {"submitted": submitted, "completed": completed, "retried": retried, "dead": dead}


def known(minutes, series):
    return [value for value in minutes[series] if value is not None]


def test_what_came_between_two_looks_belongs_to_the_minute_of_the_later():
    history = History()
    history.note(NOON, counters(completed=1000))
    history.note(NOON + 10_000, counters(completed=1007))
    history.note(NOON + MINUTE_MS, counters(completed=1010))
    minutes = history.minutes(NOON + MINUTE_MS)
    assert minutes["completed"][-2:] == [7, 3]
    assert (minutes["since_ms"], minutes["last_minute_ms"]) == (NOON, NOON + MINUTE_MS)


def test_what_had_come_before_the_first_look_is_not_counted():
    history = History()
    history.note(NOON, counters(submitted=5, completed=1000, dead=3))
    minutes = history.minutes(NOON)
    assert {name: known(minutes, name) for name in ("submitted", "completed", "failed")} == {
        "submitted": [0],
        "completed": [0],
        "failed": [0],
    }


def test_a_failed_attempt_counts_whether_it_is_tried_again_or_not():
    history = History()
    history.note(NOON, counters())
    history.note(NOON + 1, counters(retried=2, dead=1))
    assert history.minutes(NOON)["failed"][-1] == 3


def test_minutes_in_which_nobody_looked_are_not_known_and_their_growth_is_nobodys():
    history = History()
    history.note(NOON, counters(completed=1))
    history.note(NOON + 5 * MINUTE_MS, counters(completed=500))
    history.note(NOON + 5 * MINUTE_MS + 1, counters(completed=501))
    assert history.minutes(NOON + 5 * MINUTE_MS)["completed"][-6:] == [0, None, None, None, None, 1]


def test_counters_that_begin_anew_count_from_nothing():
    history = History()
    history.note(NOON, counters(completed=1000))
    history.note(NOON + 1, counters(completed=4))
    assert history.minutes(NOON)["completed"][-1] == 4


def test_it_keeps_an_hour():
    history = History()
    for minute in range(200):
        history.note(NOON + minute * MINUTE_MS, counters(completed=minute))
    minutes = history.minutes(NOON + 199 * MINUTE_MS)
    assert minutes["completed"] == [1] * 60
    assert len(history._minutes) == 60


def test_a_rate_is_that_of_the_last_seconds():
    rates = Rates(window_ms=10_000)
    assert rates.note(NOON, counters(completed=100))["completed"] is None
    assert rates.note(NOON + 1000, counters(completed=150))["completed"] == pytest.approx(50)
    assert rates.note(NOON + 20_000, counters(completed=1000))["completed"] is None
    assert rates.note(NOON + 22_000, counters(completed=1020))["completed"] == pytest.approx(10)
