"""Handlers that take their worker along, or would not end: their jobs die of it, and nobody else."""

import signal
import threading

from bananasd import JobRequest, Status
from bananasd.processes import procfs
from tests.daemon import is_alive
from tests.faults.form import either

ENOUGH_MB = 150


def test_a_job_that_segfaults_is_dead_after_three_runs_and_its_batch_mates_are_unharmed(scene):
    daemon = scene.node({"workers": {"count": 1}}, has_fixed_batches=True)
    mates = [JobRequest("brief", {"seconds": 0}) for _ in range(8)]
    toxic = JobRequest("segfaults", {})
    ids = scene.in_one_batch(daemon, [*mates[:4], toxic, *mates[4:]])
    assert ids[4] == toxic.job_id
    scene.wait_until(lambda: scene.are_final(ids))
    job = scene.client.get_job(toxic.job_id)
    assert (job.status, job.run, job.recoveries, job.attempts) == (Status.FAILED, 3, 3, 0)
    assert "signal 11 (SIGSEGV)" in job.error
    for mate in map(scene.client.get_job, [request.job_id for request in mates]):
        assert (mate.status, mate.recoveries, mate.attempts) == (Status.COMPLETED, 0, 1)
    # Those in front of it in the batch had ended and were not reported: they run again, which at least once means.
    scene.may_end_again.update(ids[:4])
    assert len(scene.ledger.ends()) <= 8 + 4


def test_a_handler_that_eats_memory_is_killed_for_it_each_time_and_harms_nobody(scene):
    """The test plays the part of the kernel, which kills the largest."""
    daemon = scene.node()
    toxic = scene.submit("eats memory")
    ids = scene.submit_many(100, 0.01)
    is_over = threading.Event()

    def kill_the_large():
        while not is_over.wait(0.005):
            for child in daemon.children("worker"):
                if child.pid and procfs.rss_mb(child.pid) > ENOUGH_MB:
                    procfs.send(child.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_the_large)
    killer.start()
    try:
        scene.wait_until(lambda: scene.are_final([toxic, *ids]))
    finally:
        is_over.set()
        killer.join()
    job = scene.client.get_job(toxic)
    assert (job.status, job.recoveries, job.attempts) == (Status.FAILED, 3, 0)
    assert "signal 9 (SIGKILL)" in job.error
    assert {job.recoveries for job in map(scene.client.get_job, ids)} == {0}


OVER_THEIR_TIME = {
    "sleeps": "JobTimeout",
    "loops": "JobTimeout",
    "holds the interpreter": "ignored the interrupt",
    "ignores signals": "ignored the interrupt",
    "swallows everything": "ignored the interrupt",
    "has a stubborn subprocess": "ignored the interrupt",
}
"""What the error says of them."""


def test_jobs_that_are_over_their_time_end_and_are_charged_with_an_attempt(scene):
    # More than a busy machine keeps those waiting that do hear the interrupt.
    daemon = scene.node({"workers": {"count": len(OVER_THEIR_TIME), "grace_seconds": either(2, 5)}})
    toxic = {
        scene.submit(name, {"until": "/nowhere"}, timeout_seconds=0.5, max_retries=1): error
        for name, error in OVER_THEIR_TIME.items()
    }
    ids = scene.submit_many(either(50, 500), 0.01)
    scene.wait_until(lambda: scene.are_final([*toxic, *ids]))
    for job_id, error in toxic.items():
        job = scene.client.get_job(job_id)
        assert (job.status, job.run, job.attempts, job.recoveries) == (Status.FAILED, 2, 2, 0)
        assert error in job.error
    assert len(scene.ledger.subprocesses()) == 2
    # Killed they are; to die of it they need the machine, too.
    scene.wait_until(lambda: not any(map(is_alive, scene.ledger.subprocesses())))
    killed = sum(error == "ignored the interrupt" for error in OVER_THEIR_TIME.values())
    assert len(daemon.lines("worker killed")) == 2 * killed
