"""What the command line sees of a daemon, and does to it."""

import fcntl
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from bananasd.errors import DaemonError, NotRunning, StopTimeout
from bananasd.processes import control, procfs, usage
from bananasd.processes.board import Board, Head
from bananasd.processes.control import ChildView
from bananasd.processes.row import Kind, State, Word
from tests.conftest import wait_until
from tests.daemon import halt


@pytest.fixture
def board(tmp_path):
    """The board of this process, as the master of two workers that are up."""
    board = Board.create(tmp_path, "n1", 4)
    board.head[Head.SLOTS] = 2
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
    row.begin_job(7, job_id, "grüßen", 1, 0, 0)
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


def test_a_node_of_another_boot_is_not_shown_unless_its_master_is_to_be_seen(board, tmp_path, monkeypatch):
    monkeypatch.setattr("bananasd.processes.procfs.boot_id", lambda: "another")
    assert [node.is_running for node in control.nodes(tmp_path)] == [True]
    board.head[Head.MASTER_BORN] += 1
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


def test_a_stopped_daemon_shows_as_stopped_and_so_do_its_children(make_daemon):
    daemon = make_daemon().start()
    (worker, other) = daemon.children("worker")
    for pid in (daemon.pid, worker.pid):
        halt(pid)
    assert daemon.node.is_stopped
    assert [child.slot for child in daemon.children() if child.is_stopped] == [worker.slot]
    assert not procfs.is_stopped(other.pid)
    for pid in (daemon.pid, worker.pid):
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not daemon.node.is_stopped)
    daemon.kill()
    (node,) = control.nodes(daemon.run_dir)
    assert (node.is_running, node.is_stopped) == (False, False)


def test_what_a_process_takes_is_read_from_the_kernel():
    sum(range(1_000_000))
    mine = usage.usage(os.getpid())
    assert 1_000_000 < mine.pss_bytes < 10**10
    assert 0 < mine.cpu_seconds <= time.process_time()


@pytest.mark.parametrize("pid", [-1, 2**22 + 1, 2**80])
def test_what_cannot_be_read_is_not_there(pid):
    assert usage.usages([pid]) == {pid: (None, None)}


def test_memory_that_cannot_be_read_does_not_hide_the_time(monkeypatch):
    def forbid(_process):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "memory_full_info", forbid)
    mine = usage.usage(os.getpid())
    assert (mine.pss_bytes, mine.cpu_seconds > 0) == (None, True)


def test_a_stop_that_is_quick_waits_for_the_end_and_says_nothing(make_daemon, monkeypatch):
    monkeypatch.setattr(control, "TELL_SECONDS", 60)
    daemon = make_daemon().start()
    told = []
    control.stop(daemon.run_dir, 30, told.append)
    assert daemon.wait() == 0
    assert told == []
    with pytest.raises(NotRunning):
        control.stop(daemon.run_dir, 10)


SLOW_DRAIN = {"master": {"drain_seconds": 60}}


def test_a_stop_that_takes_too_long_tells_what_it_waits_for(make_daemon, tmp_path):
    daemon = make_daemon(settings=SLOW_DRAIN).start()
    until = tmp_path / "until"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
    with pytest.raises(StopTimeout) as failure:
        control.stop(daemon.run_dir, 0.1)
    assert f"waiting for {worker.slot}: hold {job_id} (" in str(failure.value)
    wait_until(lambda: daemon.node.phase == "draining")
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


def test_a_stop_tells_what_it_waits_for_when_that_changes(make_daemon, monkeypatch):
    monkeypatch.setattr(control, "TELL_SECONDS", 0.1)
    daemon = make_daemon(settings=SLOW_DRAIN).start()
    files = [daemon.directory / name for name in ("one", "two")]
    jobs, slots = [], []
    with daemon.client() as client:
        for file in files:
            jobs.append(client.submit_job("hold", {"until": str(file)}))
            slots.append(daemon.worker_of(jobs[-1]).slot)
    told = []

    def tell(text):
        told.append(text)
        if len(told) <= 2:
            files[len(told) - 1].touch()

    control.stop(daemon.run_dir, 30, tell)
    words = [re.sub(r" \(\d+s\)", "", text) for text in told]
    assert words[:2] == [f"{slots[0]}: hold {jobs[0]}, and 1 more", f"{slots[1]}: hold {jobs[1]}"]
    assert not [text for text in told[2:] if "hold" in text]


