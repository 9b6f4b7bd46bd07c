"""How many runs of each lane of a node end a second."""

from pathlib import Path

import pytest

from bananasd.processes.board import Board
from bananasd.processes.pace import WINDOW_SECONDS, Pace
from bananasd.processes.run_tally import RunTally


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board.create(tmp_path, "n-1", 4)


def make_worker(board: Board, row: int, *lanes: str) -> RunTally:
    return RunTally(board.tallies.of_row(board.rows[row], 1 + len(lanes)), [], lanes)


def end(worker: RunTally, lane: str, number: int, waited_ms: int = 3) -> None:
    worker.since_ms[lane] += [1_000_000 - waited_ms] * number
    worker.count(1_000_000)


def test_the_jobs_of_all_workers_are_added_by_lane(board):
    one, other = make_worker(board, 1, "a:high", "a:low"), make_worker(board, 2, "a:low")
    pace = Pace(board.tallies)
    end(one, "a:low", 100)
    assert pace.per_second(50.0) == {}
    end(one, "a:low", 6)
    # However long they have waited.
    end(other, "a:low", 4, waited_ms=10_000_000)
    assert pace.per_second(55.0) == {"a:high": 0.0, "a:low": 2.0}


def test_less_than_a_second_tells_nothing(board):
    end(make_worker(board, 1, "a:low"), "a:low", 5)
    pace = Pace(board.tallies)
    assert (pace.per_second(50.0), pace.per_second(50.9)) == ({}, {})
    assert pace.per_second(51.0) == {"a:low": 0.0}


def test_a_look_that_is_kept_does_not_make_the_window_shorter(board):
    worker = make_worker(board, 1, "a:low")
    pace = Pace(board.tallies)
    pace.per_second(50.0)
    end(worker, "a:low", 100)
    assert pace.per_second(50.0 + WINDOW_SECONDS) == {"a:low": 100 / WINDOW_SECONDS}
    # A pause of some seconds is no end of the work.
    assert pace.per_second(50.0 + WINDOW_SECONDS + 2) == {"a:low": 100 / (WINDOW_SECONDS + 2)}


def test_what_is_long_ago_does_not_count(board):
    worker, told = make_worker(board, 1, "a:low"), {}
    pace = Pace(board.tallies)
    for second in range(0, 60, 3):
        end(worker, "a:low", 30 if second < 30 else 3)
        told[second] = pace.per_second(100.0 + second)
    assert told[27] == {"a:low": 10.0}
    # Nothing older than twice the window and a beat.
    assert told[30 + 2 * int(WINDOW_SECONDS) + 4] == {"a:low": 1.0}


def test_a_node_without_counts_has_no_pace():
    assert Pace(()).per_second(5.0) == {}
    assert Pace(()).per_second(50.0) == {}
