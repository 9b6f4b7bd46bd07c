"""How fast jobs go, from counters at two instants."""

import pytest

from bananasd.store.rates import Counted, ended_per_second, rates, rates_between, read_counted

NOW = Counted(100_000, {"submitted": 50, "completed": 40})


def test_a_rate_is_what_a_counter_has_gained_a_second():
    assert rates_between(Counted(90_000, {"submitted": 30}), NOW) == {"submitted": 2.0, "completed": 4.0}


def test_a_counter_that_was_set_back_has_none():
    assert rates_between(Counted(90_000, {"submitted": 51}), NOW) == {"completed": 4.0}


def test_two_looks_at_one_instant_divide_by_nothing():
    assert rates_between(NOW, NOW) == {}


def test_the_longest_time_within_a_minute_counts():
    kept = [
        Counted(at, {"submitted": at // 1000, "completed": 40})
        for at in (39_000, 40_000, 90_000, 99_500, 110_000)
    ]
    assert rates(NOW, kept) == {"submitted": 10 / 60, "completed": 0.0}
    assert rates(NOW, [kept[0], kept[3], kept[4]]) == {}


def test_what_a_node_has_kept_is_read_as_the_beat_wrote_it():
    row = {b"counted": b"5 completed 3 dead 1", b"counted_before": b"2"}
    assert read_counted(row) == (Counted(2, {}), Counted(5, {"completed": 3, "dead": 1}))


@pytest.mark.parametrize("words", [b"", b"x", b"5 completed", b"5 completed x", b"5 \xff 3"])
def test_what_nobody_of_ours_has_written_is_left_out(words):
    assert read_counted({b"counted": words}) == ()


def test_runs_end_completed_retried_or_dead():
    assert ended_per_second({"submitted": 9, "completed": 1, "retried": 2, "dead": 4, "lost": 9}) == 7
    assert ended_per_second({}) == 0
