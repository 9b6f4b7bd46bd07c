"""When a slot may start again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd.processes.restarts import Restarts, is_crash


def pauses(restarts, crashes):
    found = []
    for now in range(1000, 1000 + crashes):
        restarts.note_crash(now)
        found.append(restarts.not_before - now)
    return found


def test_the_first_restart_is_immediate_then_the_pauses_double():
    assert pauses(Restarts(), 7) == [0, 1, 2, 4, 8, 16, 32]


def test_eight_crashes_in_a_row_are_fatal():
    restarts = Restarts()
    pauses(restarts, 7)
    assert not restarts.is_fatal
    restarts.note_crash(0)
    assert restarts.is_fatal


def test_a_slot_that_crashes_at_each_start_is_given_up_after_about_a_minute():
    restarts, now = Restarts(), 0.0
    while not restarts.is_fatal:
        now = max(now, restarts.not_before)
        restarts.note_crash(now)
    assert (restarts.crashes, now) == (8, 63)


def test_another_end_breaks_the_row():
    restarts = Restarts()
    pauses(restarts, 7)
    restarts.note_other_end(50)
    assert (restarts.crashes, restarts.not_before) == (0, 50)
    assert pauses(restarts, 7) == [0, 1, 2, 4, 8, 16, 32]
    assert not restarts.is_fatal


def test_pauses_end_at_the_cap_and_without_a_limit_nothing_is_fatal():
    restarts = Restarts(cap_seconds=2, limit=None)
    assert pauses(restarts, 20) == [0, 1] + [2] * 18
    assert not restarts.is_fatal


def test_no_pause_is_longer_than_a_minute():
    assert max(pauses(Restarts(limit=None), 2000)) == 60


def test_what_can_never_work_is_fatal_at_once():
    assert Restarts(is_final=True).is_fatal


def test_what_has_worked_and_cannot_now_is_tried_for_as_long_as_it_takes():
    restarts, waits = Restarts(), []
    for _ in range(12):
        restarts.note_unfit(0)
        waits.append(restarts.not_before)
        assert not restarts.is_fatal
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    restarts.note_crash(0)
    assert restarts.is_fatal


def test_what_could_not_be_started_is_tried_a_second_later_and_not_counted():
    restarts = Restarts()
    restarts.postpone(50)
    assert (restarts.crashes, restarts.not_before) == (0, 51)


@pytest.mark.parametrize(
    ("up_seconds", "has_worked", "has_left", "counts"),
    [
        (None, False, False, True),
        (0.1, False, False, True),
        (4.9, False, False, True),
        (5.0, False, False, False),
        (0.1, True, False, False),
        (0.1, False, True, False),
        # Up and in a job, but the master had not looked yet.
        (None, True, False, False),
    ],
)
def test_a_death_counts_soon_after_the_start_and_without_work(up_seconds, has_worked, has_left, counts):
    assert is_crash(up_seconds, has_worked=has_worked, has_left=has_left) is counts


EVENTS = st.lists(st.sampled_from(["crash", "unfit", "other end", "postpone"]), max_size=60)


@given(events=EVENTS, cap=st.integers(1, 300), limit=st.none() | st.integers(1, 20))
def test_whatever_happens_pauses_grow_to_the_cap_and_only_a_row_of_crashes_is_fatal(events, cap, limit):
    restarts, now, row, pause, is_unfit = Restarts(cap_seconds=cap, limit=limit), 1000.0, 0, 0.0, False
    for event in events:
        now = max(now, restarts.not_before)
        if event == "postpone":
            restarts.postpone(now)
            assert restarts.not_before == now + 1
        elif event == "other end":
            restarts.note_other_end(now)
            assert restarts.not_before == now
            row, pause, is_unfit = 0, 0.0, False
        else:
            is_unfit = event == "unfit"
            (restarts.note_unfit if is_unfit else restarts.note_crash)(now)
            row += 1
            pause = 0.0 if row == 1 else 1.0 if row == 2 else min(2 * pause, cap)
            assert restarts.not_before == now + pause
        assert restarts.is_fatal == (limit is not None and row >= limit and not is_unfit)
