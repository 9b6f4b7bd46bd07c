"""What many find out is told once and then counted."""

import pytest

from bananasd.processes.board import Board, Head
from bananasd.processes.news import FORGOTTEN_SECONDS, KINDS, News
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


def test_of_more_kinds_than_there_is_room_for_the_one_that_was_longest_ago_goes(news, at):
    for number in range(KINDS + 1):
        at(number)
        assert news.note(f"kind {number}")
    assert not news.note("kind 1")
    assert news.note("kind 0")
    assert news.note("kind 2")
    assert not news.note("kind 1")


def test_once_forgotten_everything_is_news_and_nothing_is_due(news):
    news.note("a")
    news.note("a")
    news.forget()
    assert news.due("a", at_once=True) is None
    assert news.note("a")


@pytest.mark.parametrize("what", ["", "\0", "ü" * 1000, "\udcff"])
def test_any_words_will_do_and_touch_no_other_word(board, news, what):
    head, first = bytes(board.head[: 2 * len(Head)]), bytes(board.rows[0].words)
    assert [news.note(what), news.note(what)] == [True, False]
    assert (bytes(board.head[: 2 * len(Head)]), bytes(board.rows[0].words)) == (head, first)
