"""What a daemon that ended without its drain has left in the run_dir, and who may touch it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bananasd.processes import procfs
from bananasd.processes.board import Board, Head
from bananasd.processes.row import ID_AT, ID_BYTES, Kind, State, Word
from tests.conftest import wait_until
from tests.daemon import is_alive
from tests.processes.test_recovery import Between, Node, recoveries
from tests.store.conftest import NODE, OTHER_NODE, World


@pytest.fixture
def node(world: World, tmp_path: Path) -> Node:
    return Node(world, tmp_path)


@pytest.fixture
def dead(world: World, tmp_path: Path) -> Node:
    """Another daemon of the same run_dir: that we have its lock proves that its master is dead."""
    return Node(world, tmp_path, OTHER_NODE)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, as a worker is."""
    with subprocess.Popen(["sleep", "60"], process_group=0) as process:
        yield process
        process.kill()


@pytest.fixture
def orphan() -> Iterator[tuple[int, int]]:
    """A process that outlives the leader of its group; the group's number and its own."""
    command = ["sh", "-c", "sleep 60 >/dev/null & echo $!"]
    with subprocess.Popen(command, process_group=0, stdout=subprocess.PIPE, text=True) as leader:
        pid = int(leader.communicate()[0])
    yield leader.pid, pid
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)


def test_a_dead_daemons_jobs_are_put_back_at_once_with_what_its_rows_say(node, dead, world):
    _, ids = dead.worker()
    assert node.recover() is False
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["1", "0"])
    assert "killed together with its daemon" in world.record(ids[0])["error"]
    assert (world.store.holders(), dead.board.path.exists()) == ([], False)
    assert world.call("ZSCORE", world.keys.nodes, OTHER_NODE) is None


def test_a_daemon_of_which_a_process_is_left_is_looked_at_again_soon(node, dead, world, sleeper):
    row, ids = dead.worker(pid=sleeper.pid)
    assert node.recover() is True
    assert (world.held(row.holder(OTHER_NODE)), dead.board.path.exists()) == (ids, True)
    sleeper.kill()
    wait_until(lambda: not is_alive(sleeper.pid))
    assert node.recover() is False
    assert world.ready() == ids


def test_a_process_that_cannot_be_looked_at_counts_as_alive(node, dead, sleeper, monkeypatch):
    dead.worker(pid=sleeper.pid)
    monkeypatch.setattr(procfs, "_stat", lambda _pid: None)
    assert node.recover() is True


def test_a_pid_that_belongs_to_a_stranger_by_now_is_gone(node, dead, world, sleeper):
    row, ids = dead.worker(pid=sleeper.pid)
    row.words[Word.BORN] += 1
    assert node.recover() is False
    assert (world.ready(), is_alive(sleeper.pid)) == (ids, True)


def test_a_board_of_another_boot_is_recovered_whatever_its_pids_are_now(node, dead, world):
    _, ids = dead.worker(pid=os.getpid())
    with dead.board.path.open("r+b") as file:
        file.seek(ID_AT)
        file.write(b"x" * ID_BYTES)
    assert node.recover() is False
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["1", "0"])


def test_what_a_dead_daemons_worker_had_started_is_killed(node, dead, orphan):
    group, pid = orphan
    row, _ = dead.worker()
    row.words[Word.PID] = group
    node.recover()
    wait_until(lambda: not is_alive(pid))


def test_a_worker_that_entered_while_the_holders_were_read_is_recovered_with_its_board(node, dead, world):
    row = dead.row(1, trip=0)

    def enter() -> None:
        row.words[Word.TRIP] = 1
        world.start(1, f"{OTHER_NODE}/1.1")

    node.recover(Between(world.store, enter))
    assert (world.store.holders(), len(world.ready())) == ([], 1)


def damage(path, how):
    board = Board.create(path.parent, "x", 4)
    row = board.rows[0]
    row.words[Word.KIND], row.words[Word.STATE], row.words[Word.GENERATION] = Kind.WORKER, State.UP, 1
    if how == "kind":
        row.words[Word.KIND] = 77
    elif how == "state":
        row.words[Word.STATE] = 77
    elif how == "layout":
        board.head[Head.LAYOUT] += 1
    board.path.rename(path)
    if how == "shorter":
        os.truncate(path, 1024)
    elif how == "text":
        path.write_bytes(b"something else")


@pytest.mark.parametrize("how", ["text", "shorter", "kind", "state", "layout"])
def test_a_board_that_cannot_be_read_is_set_aside(node, tmp_path, how):
    strange = tmp_path / "strange.board"
    damage(strange, how)
    assert Board.open(strange) is None
    assert node.recover() is False
    assert not strange.exists()
    assert (tmp_path / "strange.unreadable").exists()
    assert node.board.node == NODE


def test_a_board_whose_processes_may_live_is_judged_by_its_lease(node, dead, world, sleeper):
    """A pid may look alive for ever, when another user has it by now."""
    _, ids = dead.worker(pid=sleeper.pid)
    world.beaten(NODE, ms_ago=0, alive_for_ms=3_600_000)
    world.lease(NODE, 10_000)
    world.lease(OTHER_NODE, 10_000)
    assert node.recover() is True
    assert world.ready() == []
    world.lease(OTHER_NODE, -1)
    assert node.recover() is True
    assert sorted(world.ready()) == sorted(ids)
