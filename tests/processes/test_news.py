"""What many find out is told once and then counted."""

import pytest

from bananasd.processes.board import Board, Head
from bananasd.processes.news import FORGOTTEN_SECONDS, KINDS, News
from bananasd.processes.row import NEWS_AT
from bananasd.repeats import PAUSE_SECONDS, Again

BEGIN = 5000.0


@pytest.fixture
def board(tmp_path):
    return Board.create(tmp_path, "node", 3)


@pytest.fixture
def news(board):
    return News(board.head)


@pytest.fixture
def at(monkeypatch):
    def at(seconds):
        monkeypatch.setattr("bananasd.clock.monotonic", lambda: BEGIN + seconds)

    at(0)
    return at


def test_what_one_child_has_told_is_no_news_of_another(board):
    one, other = (News(row.head) for row in board.rows[:2])
    assert one.note("a")
    assert not other.note("a")
    assert other.note("b")
    assert not one.note("b")


def test_what_goes_on_is_no_news_however_long_it_does_but_is_again_after_a_pause(news, at):
    told = []
    for seconds in (0, 100, 200, 300, 300 + FORGOTTEN_SECONDS):
        at(seconds)
        told.append(news.note("a"))
    assert told == [True, False, False, False, True]


def test_all_together_count_and_one_of_them_tells(board, at):
    one, other = (News(row.head) for row in board.rows[:2])
    for each in (one, other, one, other):
        each.note("a")
    assert other.due("a") is None
    at(PAUSE_SECONDS)
    assert other.due("a") == Again(3, PAUSE_SECONDS)
    assert one.due("a") is None
    one.note("a")
    assert other.due("a") is None
    assert other.due("a", at_once=True) == Again(1, 0)
    assert other.due("a", at_once=True) is None


def test_what_never_happened_is_not_due(news, at):
    news.note("b")
    at(PAUSE_SECONDS)
    assert (news.due("a"), news.due("b")) == (None, None)


def test_kinds_for_which_there_is_no_room_are_counted_together_and_push_nobody_out(board, news, at):
    kinds = [f"kind {number}" for number in range(KINDS + 2)]
    for _ in range(3):
        told = [kind for kind in kinds if news.note(kind)]
        assert told in (kinds[:KINDS], [])
    at(PAUSE_SECONDS)
    other = News(board.rows[1].head)
    assert [other.due(kind) for kind in kinds] == [Again(2, PAUSE_SECONDS)] * KINDS + [None] * 2
    # Since the first of them, and not since the host was booted.
    assert other.due_of_others() == Again(6, PAUSE_SECONDS)
    assert other.due_of_others(at_once=True) is None
    assert not news.note(kinds[-1])
    at(PAUSE_SECONDS + 3)
    assert other.due_of_others(at_once=True) == Again(1, 3)


def test_one_that_is_over_makes_room(news, at):
    for number in range(KINDS):
        news.note(f"kind {number}")
    at(FORGOTTEN_SECONDS - 1)
    assert not news.note("kind 0")
    assert not news.note("one more")
    at(FORGOTTEN_SECONDS)
    assert news.note("one more")
    assert not news.note("kind 0")
    assert news.note("kind 1")


def test_what_was_not_told_is_told_however_late(news, at):
    for _ in range(3):
        news.note("a")
    at(FORGOTTEN_SECONDS + 5)
    assert news.due("a", at_once=True) == Again(2, FORGOTTEN_SECONDS + 5)
    news.note("a")
    assert not news.note("a")
    at(3 * FORGOTTEN_SECONDS)
    assert news.note("a")
    assert news.due("a", at_once=True) == Again(1, 0)


def test_after_a_reload_the_new_children_have_news_whatever_the_old_ones_say(board):
    old = News(board.head)
    assert old.note("a")
    board.head[Head.RELOADS_BEGUN] += 1
    new = News(board.head)
    assert not old.note("a")
    assert new.note("a")
    assert not new.note("a")
    assert not old.note("a")
    assert [each.due("a", at_once=True).times for each in (old, new)] == [2, 1]


@pytest.mark.parametrize("what", ["", "\0", "ü" * 1000, "\udcff"])
def test_any_words_will_do_and_touch_no_other_word(board, news, what):
    head, first = bytes(board.head[:NEWS_AT]), bytes(board.rows[0].words)
    assert [news.note(what), news.note(what)] == [True, False]
    assert (bytes(board.head[:NEWS_AT]), bytes(board.rows[0].words)) == (head, first)
