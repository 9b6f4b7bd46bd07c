"""The file of counts, and what is put into it."""

import mmap
from pathlib import Path

import pytest

from bananasd.errors import DaemonError
from bananasd.processes import tallies as module
from bananasd.processes.board import Board
from bananasd.processes.row import Cause, Kind, State, Word
from bananasd.processes.run_tally import MAX_WAIT_MS, RunTally
from bananasd.processes.tallies import Tallies
from bananasd.processes.tally import (
    COMPLETED,
    ENDS_AT,
    ENDS_PER_KIND,
    HANDLER,
    LANE,
    LOST_AT,
    MAX_SERIES,
    OTHERS,
    WAIT,
    Figure,
    Tally,
    series_of,
)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board.create(tmp_path, "n-1", 4)


def names(tally: Tally) -> list[tuple[bytes, str]]:
    return [(kind, name) for kind, name, _ in series_of(tally.words)]


def words_of(tally: Tally, wanted: str) -> memoryview:
    return next(words for _, name, words in series_of(tally.words) if name == wanted)


def test_the_next_child_of_a_row_counts_on(board):
    first = board.tallies.of_row(board.rows[1], 2)
    first.add(Figure.REFUSED, 3)
    RunTally(first, ["mail"], []).took_ns["mail"].append(1)
    second = board.tallies.of_row(board.rows[1], 3)
    RunTally(second, ["mail", "report"], ["default:high"])
    second.add(Figure.REFUSED)
    assert second.words[Figure.REFUSED] == 4
    assert names(second) == [(HANDLER, ""), (HANDLER, "mail"), (HANDLER, "report"), (LANE, "default:high")]


def test_somebody_else_reads_what_is_counted(board):
    board.tallies.of_row(board.rows[2]).add(Figure.REDIS_ERRORS, 7)
    other = Board.open(board.path)
    assert other is not None and other.tallies is not None
    assert [words[Figure.REDIS_ERRORS] for words in other.tallies] == [0, 7]


def test_only_what_is_used_takes_room(board):
    board.tallies.of_row(board.rows[0], 5)
    used = 512 * board.tallies_path.stat().st_blocks
    assert used < 64 * 1024 < board.tallies_path.stat().st_size


def test_a_file_of_another_size_is_not_read(board):
    with board.tallies_path.open("ab") as file:
        file.truncate(mmap.PAGESIZE)
    assert Tallies.open(board.tallies_path, 4) is None
    board.tallies_path.unlink()
    other = Board.open(board.path)
    assert other is not None and other.tallies is None


def test_the_file_goes_with_the_board(board):
    board.delete()
    assert not list(board.path.parent.iterdir())


def test_a_full_disk_costs_counts_and_no_job(board, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "posix_fallocate", fail)
    tally = board.tallies.of_row(board.rows[0], 2)
    RunTally(tally, ["mail"], [])
    tally.add(Figure.REFUSED)
    assert "counts not kept" in caplog.text and "No space left" in caplog.text
    assert [len(words) for words in board.tallies] == [512]


def test_a_disk_without_room_for_any_counts_refuses_a_daemon(tmp_path, monkeypatch):
    real = module.os.posix_fallocate

    def fail(descriptor: int, at: int, size: int) -> None:
        if size == 8192:
            raise OSError(28, "No space left on device")
        real(descriptor, at, size)

    monkeypatch.setattr(module.os, "posix_fallocate", fail)
    with pytest.raises(DaemonError, match=r"n-2.counts: cannot be written: No space left"):
        Board.create(tmp_path, "n-2", 4)
    assert not list(tmp_path.iterdir())


def test_handlers_beyond_the_room_are_counted_together(board):
    handlers = [f"h{number}" for number in range(MAX_SERIES + 10)]
    tally = board.tallies.of_row(board.rows[0], len(handlers) + 1)
    runs = RunTally(tally, handlers, ["default:low"])
    assert len(names(tally)) == MAX_SERIES
    for name in handlers[-2:]:
        runs.took_ns[name].append(1)
    runs.count(0)
    assert words_of(tally, OTHERS)[COMPLETED.start] == 2


@pytest.mark.parametrize(
    ("since", "bucket", "total"),
    [
        ([1000, 1000, 1001], 0, 0 + 0 + 0 - 1 + 1),
        ([400, 410, 420], 9, 600 + 590 + 580),
        ([2000], 0, 0),
        ([None, "today", True, 900], 6, 100),
        ([-(10**30)], len(WAIT.bounds), MAX_WAIT_MS),
    ],
    ids=["a client ahead", "one bucket", "the future", "no instants", "before time"],
)
def test_how_long_jobs_waited_is_counted(since, bucket, total):
    tally = Tally.of_nobody(2)
    runs = RunTally(tally, [], ["default:low"])
    runs.since_ms["default:low"] += since
    runs.count(1000)
    words = words_of(tally, "default:low")
    known = [one for one in since if type(one) is int]
    assert words[bucket] == len(known) == sum(words[: len(WAIT.bounds) + 1])
    assert words[len(WAIT.bounds) + 1] == total


def test_runs_of_a_batch_fall_into_their_buckets():
    tally = Tally.of_nobody(2)
    runs = RunTally(tally, ["mail"], [])
    runs.took_ns["mail"] += [500_000, 1_000_000, 1_000_001, 3_000_000, 7200 * 10**9]
    runs.count(0)
    words = words_of(tally, "mail")
    assert [words[number] for number in range(3)] == [2, 1, 1]
    assert words[len(COMPLETED.bounds)] == 1
    runs.count(0)
    assert sum(words[: len(COMPLETED.bounds) + 1]) == 5


@pytest.mark.parametrize(("ended", "lost"), [(6, 1), (7, 0)], ids=["in the job", "after it"])
def test_the_master_counts_the_run_that_went_with_its_worker(board, ended, lost):
    row = board.rows[1]
    tally = board.tallies.of_row(row, 2)
    RunTally(tally, ["mail"], [])
    row.words[Word.KIND], row.words[Word.CAUSE], row.words[Word.ENDED] = Kind.WORKER, Cause.TIME, ended
    row.state = State.UP
    row.begin_job(7, "0" * 36, "mail", 1, 0, 0)
    board.tallies.note_end(row)
    assert words_of(tally, "mail")[LOST_AT] == lost


def test_the_end_of_a_worker_for_whose_counts_there_was_no_room_harms_nobody(board):
    row = board.rows[1]
    row.words[Word.KIND], row.words[Word.CAUSE] = Kind.WORKER, Cause.TIME
    row.state = State.UP
    row.begin_job(7, "0" * 36, "mail", 1, 0, 0)
    board.tallies.note_end(row)
    words = board.tallies.of_master.words
    assert words[ENDS_AT + Kind.WORKER * ENDS_PER_KIND + Cause.TIME] == 1
