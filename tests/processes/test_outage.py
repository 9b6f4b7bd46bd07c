"""A lost server: how often it is tried, and how often that is logged."""

import logging

import pytest

from bananasd.processes.board import Board
from bananasd.processes.outage import Outage

ERROR = ConnectionError("refused")


@pytest.fixture
def at(monkeypatch):
    """Sets the time."""

    def at(seconds):
        monkeypatch.setattr("bananasd.clock.monotonic", lambda: 1000.0 + seconds)
        monkeypatch.setattr("bananasd.clock.monotonic_ns", lambda: int((1000.0 + seconds) * 1e9))

    at(0)
    return at


def fail_every_second(outage, at, seconds):
    for second in range(seconds):
        at(second)
        outage.note_failure(ERROR)


def test_after_the_first_failure_the_next_try_comes_at_once(at):
    assert Outage().note_failure(ERROR) == 0


def test_then_it_is_tried_about_once_a_second_with_jitter(at):
    outage = Outage()
    outage.note_failure(ERROR)
    pauses = {outage.note_failure(ERROR) for _ in range(100)}
    assert all(0.6 <= pause <= 0.9 for pause in pauses)
    assert len(pauses) > 50


def test_the_line_comes_at_1_2_4_8_16_seconds_and_then_every_30(at, caplog):
    fail_every_second(Outage(), at, 120)
    logged = [line.split("for=")[1].split("s")[0] for line in caplog.messages]
    assert logged == ["0.0", "1.0", "2.0", "4.0", "8.0", "16.0", "46.0", "76.0", "106.0"]


def test_it_is_over_with_the_first_answer(at, caplog):
    outage = Outage()
    assert not outage.is_on
    fail_every_second(outage, at, 5)
    assert outage.is_on
    outage.note_success()
    assert not outage.is_on
    assert caplog.records[-1].message == "redis back after=4.0s"
    assert caplog.records[-1].levelno == logging.WARNING


def test_the_next_outage_is_logged_from_its_start(at, caplog):
    outage = Outage()
    fail_every_second(outage, at, 100)
    outage.note_success()
    caplog.clear()
    at(200)
    assert outage.note_failure(ERROR) == 0
    assert caplog.messages == ["redis lost for=0.0s: refused; trying about once a second"]


def test_a_connection_that_only_had_to_be_made_anew_is_no_warning_when_it_is_back(at, caplog):
    caplog.set_level(logging.INFO)
    outage = Outage()
    outage.note_failure(ERROR)
    outage.note_success()
    assert caplog.records[-1].levelno == logging.INFO


def test_an_answer_without_an_outage_says_nothing(at, caplog):
    caplog.set_level(logging.INFO)
    Outage().note_success()
    assert caplog.messages == []


def test_a_server_that_is_back_and_lost_again_all_the_time_is_not_tried_at_once(at):
    outage, now = Outage(), 0.0
    outage.note_failure(ERROR)
    for _ in range(100):
        outage.note_success()
        pause = outage.note_failure(ERROR)
        assert pause >= 0.6
        now += pause
        at(now)


# One of many


@pytest.fixture
def rows(tmp_path):
    return Board.create(tmp_path, "node", 3).rows


def told(caplog, words):
    return [record.message for record in caplog.records if words in record.message and record.levelno >= logging.WARNING]  # fmt: skip


def test_of_all_processes_of_a_node_one_tells_each_line_of_an_outage(rows, at, caplog):
    caplog.set_level(logging.DEBUG)
    outages = [Outage(row) for row in rows]
    for tenth in range(1, 200):
        at(tenth / 10)
        outages[tenth % 3].note_failure(ERROR)
    lines = [float(line.split("for=")[1].split("s")[0]) for line in told(caplog, "redis lost")]
    assert len(lines) == 6, lines
    assert len([record for record in caplog.records if "redis lost" in record.message]) == 18
    for outage in outages:
        outage.note_success()
    assert len(told(caplog, "redis back")) == 1


def test_one_that_comes_late_to_an_outage_does_not_tell_it_anew(rows, at, caplog):
    first, late = Outage(rows[0]), Outage(rows[1])
    fail_every_second(first, at, 21)
    late.note_failure(ERROR)
    assert len(told(caplog, "for=0.0s")) == 1


def test_the_next_outage_and_its_end_are_told_however_soon(rows, at, caplog):
    outages = [Outage(row) for row in rows]
    for begin in (10, 15):
        for outage in outages:
            at(begin)
            outage.note_failure(ERROR)
            at(begin + 2)
            outage.note_failure(ERROR)
        for outage in outages:
            outage.note_success()
    assert len(told(caplog, "redis lost for=0.0s")) == len(told(caplog, "redis back")) == 2


def test_when_the_one_that_told_is_gone_another_goes_on(rows, at, caplog):
    first, other = Outage(rows[0]), Outage(rows[1])
    first.note_failure(ERROR)
    fail_every_second(other, at, 120)
    assert len(told(caplog, "redis lost")) >= 8
