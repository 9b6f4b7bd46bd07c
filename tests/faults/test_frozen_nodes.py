"""A whole daemon is stopped in its jobs for three leases, as a paused virtual machine is, and then goes on."""

import os
import signal
import time
from contextlib import contextmanager

from bananasd import Status
from tests.faults.form import LEASE_SECONDS, either


@contextmanager
def frozen(daemon):
    pids = daemon.send_all(signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def two_nodes(scene):
    nodes = [scene.node({"workers": {"max_recoveries": 20}}) for _ in range(2)]
    scene.wait_until(lambda: scene.has_unbroken_leases(2))
    return nodes


def jobs_of(scene, daemon, ids):
    """Those of these jobs that this daemon runs."""
    pids = {child.pid for child in daemon.children()}
    return [line.job_id for line in scene.ledger.starts() if line.job_id in ids and line.pid in pids]


def for_three_leases(scene):
    frozen_until = time.monotonic() + 3 * LEASE_SECONDS
    scene.wait_until(lambda: time.monotonic() > frozen_until)


def test_a_frozen_nodes_jobs_run_elsewhere_and_its_own_runs_are_interrupted_and_refused(scene):
    thawed, _ = two_nodes(scene)
    for _ in range(either(1, 2)):
        scene.wait_until(lambda: scene.has_unbroken_leases(2))
        ids = scene.hold(4)
        taken = jobs_of(scene, thawed, ids)
        assert len(taken) == 2
        scene.may_overlap.update(taken)
        with frozen(thawed):
            for_three_leases(scene)
            # The other is busy with its own two: what it takes over waits in front.
            scene.wait_until(lambda: set(scene.look.ready()) == set(taken))  # noqa: B023
        # It is back before the other had room for them: its runs are over all the same.
        scene.wait_until(lambda: all(scene.ledger.lines("LeaseLost", job_id) for job_id in taken))  # noqa: B023
        scene.wait_until(lambda: all(thawed.lines("outcome refused", job_id) for job_id in taken))  # noqa: B023
        scene.let_go()
        for job in map(scene.wait, taken):
            assert (job.status, job.recoveries, job.attempts) == (Status.COMPLETED, 1, 1)
        scene.wait_until(lambda: scene.are_final(ids))  # noqa: B023
        scene.until.unlink()
        scene.wait_until(thawed.is_up)


def test_what_a_thawed_node_ends_is_refused_if_it_runs_elsewhere(scene):
    thawed, other = two_nodes(scene)
    ids = scene.hold(2)
    # Both may be one node's: it is enough that this one has them all, or one of them.
    if not jobs_of(scene, thawed, ids):
        thawed, other = other, thawed
    taken = jobs_of(scene, thawed, ids)
    scene.may_overlap.update(taken)
    scene.may_end_again.update(taken)
    with frozen(thawed):
        for_three_leases(scene)
        scene.let_go()
        scene.wait_until(lambda: scene.are_final(ids))
    ended = {job_id: scene.client.get_job(job_id) for job_id in taken}
    # Either it ended at once, and was refused, or it was interrupted before.
    scene.wait_until(lambda: all(thawed.lines("outcome refused", job_id) for job_id in taken))
    for job_id, job in ended.items():
        assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 2, 1)
        assert scene.client.get_job(job_id).finished_at == job.finished_at


def test_nodes_are_frozen_in_turn_under_load(scene):
    nodes = two_nodes(scene)
    turns = either(2, 4)
    for turn in range(turns):
        scene.submit_many(either(400, 4000), 0.01)
        scene.wait_until(lambda: scene.ledger.starts(scene.job_ids[-300]))
        # What ran at the freeze, and what had ended and was not reported yet.
        scene.may_overlap.update(scene.job_ids)
        scene.may_end_again.update(scene.job_ids)
        with frozen(nodes[turn % 2]):
            for_three_leases(scene)
        scene.wait_until(lambda: scene.has_unbroken_leases(2))
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    assert {scene.client.get_job(job_id).status for job_id in scene.job_ids} == {Status.COMPLETED}
    # One job a worker, two if they are tiny.
    assert len(scene.ledger.ends()) - len(scene.job_ids) <= turns * 2 * 2
