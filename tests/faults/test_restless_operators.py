"""Reloads, more workers and fewer, again and again under load: no job notices, and nothing piles up."""

import os
import signal

from bananasd import Status
from bananasd.processes.board import Board, Head
from tests.faults.form import either

JOB_SECONDS = 0.005


def test_reloads_and_changes_of_size_under_load_lose_and_double_nothing(scene):
    daemon = scene.node()
    board = daemon.board
    files = len(os.listdir(daemon.run_dir))
    for _ in range(either(4, 100)):
        scene.submit_many(50, JOB_SECONDS)
        resize(scene, daemon, signal.SIGTTIN, 3)
        resize(scene, daemon, signal.SIGTTOU, 2)
        reload(scene, daemon, board)
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    jobs = [scene.client.get_job(job_id) for job_id in scene.job_ids]
    assert {(job.status, job.attempts, job.recoveries) for job in jobs} == {(Status.COMPLETED, 1, 0)}
    # One that a worker had claimed and not begun goes back when that leaves: it is claimed twice and begins once.
    assert len(scene.ledger.starts()) == len(jobs)
    scene.wait_until(lambda: len(os.listdir(daemon.run_dir)) == files)
    scene.wait_until(lambda: len(list(Board.open(board.path).used_rows())) == 3)


def resize(scene, daemon, signum, workers):
    os.kill(daemon.pid, signum)
    scene.wait_until(lambda: sum(child.state == "up" for child in daemon.children("worker")) == workers)


def reload(scene, daemon, board):
    ended = board.head[Head.RELOADS_ENDED]
    os.kill(daemon.pid, signal.SIGHUP)
    scene.wait_until(lambda: board.head[Head.RELOADS_ENDED] > ended)
    assert board.head[Head.IS_RELOADED]


def test_workers_that_are_replaced_after_every_job_lose_and_double_nothing(scene):
    daemon = scene.node({"workers": {"max_jobs": 1}})
    ids = scene.submit_many(either(40, 10_000), 0)
    scene.wait_until(lambda: scene.count(ids) == len(ids), either(20, 1000))
    # One that was claimed and not begun, when its worker was told to leave, went back and was claimed again.
    assert sorted(line.job_id for line in scene.ledger.starts()) == sorted(ids)
    assert len({line.pid for line in scene.ledger.starts()}) == len(ids)
    scene.wait_until(lambda: len(daemon.children()) == 3)
