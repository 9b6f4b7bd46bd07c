"""The board: what is written into it and what is read."""

import os

import pytest

from bananasd.errors import DaemonError
from bananasd.processes.board import Board, Head, Phase, boards_in
from bananasd.processes.row import NAME_BYTES, ROW_BYTES, JobView, Kind, State, Word

JOB = JobView(7, "11111111-1111-4111-8111-111111111111", "mail", 100, 200, 3)


@pytest.fixture
def board(tmp_path):
    board = Board.create(tmp_path, "node", 3)
    board.head[Head.SLOTS] = 2
    return board


@pytest.fixture
def row(board):
    row = board.rows[0]
    row.words[Word.KIND], row.words[Word.SLOT], row.words[Word.GENERATION] = Kind.WORKER, 2, 5
    row.state = State.UP
    return row


def test_others_see_what_the_master_has_written(board, row):
    row.begin_job(*JOB)
    board.phase = Phase.DRAINING
    seen = Board.open(board.path)
    assert (seen.node, seen.master_pid, seen.phase) == ("node", os.getpid(), Phase.DRAINING)
    assert seen.head[Head.SLOTS] == 2
    assert seen.is_of_this_boot
    assert not seen.is_master_gone
    (copy,) = seen.used_rows()
    assert copy.job() == JOB
    assert (copy.slot_name, copy.state, copy.holder("node")) == ("worker 2", State.UP, "node/5.0")


@pytest.mark.parametrize("name", ["", "a", "x" * 64])
def test_a_pool_is_read_as_it_was_written_and_touches_nothing_beside_it(board, row, name):
    beside = board.rows[1]
    beside.words[Word.SEQUENCE] = 2**64 - 1
    row.pool = "y" * 64
    row.begin_job(7, JOB.job_id, "n" * 200, 100, 200, 3)
    row.pool = name
    assert (row.pool, row.title) == (name, f"worker 2 ({name})" if name else "worker 2")
    assert row.job().name == "n" * NAME_BYTES
    assert beside.words[Word.SEQUENCE] == 2**64 - 1


def test_others_cannot_write(board):
    with pytest.raises(TypeError):
        Board.open(board.path).head[Head.PHASE] = 1


def test_a_board_is_never_made_over_another(board, tmp_path):
    before = board.path.read_bytes()
    with pytest.raises(DaemonError, match="node.board: cannot be written: File exists"):
        Board.create(tmp_path, "node", 3)
    assert board.path.read_bytes() == before


def test_a_board_for_which_there_is_no_room_leaves_no_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(DaemonError, match="No space left"):
        Board.create(tmp_path, "node", 3)
    assert list(tmp_path.iterdir()) == []


def test_boards_are_for_their_user_alone(board):
    assert board.path.stat().st_mode & 0o777 == 0o600


def test_a_row_without_a_job_has_none(row):
    assert row.job() is None


def test_a_job_that_is_just_being_written_is_not_read(row):
    row.begin_job(*JOB)
    row.words[Word.SEQUENCE] += 1
    assert row.job() is None


@pytest.mark.parametrize("name", ["x" * 200, "ä" * 100, "日" * 70, ""])
def test_a_long_name_is_cut_between_characters(row, name):
    row.begin_job(*JOB._replace(name=name))
    shown = row.job().name
    assert name.startswith(shown)
    assert len(shown.encode()) >= min(len(name.encode()), NAME_BYTES - 2)


@pytest.mark.parametrize("length", range(NAME_BYTES - 1, NAME_BYTES + 3))
def test_a_long_name_touches_nothing_behind_it(row, length):
    row.begin_job(*JOB._replace(name="x" * length, attempt=7))
    assert (row.job().attempt, row.words[Word.SERVER]) == (7, 0)
    row.words[Word.SERVER] = row.words[Word.ATTEMPT] = 2**64 - 1
    assert row.job().name == "x" * min(length, NAME_BYTES)


def test_a_short_name_after_a_long_one_has_nothing_of_it(row):
    row.begin_job(*JOB._replace(name="a long name"))
    row.begin_job(*JOB._replace(name="short"))
    assert row.job().name == "short"


def test_a_row_never_touches_its_neighbour(board):
    before = bytes(board._memory[2 * ROW_BYTES :])
    row = board.rows[0]
    row.begin_job(*JOB._replace(name="日" * 200))
    for word in Word:
        row.words[word] = 2**64 - 1
    assert bytes(board._memory[2 * ROW_BYTES :]) == before


def test_a_cleared_row_is_free_and_empty(board, row):
    row.begin_job(*JOB)
    assert board.free_row() is board.rows[1]
    row.clear()
    assert row.is_free
    assert row.job() is None
    assert board.free_row() is row
    assert list(board.used_rows()) == []
    assert all(row.words[word] == 0 for word in Word if word not in (Word.KIND, Word.SLOT))


def test_a_row_that_is_being_cleared_can_still_be_read(row):
    row.clear()
    assert row.slot_name == "worker 2"
    assert row.state is State.FREE


def test_without_room_there_is_no_free_row(board):
    for row in board.rows:
        row.words[Word.GENERATION] = 1
    assert board.free_row() is None


@pytest.mark.parametrize(
    ("state", "recovered", "is_recovered"),
    [(State.UP, 5, False), (State.DEAD, 0, False), (State.DEAD, 4, False), (State.DEAD, 5, True)],
)
def test_only_what_was_written_for_this_very_child_says_that_it_is_recovered(
    row, state, recovered, is_recovered
):
    row.state, row.words[Word.RECOVERED] = state, recovered
    assert row.is_recovered is is_recovered


@pytest.mark.parametrize("content", [b"", b"short", bytes(4096), b"x" * 4096])
def test_a_file_that_is_no_finished_board_is_not_read(tmp_path, content):
    path = tmp_path / "other.board"
    path.write_bytes(content)
    assert Board.open(path) is None


def test_a_board_that_is_gone_is_not_read(tmp_path):
    assert Board.open(tmp_path / "gone.board") is None


def test_a_board_of_another_boot_has_a_living_master_only_if_it_is_to_be_seen(board, monkeypatch):
    monkeypatch.setattr("bananasd.processes.procfs.boot_id", lambda: "another")
    assert not board.is_of_this_boot
    # In a container that lays an id of its own over the kernel's.
    assert board.has_master
    assert not board.is_master_gone
    board.head[Head.MASTER_BORN] += 1
    assert board.is_master_gone


def test_a_deleted_board_is_not_listed_and_may_be_deleted_again(board, tmp_path):
    assert boards_in(tmp_path) == [board.path]
    board.delete()
    board.delete()
    assert boards_in(tmp_path) == []
