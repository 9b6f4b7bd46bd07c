"""What the log says of deaths."""

import logging
import signal

import pytest

from bananasd.processes import deaths
from bananasd.processes.board import Board
from bananasd.processes.restarts import Restarts
from bananasd.processes.row import Kind, State
from bananasd.processes.slots import Slot


@pytest.fixture
def row(tmp_path):
    return Board.create(tmp_path, "node", 1).rows[0]


def levels(caplog) -> list[int]:
    return [record.levelno for record in caplog.records]


def test_a_slot_that_goes_on_crashing_is_told_ever_more_rarely_and_counted(row, caplog):
    caplog.set_level(logging.DEBUG)
    slot = Slot(Kind.SCHEDULER, 0, lambda _row: 0, Restarts(limit=None))
    for _ in range(9):
        slot.restarts.note_crash(0)
        deaths.log_end(slot, row, signal.SIGSEGV, is_expected=False)
    told = [number for number, level in enumerate(levels(caplog), start=1) if level == logging.WARNING]
    assert told == [1, 2, 4, 8]
    assert "crashes=8" in caplog.records[7].getMessage()


@pytest.mark.parametrize(("is_expected", "state"), [(True, State.UP), (False, State.LEFT)])
def test_an_end_that_was_asked_for_is_no_warning(row, caplog, is_expected, state):
    caplog.set_level(logging.DEBUG)
    row.state = state
    deaths.log_end(Slot(Kind.WORKER, 0, lambda _row: 0, Restarts()), row, 0, is_expected=is_expected)
    assert levels(caplog) == [logging.INFO]


def test_a_slot_that_is_given_up_is_told_as_such(row, caplog):
    deaths.log_end(
        Slot(Kind.WORKER, 2, lambda _row: 0, Restarts(is_final=True)), row, 78 << 8, is_expected=False
    )
    assert "slot fatal slot='worker 2'" in caplog.text
