"""What deaths count for, and what the log says of them."""

import logging
import signal

import pytest

from bananasd import clock
from bananasd.processes import deaths
from bananasd.processes.board import Board
from bananasd.processes.restarts import Restarts
from bananasd.processes.row import Kind, State, Word
from bananasd.processes.slots import Slot


@pytest.fixture
def row(tmp_path):
    return Board.create(tmp_path, "node", 1).rows[0]


@pytest.fixture
def at(monkeypatch):
    """Set the clock."""

    def at(seconds):
        monkeypatch.setattr(clock, "monotonic", lambda: 1000.0 + seconds)

    at(0)
    return at


def levels(caplog) -> list[int]:
    return [record.levelno for record in caplog.records]


def worker(number: int = 0, **options) -> Slot:
    return Slot(Kind.WORKER, number, lambda _row: 0, Restarts(**options))


def test_workers_that_keep_dying_of_the_same_are_told_once_and_then_counted(row, caplog, at):
    caplog.set_level(logging.DEBUG)
    told = deaths.DeathLog()
    for number in range(13):
        told.note(worker(number), row, signal.SIGSEGV, is_expected=False)
        told.tell_again()
    assert levels(caplog) == [logging.WARNING] + 12 * [logging.DEBUG]
    at(30)
    told.tell_again()
    told.tell_again()
    (again,) = caplog.messages[13:]
    assert again == (
        "children ended again kind=worker end='signal 11 (SIGSEGV)' in_job=no killed_for=none times=12 seconds=30"
    )
    assert levels(caplog)[-1] == logging.WARNING


JOB_ID = "5f0c1d52-7d0e-4c59-8a55-3f1e5e2b9a10"


def begin(row, name):
    row.begin_job(1, JOB_ID, name, 10**9, 3 * 10**9, 0)
    row.words[Word.ARMED] = 1


def test_the_job_in_which_a_worker_died_is_named_and_each_handler_told_of_its_own(row, caplog, at):
    caplog.set_level(logging.DEBUG)
    told = deaths.DeathLog()
    for name in ("resize", "send mail", "resize"):
        begin(row, name)
        told.note(worker(), row, signal.SIGKILL, is_expected=False)
    assert levels(caplog) == [logging.WARNING, logging.WARNING, logging.DEBUG]
    assert caplog.messages[0].endswith(f"in_job=yes killed_for=none crashes=0 id={JOB_ID} name=resize")
    assert caplog.messages[1].endswith(f"id={JOB_ID} name=send mail")
    at(30)
    told.tell_again()
    assert caplog.messages[-1].endswith("in_job=yes killed_for=none times=1 seconds=30 name=resize")


def test_a_worker_that_died_between_two_jobs_is_told_without_one(row, caplog):
    begin(row, "resize")
    row.words[Word.ARMED] = 0
    deaths.DeathLog().note(worker(), row, signal.SIGKILL, is_expected=False)
    assert caplog.messages[0].endswith("in_job=no killed_for=none crashes=0")


def test_what_has_not_been_told_yet_is_told_in_the_end(row, caplog, at):
    told = deaths.DeathLog()
    for _ in range(3):
        told.note(worker(), row, signal.SIGKILL, is_expected=False)
    at(20)
    told.tell_again()
    assert len(caplog.messages) == 1
    told.tell_again(at_once=True)
    assert caplog.messages[1].endswith("times=2 seconds=20")


def test_another_end_and_another_kind_are_told_at_once(row, caplog):
    caplog.set_level(logging.DEBUG)
    told = deaths.DeathLog()
    told.note(worker(), row, signal.SIGSEGV, is_expected=False)
    told.note(worker(), row, signal.SIGKILL, is_expected=False)
    told.note(Slot(Kind.SCHEDULER, 0, lambda _row: 0, Restarts()), row, signal.SIGKILL, is_expected=False)
    row.words[Word.ARMED] = 1
    told.note(worker(), row, signal.SIGKILL, is_expected=False)
    assert levels(caplog) == 4 * [logging.WARNING]


@pytest.mark.parametrize(("is_expected", "state"), [(True, State.UP), (False, State.LEFT)])
def test_an_end_that_was_asked_for_is_no_warning(row, caplog, is_expected, state):
    caplog.set_level(logging.DEBUG)
    row.state = state
    deaths.DeathLog().note(worker(), row, 0, is_expected=is_expected)
    assert levels(caplog) == [logging.INFO]


def test_a_slot_that_is_given_up_is_told_as_such(row, caplog):
    deaths.DeathLog().note(worker(2, is_final=True), row, 78 << 8, is_expected=False)
    assert "slot fatal slot='worker 2'" in caplog.text


@pytest.mark.parametrize("up_since", [None, 998.0])
@pytest.mark.parametrize(("asked_at", "crashes"), [(None, 1), (999.0, 0)])
def test_an_early_end_is_a_crash_unless_the_child_was_asked_to_leave(row, up_since, asked_at, crashes):
    slot = worker()
    slot.up_since, slot.asked_at = up_since, asked_at
    deaths.count(slot, row, 0, 1000.0)
    assert slot.restarts.crashes == crashes


def test_children_that_leave_as_they_were_asked_to_have_not_crashed_however_soon(make_daemon):
    daemon = make_daemon(settings={"log": {"level": "info"}}).start()
    assert daemon.stop() == 0
    assert len(daemon.lines("child ended", "crashes=0")) == 4
