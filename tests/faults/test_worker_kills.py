"""SIGKILL to workers: in a job, and at each step between a claim and the answer to its outcome."""

import os
import signal
import time

import pytest

from bananasd import Status
from bananasd.processes import procfs
from tests.faults import figures
from tests.faults.form import LATE_SECONDS, either

ONE_WORKER = {"workers": {"count": 1}}


@pytest.mark.parametrize(
    ("point", "runs", "recoveries", "ends"),
    [
        ("after its claim", 2, 0, 1),
        ("in its handler", 2, 1, 1),
        # It had ended, but nobody was told: at least once means this.
        ("after its handler", 2, 1, 2),
        ("before its settle", 2, 1, 2),
        ("after its settle", 1, 0, 1),
    ],
)
def test_a_worker_is_killed_between_two_steps(scene, point, runs, recoveries, ends):
    daemon = scene.node(ONE_WORKER, fail_point=point)
    job_id = scene.submit("fragile")
    before, behind = scene.submit("brief"), scene.submit("brief")
    scene.wait_until(lambda: scene.are_final([job_id, before, behind]))
    scene.wait_until(lambda: daemon.lines("child ended", "SIGKILL"))
    job = scene.client.get_job(job_id)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, runs, recoveries)
    assert len(scene.ledger.ends(job_id)) == ends
    if ends > 1:
        scene.may_end_again.add(job_id)
    for other in map(scene.client.get_job, (before, behind)):
        assert (other.status, other.recoveries) == (Status.COMPLETED, 0)


def test_a_job_whose_worker_is_killed_runs_again_in_the_same_second(scene):
    scene.node()
    seconds = []
    for _ in range(either(10, 300)):
        (job_id,) = scene.hold()
        killed_at = time.monotonic()
        os.kill(scene.ledger.starts(job_id)[0].pid, signal.SIGKILL)
        scene.wait_until(lambda: len(scene.ledger.starts(job_id)) == 2)  # noqa: B023
        seconds.append(scene.ledger.starts(job_id)[1].at - killed_at)
        scene.let_go()
        job = scene.wait(job_id)
        assert (job.status, job.run, job.recoveries, job.attempts) == (Status.COMPLETED, 2, 1, 1)
        scene.until.unlink()
    figures.note("kill -9 of a worker -> second run starts", seconds)
    # A test run shares its machine.
    assert max(seconds) < 1 + LATE_SECONDS


def test_workers_are_killed_again_and_again_under_load(scene):
    daemon = scene.node({"workers": {"max_recoveries": 100}})
    ids = scene.submit_many(either(300, 5000), 0.01)
    kills = either(10, 150)
    for kill in range(kills):
        scene.wait_until(lambda: scene.count(ids) >= len(ids) * kill // (kills + 5))  # noqa: B023
        victims = [child.pid for child in daemon.children("worker") if child.pid]
        if victims:
            procfs.send(victims[kill % len(victims)], signal.SIGKILL)
    # A worker may be killed between a job's end and its report.
    scene.may_end_again.update(ids)
    scene.wait_until(lambda: scene.are_final(ids))
    assert {scene.client.get_job(job_id).status for job_id in ids} == {Status.COMPLETED}
    assert len(scene.ledger.ends()) <= len(ids) + kills
