"""A long job in a batch of tiny ones: the others are put back, reported and run by the next, whatever breaks just then."""

import pytest

from bananasd import JobRequest, Status
from bananasd.store.scripts import script

ONE_WORKER = {"workers": {"count": 1}}


def batch(scene, daemon, meanwhile=lambda: None):
    """Four tiny jobs, a long one, four tiny ones, claimed at once."""
    requests = [JobRequest("brief", {"seconds": 0}) for _ in range(8)]
    requests.insert(4, JobRequest("hold", {"until": str(scene.until)}))
    ids = scene.in_one_batch(daemon, requests, meanwhile)
    return ids[:4], ids[4], ids[5:]


def test_those_before_a_long_job_are_reported_and_those_behind_it_put_back(scene):
    daemon = scene.node(ONE_WORKER, has_fixed_batches=True)
    before, long, behind = batch(scene, daemon)
    scene.wait_until(lambda: daemon.lines("batch cut short", "released=4"))
    scene.wait_until(lambda: scene.are_final(before) and scene.look.ready() == behind)
    scene.let_go()
    for job in map(scene.wait, [*before, long]):
        assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
    for job in map(scene.wait, behind):
        assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 2, 0)


@pytest.mark.parametrize("point", ["before the helper releases", "after the helper has released"])
def test_a_worker_is_killed_as_its_helper_puts_jobs_back(scene, point):
    daemon = scene.node(ONE_WORKER, has_fixed_batches=True, fail_point=point)
    before, long, behind = batch(scene, daemon)
    scene.wait_until(lambda: len(scene.ledger.starts(long)) == 2)
    scene.let_go()
    if point == "before the helper releases":
        scene.may_end_again.update(before)
    for job in map(scene.wait, before + behind):
        assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 0)
    job = scene.wait(long)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 2, 1)


@pytest.mark.parametrize("transition", ["release", "complete"])
def test_the_trip_of_the_helper_breaks_as_it_puts_jobs_back(scene, transition):
    """Its command is carried out, its reply is lost: it repeats what it does not know of."""
    daemon = scene.node(ONE_WORKER, has_fixed_batches=True, is_proxied=True)
    dropped = []

    def drop():
        dropped.append(scene.proxy.drop_next_reply(script(transition).digest.encode()))

    before, long, behind = batch(scene, daemon, meanwhile=drop)
    scene.wait_until(lambda: daemon.lines("batch cut short") and dropped[0].is_set())
    scene.wait_until(lambda: scene.are_final(before) and scene.look.ready() == behind)
    scene.let_go()
    for job in map(scene.wait, [*before, long, *behind]):
        assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 0)
    # The worker's own trip has not been harmed by its helper's.
    assert not daemon.lines("redis lost")
