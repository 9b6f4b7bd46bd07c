"""SIGKILL to a master alone, and to a whole daemon at once, as if its host had lost power."""

import os
import signal
import time

import pytest

from bananasd import Status
from tests.daemon import is_alive
from tests.faults import figures
from tests.faults.form import LATE_SECONDS, LEASE_SECONDS, either


def test_a_master_is_killed_in_the_midst_and_the_next_start_runs_what_was_left(scene):
    daemon = scene.node({"workers": {"max_recoveries": 100}})
    ids = scene.submit_many(either(200, 2000), 0.01)
    kills = either(3, 10)
    for kill in range(kills):
        scene.wait_until(lambda: scene.count(ids) > len(ids) * kill // kills)  # noqa: B023
        daemon.kill()
        assert daemon.children() == []
        scene.start(daemon)
    scene.may_end_again.update(ids)
    scene.wait_until(lambda: scene.are_final(ids))
    assert {scene.client.get_job(job_id).status for job_id in ids} == {Status.COMPLETED}
    # A worker has one such job in hand, and at the most a batch of two.
    assert len(scene.ledger.ends()) <= len(ids) + kills * 4


def test_what_a_killed_masters_handlers_had_started_ends_with_the_next_start(scene):
    daemon = scene.node()
    (job_id,) = scene.hold(name="has a stubborn subprocess")
    scene.wait_until(scene.ledger.subprocesses)
    (program,) = scene.ledger.subprocesses()
    daemon.kill()
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: not is_alive(program))
    job = scene.wait(job_id)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 2, 1)


def test_a_whole_node_is_lost_and_its_jobs_run_elsewhere(scene):
    """The lost one comes back at the end; until then its jobs are the other's, its queue goes on."""
    settings = {"workers": {"count": 2, "max_recoveries": 100}}
    lost, other = scene.node(settings), scene.node(settings)
    seconds = []
    for _ in range(either(1, 5)):
        scene.wait_until(lambda: scene.has_unbroken_leases(2))
        ids = scene.hold(4)
        taken = [
            line.job_id for line in scene.ledger.starts() if line.job_id in ids and line.pid in pids(lost)
        ]
        assert len(taken) == 2
        behind = scene.submit_many(50, 0.001)
        killed_at = time.monotonic()
        lost.kill_all()
        scene.let_go()
        for job_id in taken:
            scene.wait_until(lambda: len(scene.ledger.starts(job_id)) == 2)  # noqa: B023
            seconds.append(scene.ledger.starts(job_id)[1].at - killed_at)
            job = scene.wait(job_id)
            # Of its claims one more may have been given back, by a worker that began another of its batch.
            assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 1)
        scene.wait_until(lambda: scene.are_final([*ids, *behind]))  # noqa: B023
        scene.until.unlink()
        scene.start(lost)
    assert other.is_up()
    figures.note("loss of a node -> its jobs run elsewhere", seconds)
    # The lease, a look every second, a job ahead; the promise is 20 s at the default lease of 15 s.
    assert max(seconds) < LEASE_SECONDS + 5 + LATE_SECONDS


def pids(daemon):
    return {child.pid for child in daemon.children()}


@pytest.mark.parametrize("slot", ["scheduler", "worker 0"])
def test_a_child_and_its_master_are_killed_one_after_the_other(scene, slot):
    """What the master has written of the first death is what the next daemon reads."""
    daemon = scene.node()
    ids = scene.hold(2)
    children = {child.slot: child.pid for child in daemon.children()}
    # Nobody is to recover anything in between: it would run, and be lost, once more.
    os.kill(children["scheduler"], signal.SIGSTOP)
    os.kill(children[slot], signal.SIGKILL)
    scene.wait_until(lambda: daemon.lines("child ended", f"slot='{slot}'"))
    daemon.kill()
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: scene.are_final(ids))
    assert {scene.client.get_job(job_id).recoveries for job_id in ids} == {1}
