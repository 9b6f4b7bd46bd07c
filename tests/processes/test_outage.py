"""A lost server: how often it is tried, and how often that is logged."""

import fcntl
import logging
import os
import re
import threading
from contextlib import nullcontext

import pytest

from bananasd.processes.board import Board
from bananasd.processes.node_outage import NodeOutage, _try
from bananasd.processes.outage import Outage

ERROR = ConnectionError("refused")


@pytest.fixture
def rows(tmp_path):
    return Board.create(tmp_path, "node", 3).rows


@pytest.fixture
def outage(rows):
    return Outage(rows[0])


@pytest.fixture
def at(monkeypatch):
    """Sets the time."""

    def at(seconds):
        monkeypatch.setattr("bananasd.clock.monotonic", lambda: 1000.0 + seconds)
        monkeypatch.setattr("bananasd.clock.monotonic_ns", lambda: int((1000.0 + seconds) * 1e9))

    at(0)
    return at


def fail_every_second(outage, at, seconds, begin=0):
    """From ``begin`` on: at once a second time, as the try that follows at once does, and then each second."""
    at(begin)
    outage.note_failure(ERROR)
    for second in range(seconds):
        at(begin + second)
        outage.note_failure(ERROR)


def come_back(outage, at, second):
    """The first answer, and another when it has been calm for long enough."""
    at(second)
    outage.note_success()
    at(second + 2)
    outage.note_success()


def told(caplog, words):
    """What an operator sees of it at level warning."""
    return [record.message for record in caplog.records if words in record.message and record.levelno >= logging.WARNING]  # fmt: skip


def ages(lines):
    return [float(re.search(r"(?:for|after)=([\d.]+)s", line)[1]) for line in lines]


def test_after_the_first_failure_the_next_try_comes_at_once(outage, at):
    assert outage.note_failure(ERROR) == 0


def test_then_it_is_tried_about_once_a_second_with_jitter(outage, at):
    outage.note_failure(ERROR)
    pauses = {outage.note_failure(ERROR) for _ in range(100)}
    assert all(0.6 <= pause <= 0.9 for pause in pauses)
    assert len(pauses) > 50


def test_the_line_comes_at_1_2_4_8_16_seconds_and_then_every_30(outage, at, caplog):
    fail_every_second(outage, at, 120)
    assert ages(told(caplog, "redis lost")) == [0, 1, 2, 4, 8, 16, 46, 76, 106]


def test_it_is_over_with_the_first_answer_and_told_when_nothing_has_failed_for_a_while(outage, at, caplog):
    assert not outage.is_on
    fail_every_second(outage, at, 5)
    assert outage.is_on
    at(5)
    outage.note_success()
    assert not outage.is_on
    at(5.9)
    outage.note_success()
    assert not told(caplog, "redis back")
    at(6)
    outage.note_success()
    assert told(caplog, "redis back") == ["redis back after=5.0s"]


def test_one_that_leaves_tells_it_at_once(outage, at, caplog):
    fail_every_second(outage, at, 2)
    at(2)
    outage.note_last_success()
    assert told(caplog, "redis back") == ["redis back after=2.0s"]


def test_the_next_outage_is_logged_from_its_start(outage, at, caplog):
    fail_every_second(outage, at, 100)
    come_back(outage, at, 100)
    caplog.clear()
    fail_every_second(outage, at, 1, begin=200)
    assert caplog.messages == ["redis lost for=0.0s: refused; trying about once a second"]


def test_a_connection_that_only_had_to_be_made_anew_is_no_outage(outage, at, caplog):
    caplog.set_level(logging.INFO)
    outage.note_failure(ERROR)
    come_back(outage, at, 0)
    (record,) = caplog.records
    assert (record.levelno, record.message) == (logging.INFO, "redis connected anew: refused")


def test_two_such_connections_with_a_long_job_between_are_none_either(outage, at, caplog):
    for begin in (0, 60):
        at(begin)
        assert outage.note_failure(ERROR) == 0
        outage.note_success()
    assert told(caplog, "redis") == []


def test_an_answer_without_an_outage_says_nothing(outage, at, caplog):
    caplog.set_level(logging.DEBUG)
    outage.note_success()
    outage.note_last_success()
    assert caplog.messages == []


def test_a_server_that_does_one_thing_and_refuses_another_is_one_outage_until_it_does_all(outage, at, caplog):
    assert outage.note_failure(ERROR) == 0
    for quarters in range(3, 160, 3):
        outage.note_success()
        at(quarters / 4)
        assert outage.note_failure(ERROR) >= 0.6
    come_back(outage, at, 40)
    assert ages(told(caplog, "redis")) == [0.8, 1.5, 2.2, 4.5, 8.2, 16.5, 40.0]


# One of many


def test_of_all_processes_of_a_node_one_tells_each_line_of_an_outage(rows, at, caplog):
    caplog.set_level(logging.DEBUG)
    outages = [Outage(row) for row in rows]
    for tenth in range(1, 200):
        at(tenth / 10)
        outages[tenth % 3].note_failure(ERROR)
    assert len(ages(told(caplog, "redis lost"))) == 6
    assert len([record for record in caplog.records if "redis lost" in record.message]) == 18
    for outage in outages:
        come_back(outage, at, 20)
    assert len(told(caplog, "redis back")) == 1


