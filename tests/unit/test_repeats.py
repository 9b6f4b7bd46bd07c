"""What happens again and again: told once, then counted."""

import pytest

from bananasd import clock, repeats
from bananasd.repeats import Again, Repeats


@pytest.fixture
def at(monkeypatch):
    """Set the clock."""

    def at(seconds):
        monkeypatch.setattr(clock, "monotonic", lambda: 1000.0 + seconds)

    at(0)
    return at


def test_the_first_is_told_and_those_after_it_are_counted(at):
    seen = Repeats()
    assert seen.note("a")
    at(1)
    assert not seen.note("a")
    assert not seen.note("a")
    assert list(seen.due()) == []
    at(30)
    assert list(seen.due()) == [("a", Again(2, 30.0))]
    assert list(seen.due()) == []


def test_kinds_are_told_apart(at):
    seen = Repeats()
    assert seen.note("a")
    assert seen.note("b")


def test_after_a_quiet_time_it_is_told_in_full_again(at):
    seen = Repeats()
    seen.note("a")
    at(29)
    assert not seen.note("a")
    at(70)
    assert list(seen.due()) == [("a", Again(1, 70.0))]
    at(101)
    assert seen.note("a")


def test_what_goes_on_is_counted_on_whenever_somebody_asks(at):
    seen = Repeats()
    seen.note("a")
    at(31)
    assert seen.note("a")
    at(32)
    assert not seen.note("a")
    at(100)
    # Nobody has asked since: it is not told in full before what is left has been.
    assert not seen.note("a")
    assert list(seen.due()) == [("a", Again(2, 69.0))]


def test_in_the_end_what_is_left_is_told_at_once(at):
    seen = Repeats()
    seen.note("a")
    seen.note("a")
    at(3)
    assert list(seen.due(at_once=True)) == [("a", Again(1, 3.0))]


def test_kinds_without_number_do_not_fill_the_memory(at, monkeypatch):
    monkeypatch.setattr(repeats, "MAX_KINDS", 10)
    seen = Repeats()
    for kind in range(100):
        assert seen.note(kind)
    assert len(seen._told) <= 10
