"""Counts per minute, from looks at counters that only grow."""

import json

import pytest

from bananasd.http.history import MINUTE_MS, History, Rates
from bananasd.http.past import NAME, Past

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


def a_history():
    history = History()
    history.note(NOON, counters(completed=1000))
    history.note(NOON + 1, counters(completed=1007))
    return history


def test_the_next_process_goes_on_where_the_last_one_ended(tmp_path):
    Past(tmp_path, "shop at here").keep(a_history().to_dict())
    history = Past(tmp_path, "shop at here").load()
    history.note(NOON + MINUTE_MS, counters(completed=1010))
    assert history.minutes(NOON + MINUTE_MS)["completed"][-2:] == [7, 3]
    assert history.since_ms == NOON


def test_what_another_server_had_counted_is_nothing_to_go_on_with(tmp_path):
    Past(tmp_path, "shop at there").keep(a_history().to_dict())
    assert Past(tmp_path, "shop at here").load().since_ms is None


def test_an_hour_ago_is_forgotten_by_the_next_process_too(tmp_path):
    Past(tmp_path, "shop at here").keep(a_history().to_dict())
    history = Past(tmp_path, "shop at here").load()
    history.note(NOON + 100 * MINUTE_MS, counters(completed=5000))
    assert known(history.minutes(NOON + 100 * MINUTE_MS), "completed") == [0]
    assert len(history._minutes) == 1


def test_a_clock_that_was_set_back_far_makes_no_growth(tmp_path):
    history = a_history()
    history.note(NOON - 60 * MINUTE_MS, counters(completed=9000))
    assert history.minutes(NOON - 60 * MINUTE_MS)["completed"][-1] == 0


def test_a_history_that_began_nowhere_can_be_kept_and_is_as_good_as_none(tmp_path):
    Past(tmp_path, "shop at here").keep(History().to_dict())
    assert Past(tmp_path, "shop at here").load().since_ms is None


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b'{"of": "shop at here"}',
        b'{"of": "shop at here", "history": 7}',
        b'{"of": "shop at here", "history": {"since_ms": 1, "last": [1], "minutes": []}}',
        b'{"of": "shop at here", "history": {"since_ms": 1, "last": [1, {}], "minutes": [[1, {"completed": "x"}]]}}',
        json.dumps(
            {"of": "shop at here", "history": {"since_ms": 1e999, "last": [1, {}], "minutes": []}}
        ).encode(),
    ],
)
def test_a_file_that_cannot_be_read_is_as_if_it_had_not_been(tmp_path, written):
    (tmp_path / NAME).write_bytes(written)
    assert Past(tmp_path, "shop at here").load().since_ms is None


def test_where_nothing_can_be_written_nothing_fails(tmp_path):
    Past(tmp_path / "gone", "shop at here").keep(a_history().to_dict())
    assert Past(tmp_path / "gone", "shop at here").load().since_ms is None