def test_one_that_comes_late_to_an_outage_does_not_tell_it_anew(rows, at, caplog):
    first, late = Outage(rows[0]), Outage(rows[1])
    fail_every_second(first, at, 21)
    fail_every_second(late, at, 1, begin=21)
    assert ages(told(caplog, "redis lost")) == [0, 1, 2, 4, 8, 16]


def test_one_that_comes_late_tells_how_long_it_has_lasted_for_the_node(rows, at, caplog):
    first, late = Outage(rows[0]), Outage(rows[1])
    fail_every_second(first, at, 21)
    fail_every_second(late, at, 1, begin=50)
    come_back(late, at, 51)
    assert ages(told(caplog, "redis")) == [0, 1, 2, 4, 8, 16, 50, 51]


def test_one_that_was_busy_over_an_outage_tells_nothing_when_the_others_have_told_its_end(rows, at, caplog):
    busy, other = Outage(rows[0]), Outage(rows[1])
    fail_every_second(other, at, 3)
    come_back(other, at, 3)
    at(10)
    busy.note_failure(ERROR)
    come_back(busy, at, 10)
    assert ages(told(caplog, "redis")) == [0, 1, 2, 3]
    assert told(caplog, "redis")[-1].startswith("redis back")


def test_the_next_outage_and_its_end_are_told_however_soon(rows, at, caplog):
    outages = [Outage(row) for row in rows]
    for begin in (10, 15):
        for outage in outages:
            fail_every_second(outage, at, 3, begin)
        for outage in outages:
            come_back(outage, at, begin + 2.5)
    assert ages(told(caplog, "redis")) == 2 * [0, 1, 2, 2.5]


def test_one_that_has_slept_over_the_end_of_an_outage_tells_the_next_from_its_own_beginning(rows, at, caplog):
    first, other = Outage(rows[0]), Outage(rows[1])
    fail_every_second(first, at, 11)
    fail_every_second(other, at, 11)
    come_back(first, at, 11)
    at(16)
    other.note_failure(ERROR)
    assert ages(told(caplog, "redis"))[-2:] == [11, 0]


def test_one_that_tells_the_end_of_an_outage_late_does_not_end_the_next(rows, at, caplog):
    first, late, other = (Outage(row) for row in rows)
    for outage in (first, late):
        fail_every_second(outage, at, 3)
    at(3)
    late.note_success()
    come_back(first, at, 3)
    fail_every_second(other, at, 1, begin=20)
    late.note_failure(ERROR)
    assert ages(told(caplog, "redis")) == [0, 1, 2, 3, 0]
    come_back(other, at, 21)
    assert ages(told(caplog, "redis"))[-1:] == [1]


def test_when_the_one_that_told_is_gone_another_goes_on(rows, at, caplog):
    first, other = Outage(rows[0]), Outage(rows[1])
    fail_every_second(first, at, 1)
    fail_every_second(other, at, 120)
    assert len(told(caplog, "redis lost")) >= 8


def test_the_successor_of_the_one_that_told_tells_that_it_is_over(rows, at, caplog):
    fail_every_second(Outage(rows[0]), at, 3)
    at(3)
    Outage(rows[1]).note_success()
    assert ages(told(caplog, "redis back")) == [3]


# Whose turn it is


def open_files():
    """Descriptors of this process, but for that of the look itself."""
    return {fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}


@pytest.fixture
def other(rows):
    """Another process that is just telling something."""
    descriptor = os.open(rows[0].board_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_two_that_come_at_the_same_moment_tell_it_once(rows, other, caplog, monkeypatch):
    monkeypatch.setattr("bananasd.processes.node_outage.TURN_SECONDS", 10)
    late = threading.Thread(target=NodeOutage(rows[0]).tell_lost, args=[0.0, ERROR])
    late.start()
    late.join(0.2)
    assert late.is_alive() and not told(caplog, "redis lost")  # it waits for its turn
    monkeypatch.setattr(NodeOutage, "_in_turn", nullcontext)
    NodeOutage(rows[1]).tell_lost(0.0, ERROR)  # the other
    fcntl.flock(other, fcntl.LOCK_UN)
    late.join()
    assert len(told(caplog, "redis lost")) == 1


def test_one_that_is_stopped_while_it_tells_does_not_keep_the_others_silent(rows, other, caplog):
    NodeOutage(rows[0]).tell_lost(0.0, ERROR)
    assert told(caplog, "redis lost")


def test_a_process_that_was_forked_meanwhile_holds_up_nobody(rows):
    before = open_files()
    with NodeOutage(rows[0])._in_turn():
        (descriptor,) = open_files() - before
        copy = os.dup(int(descriptor))  # the same open file, as a forked process has it
    next_one = os.open(rows[0].board_path, os.O_RDONLY)
    assert _try(next_one)
    os.close(copy)
    os.close(next_one)


def test_without_the_file_of_the_board_it_is_told_all_the_same(rows, caplog):
    rows[0].board_path.unlink()
    NodeOutage(rows[0]).tell_lost(0.0, ERROR)
    assert told(caplog, "redis lost")