def test_a_stop_tells_that_the_master_is_stopped(make_daemon, monkeypatch):
    monkeypatch.setattr(control, "TELL_SECONDS", 0.1)
    daemon = make_daemon().start()
    halt(daemon.pid)
    told = []

    def tell(text):
        told.append(text)
        os.kill(daemon.pid, signal.SIGCONT)

    control.stop(daemon.run_dir, 30, tell)
    assert told[0] == f"the master, which is stopped: 'kill -CONT {daemon.pid}' lets it go on"


def test_a_stopped_daemon_is_not_asked_to_reload(make_daemon):
    daemon = make_daemon().start()
    halt(daemon.pid)
    with pytest.raises(DaemonError, match="is stopped and cannot reload; 'kill -CONT"):
        control.reload(daemon.run_dir, 10)
    assert not is_pending(daemon.pid, signal.SIGHUP)
    os.kill(daemon.pid, signal.SIGCONT)
    assert daemon.board.head[Head.RELOADS_BEGUN] == 0


def is_pending(pid, signum) -> bool:
    """Whether the process has been sent the signal and has not taken it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = (line.split()[1] for line in lines if line.startswith("ShdPnd"))
    return bool(int(mask, 16) >> (signum - 1) & 1)


SPINNING = """
    @handler("spin")
    def spin(job):
        note(job, "start")
        sum(range(10**12))
"""


@pytest.fixture
def dumped(monkeypatch):
    """The stacks of a daemon by slot, however long its processes take to write them."""
    monkeypatch.setattr(control, "STACKS_WAIT_SECONDS", 30)
    return lambda daemon, slot=None: {one.slot: one for one in control.dump(daemon.run_dir, slot)}


def test_a_dump_shows_the_line_of_a_handler_even_if_it_spins_in_c_code(make_daemon, dumped):
    daemon = make_daemon(SPINNING).start()
    with daemon.client() as client:
        spinning = daemon.worker_of(client.submit_job("spin", None, max_retries=0))
        holding = daemon.worker_of(client.submit_job("hold", {"until": "/nowhere"}))
    wait_until(lambda: len(daemon.entries()) == 2)
    wanted = {
        spinning.slot: r"tested\.py.* in spin",
        holding.slot: r"noted\.py.* in run_hold",
        "master": r"master\.py.* in run",
    }
    stacks = {}

    def are_whole() -> bool:
        # One that pauses while it writes is taken for done.
        stacks.update(dumped(daemon))
        return all(re.search(f"{line}$", stacks[slot].text, re.MULTILINE) for slot, line in wanted.items())

    wait_until(are_whole)
    assert list(stacks) == ["master", "scheduler", "worker 0", "worker 1"]
    for one in stacks.values():
        assert not re.search("click|spawner", one.text)
    assert (stacks["master"].pid, stacks[holding.slot].pid) == (daemon.pid, holding.pid)
    assert daemon.process.poll() is None


def test_a_dump_of_one_slot_is_of_that_alone(make_daemon, dumped):
    daemon = make_daemon().start()
    assert list(dumped(daemon, "worker 1")) == ["worker 1"]
    assert list(dumped(daemon, "master")) == ["master"]
    with pytest.raises(DaemonError) as failure:
        dumped(daemon, "worker 7")
    assert str(failure.value).endswith(": master, scheduler, worker 0, worker 1")


def test_a_dump_tells_who_is_stopped_and_shows_the_others(make_daemon, dumped):
    daemon = make_daemon().start()
    worker, _ = daemon.children("worker")
    for pid in (daemon.pid, worker.pid):
        halt(pid)
    stacks = dumped(daemon)
    assert {slot: (one.is_stopped, bool(one.text)) for slot, one in stacks.items()} == {
        "master": (True, False), "scheduler": (False, True), "worker 0": (True, False), "worker 1": (False, True),
    }  # fmt: skip


def test_a_dump_without_a_daemon(tmp_path):
    with pytest.raises(NotRunning):
        list(control.dump(tmp_path))


def test_a_pid_that_is_another_programs_here_is_not_signalled(tmp_path):
    """The daemon runs in a container with pids of its own."""
    lock = os.open(tmp_path, os.O_RDONLY)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (tmp_path / "pid").write_text(f"{stranger.pid}\n")
            with pytest.raises(DaemonError, match=f"its pid, {stranger.pid}, is another program's here"):
                control.stop(tmp_path, 0)
            assert stranger.poll() is None
        finally:
            os.close(lock)
            stranger.kill()
