"""What the command line sees of a daemon, and does to it."""

import pytest

from bananasd.errors import DaemonError, NotRunning, StopTimeout
from bananasd.processes import control
from bananasd.processes.board import Board
from bananasd.processes.control import ChildView
from bananasd.processes.row import JobView, Kind, State, Word


@pytest.fixture
def board(tmp_path):
    """The board of this process, as the master of two workers that are up."""
    board = Board.create(tmp_path, "n1", 4, 2)
    for generation in (1, 2):
        row = board.rows[generation]
        row.words[Word.KIND], row.words[Word.SLOT], row.state = Kind.WORKER, generation, State.UP
        row.words[Word.PID] = 1000 + generation
        row.words[Word.GENERATION] = generation
    return board


def children(tmp_path) -> list[ChildView]:
    (node,) = control.nodes(tmp_path)
    return node.children


def test_a_directory_without_a_daemon_shows_none(tmp_path):
    assert control.nodes(tmp_path / "nowhere") == []
    assert control.running_pid(tmp_path / "nowhere") is None
    with pytest.raises(NotRunning):
        control.stop(tmp_path / "nowhere", 0)


def test_a_node_is_up_when_every_slot_has_a_child_that_is_up(board, tmp_path):
    assert control.nodes(tmp_path)[0].is_up
    board.rows[2].state = State.STARTING
    assert not control.nodes(tmp_path)[0].is_up
    board.rows[2].clear()
    assert not control.nodes(tmp_path)[0].is_up


def test_a_child_shows_the_job_that_it_runs(board, tmp_path):
    row = board.rows[1]
    job_id = "11111111-2222-4333-8444-555555555555"
    row.begin_job(JobView(7, job_id, "grüßen", 1, 0, 0))
    row.words[Word.ARMED] = 7
    row.words[Word.DONE], row.words[Word.FAILED], row.words[Word.RESTARTS] = 5, 2, 1
    busy, idle = children(tmp_path)
    assert (busy.slot, busy.kind, busy.pid, busy.state) == ("worker 1", "worker", 1001, "up")
    assert (busy.job_id, busy.job_name, busy.job_seconds > 0) == (job_id, "grüßen", True)
    assert (busy.done, busy.failed, busy.restarts) == (5, 2, 1)
    assert (idle.job_id, idle.job_name, idle.job_seconds) == ("", "", None)


def test_a_dead_child_is_not_shown(board, tmp_path):
    board.rows[1].state = State.DEAD
    assert [child.slot for child in children(tmp_path)] == ["worker 2"]


@pytest.mark.parametrize("word", Word)
def test_a_row_that_is_freed_while_it_is_read_shows_nothing_and_breaks_nothing(
    board, tmp_path, monkeypatch, word
):
    """Whichever of its words is the last that the reader got."""
    read = Board.open

    class Words:
        def __init__(self, row):
            self.row, self.words = row, row.words

        def __getitem__(self, index):
            value = self.words[index]
            if index == word:
                board.rows[1].clear()
            return value

    def open_slowly(path):
        found = read(path)
        found.rows[1].words = Words(found.rows[1])
        return found

    monkeypatch.setattr(Board, "open", open_slowly)
    assert {child.slot for child in children(tmp_path)} - {"worker 1"} == {"worker 2"}


def test_a_node_of_another_boot_is_not_shown(board, tmp_path, monkeypatch):
    monkeypatch.setattr("bananasd.processes.procfs.boot_id", lambda: "another")
    assert control.nodes(tmp_path) == []


def test_a_running_daemon_is_found_by_its_run_dir(make_daemon):
    daemon = make_daemon().start()
    assert control.running_pid(daemon.run_dir) == daemon.pid
    (node,) = control.nodes(daemon.run_dir)
    assert (node.master_pid, node.is_running, node.phase, node.is_up) == (daemon.pid, True, "running", True)
    assert {child.slot for child in node.children} == {"redis", "scheduler", "worker 0", "worker 1"}


def test_a_killed_daemons_board_shows_that_it_is_gone(make_daemon):
    daemon = make_daemon().start()
    daemon.kill()
    assert control.running_pid(daemon.run_dir) is None
    (node,) = control.nodes(daemon.run_dir)
    assert not node.is_running


def test_stop_waits_for_the_end(make_daemon):
    daemon = make_daemon().start()
    control.stop(daemon.run_dir, 10)
    assert daemon.wait(1) == 0
    with pytest.raises(NotRunning):
        control.stop(daemon.run_dir, 10)


def test_a_stop_that_takes_too_long_tells_what_it_waits_for(make_daemon, tmp_path):
    daemon = make_daemon().start()
    until = tmp_path / "until"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
    with pytest.raises(StopTimeout) as failure:
        control.stop(daemon.run_dir, 0.1)
    assert f"waiting for {worker.slot}: hold {job_id} (0s)" in str(failure.value)
    (node,) = control.nodes(daemon.run_dir)
    assert node.phase == "draining"
    until.touch()
    assert daemon.wait() == 0


def test_a_stop_of_another_users_daemon_says_so(make_daemon, monkeypatch):
    daemon = make_daemon().start()

    def forbid(_pid, _signum):
        raise PermissionError

    monkeypatch.setattr(control.os, "kill", forbid)
    with pytest.raises(DaemonError, match="another user"):
        control.stop(daemon.run_dir, 1)
    monkeypatch.undo()
