"""What a child is to the system, and what stays of it in the board."""

import os
import signal
import time
from pathlib import Path

import pytest

from bananasd.processes.row import Kind, State, Word
from tests.conftest import wait_until
from tests.daemon import is_alive, title
from tests.patience import assert_once

pytestmark = pytest.mark.usefixtures("untraced")


def proc(pid, name):
    return Path(f"/proc/{pid}/{name}").read_text()


def test_children_have_groups_of_their_own_in_the_session_of_the_master(daemon):
    children = daemon.children()
    assert len(children) == 3
    for child in children:
        assert os.getpgid(child.pid) == child.pid
        assert os.getsid(child.pid) == os.getsid(daemon.pid)


def test_workers_are_killed_for_memory_before_their_master_and_its_server(daemon):
    scores = {child.slot: int(proc(child.pid, "oom_score_adj")) for child in daemon.children()}
    master = int(proc(daemon.pid, "oom_score_adj"))
    assert scores["worker 0"] == max(500, master)
    assert scores["scheduler"] == scores["redis"] == master


def test_titles_say_what_a_process_is_and_whether_it_is_busy(daemon):
    worker, until = daemon.child("worker"), daemon.directory / "until"
    wait_until(lambda: title(worker.pid) == "bananasd: worker 0 [idle]")
    assert title(daemon.child("scheduler").pid) == "bananasd: scheduler"
    with daemon.client() as client:
        daemon.worker_of(client.submit_job("hold", {"until": str(until)}))
        assert title(worker.pid) == "bananasd: worker 0 [busy]"
        until.touch()
        wait_until(lambda: title(worker.pid) == "bananasd: worker 0 [idle]")


def test_standard_input_of_every_child_but_the_server_is_empty(daemon):
    for child in daemon.children():
        assert os.readlink(f"/proc/{child.pid}/fd/0") == "/dev/null"


def test_no_child_blocks_a_signal(daemon):
    for child in daemon.children():
        (mask,) = (
            line.split()[1] for line in proc(child.pid, "status").splitlines() if line.startswith("SigBlk")
        )
        assert int(mask, 16) == 0, child.slot


def test_when_the_master_is_killed_all_children_go(make_daemon):
    daemon = make_daemon().start()
    pids = [child.pid for child in daemon.children()]
    daemon.process.kill()
    wait_until(lambda: not any(map(is_alive, pids)))


def test_dead_rows_are_free_again_once_they_are_recovered(daemon, run):
    board = daemon.board
    latest = max(row.generation for row in board.used_rows())
    for _ in range(3):
        run("os._exit(1)")
    wait_until(lambda: [row.state for row in board.used_rows()] == [State.UP] * 3)
    # A new number for each of the nine runs.
    assert max(row.generation for row in board.used_rows()) == latest + 9


def test_while_redis_is_lost_a_dead_row_waits_and_the_slot_starts_in_another(own_server, make_daemon):
    daemon = make_daemon(redis_url=own_server.url, settings={"workers": {"count": 1}}).start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 1000})
        worker = daemon.worker_of(job_id)
        own_server.stop()
        os.kill(worker.pid, signal.SIGKILL)
        rows = daemon.board.rows
        wait_until(lambda: [r for r in rows if r.state is State.DEAD and r.words[Word.PID] == worker.pid])
        wait_until(daemon.is_up)
        (dead,) = (row for row in rows if row.state is State.DEAD)
        assert dead.job().job_id == job_id
        assert dead.words[Word.EXIT] == signal.SIGKILL
        assert not dead.is_recovered
        own_server.start()
        wait_until(lambda: dead.is_free)
        wait_until(lambda: client.get_job(job_id).recoveries == 1)


def test_a_board_knows_its_children_by_kind_pid_and_birth(daemon):
    from bananasd.processes import procfs

    kinds = sorted(row.kind for row in daemon.board.used_rows())
    assert kinds == [Kind.WORKER, Kind.SCHEDULER, Kind.REDIS]
    for row in daemon.board.used_rows():
        assert procfs.born(row.words[Word.PID]) == row.words[Word.BORN] != 0


def test_a_killed_workers_job_runs_again_within_a_second(server, make_daemon):
    daemon = make_daemon(redis_url=server.url).start()

    def is_soon() -> bool:
        until = daemon.directory / "until"
        until.unlink(missing_ok=True)
        with daemon.client() as client:
            job_id = client.submit_job("hold", {"until": str(until)})
            worker = daemon.worker_of(job_id)
            wait_until(lambda: daemon.entries("start", job_id))
            killed = time.monotonic()
            os.kill(worker.pid, signal.SIGKILL)
            wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
            until.touch()
            job = client.wait(job_id, 30)
        assert (job.recoveries, job.attempts, job.run) == (1, 1, 2)
        assert job.error == "its worker ended in the job: signal 9 (SIGKILL)"
        return float(daemon.entries("start", job_id)[1][4]) - killed < 1

    assert_once(is_soon)
