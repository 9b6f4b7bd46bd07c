"""Why a job does not run, asked of real daemons."""

import os
import signal

import pytest

from bananasd import Priority, Status
from bananasd.explanation import Reason
from tests.conftest import wait_until
from tests.daemon import QUICK
from tests.invariants import KEYS

HANDLERS = """
    @handler("fail", retry=[0, 60, 60])
    def fail(job):
        raise OSError(f"attempt {job.attempt}")
"""
ONE_WORKER = {"workers": {**QUICK["workers"], "count": 1}}
STEADY = {**ONE_WORKER, "scheduler": {**QUICK["scheduler"], "lease_seconds": 15}}
"""A node that is live, though it may be kept from its beat for a while."""


@pytest.fixture
def daemon(make_daemon, own_server):
    return make_daemon(HANDLERS, redis_url=own_server.url, settings=STEADY).start()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def reason(client, job_id):
    return client.explain(job_id, look_seconds=0).reason


def hold(client, tmp_path):
    """A job that runs until it is let go."""
    job_id = client.submit_job("hold", {"until": str(tmp_path / "go")})
    wait_until(lambda: client.get_job(job_id).status is Status.PROCESSING)
    return job_id


def test_from_the_lane_to_its_end(daemon, client, tmp_path):
    running = hold(client, tmp_path)
    low = client.submit_job("note", {}, Priority.LOW)
    client.submit_job("note", {})
    # What a node tells comes with its beats.
    wait_until(lambda: client.explain(running).evidence["worker"] == "worker 0")
    explained = client.explain(running)
    assert explained.reason is Reason.RUNNING
    assert explained.sentence.startswith(f"It runs: worker 0 on node {daemon.node.node} has held it for ")
    wait_until(lambda: reason(client, low) is Reason.WAITING)
    assert client.explain(low, look_seconds=0).sentence == (
        "It waits behind about 1 job, 1 of them of higher priority."
    )
    (tmp_path / "go").touch()
    assert client.wait(low, 10).status is Status.COMPLETED
    assert reason(client, low) is Reason.COMPLETED


def test_the_present_rate_is_that_at_which_those_before_it_go(client):
    ids = [client.submit_job("note", {"seconds": 0.02}) for _ in range(400)]
    wait_until(lambda: reason(client, ids[-1]) is Reason.WAITING)
    seen = []
    wait_until(lambda: seen.append(client.explain(ids[-1], look_seconds=0.5)) or went_on(seen[-1]))
    evidence = seen[-1].evidence
    # 50 a second at the most.
    assert 0 < evidence["rate_per_second"] <= 60
    assert evidence["wait_seconds"] == evidence["ahead"] / evidence["rate_per_second"]


def went_on(explained):
    """Whether its lane moved between two looks."""
    return "at the present rate" in explained.sentence


def test_a_lane_of_long_jobs_is_not_judged_by_the_speed_of_another(make_daemon, own_server):
    settings = {**STEADY, "pools": [{"name": "quick", "workers": 1, "queues": ["quick"]}]}
    with make_daemon(redis_url=own_server.url, settings=settings).start().client() as client:
        ids = [client.submit_job("note", {"seconds": 1}) for _ in range(40)]
        quick = [client.submit_job("note", {}, queue="quick") for _ in range(300)]
        client.wait(quick[-1], 20)
        wait_until(lambda: client.explain(ids[-1], look_seconds=0).evidence["rate_per_second"], 10)
        evidence = client.explain(ids[-1], look_seconds=0).evidence
        # One worker ends no more than one a second of them; 11 in ten seconds, if the first had begun before.
        assert evidence["rate_per_second"] <= 1.1
        assert evidence["wait_seconds"] >= evidence["ahead"] / 1.1 > 0


def test_why_it_is_not_even_next(daemon, client, tmp_path):
    wait_until(lambda: client.queue_stats().lanes is not None and daemon.is_up())
    nobodys = client.submit_job("note", {}, queue="nobody")
    assert reason(client, nobodys) is Reason.UNSERVED
    hold(client, tmp_path)
    unknown = client.submit_job("no_such_handler", {})
    wait_until(lambda: reason(client, unknown) is Reason.NO_HANDLER)
    known = client.submit_job("note", {})
    assert reason(client, known) is Reason.WAITING
    client.pause("default", 60)
    assert reason(client, known) is Reason.PAUSED
    os.kill(daemon.pid, signal.SIGTSTP)
    wait_until(lambda: daemon.node.phase == "quiet")
    client.resume("default")
    # A daemon that is quiet serves nothing.
    wait_until(lambda: reason(client, known) is Reason.UNSERVED)


def test_a_failed_job_tells_its_retry_and_its_last_error(client):
    job_id = client.submit_job("fail", None)
    wait_until(lambda: client.get_job(job_id).attempts == 2)
    wait_until(lambda: reason(client, job_id) is Reason.RETRYING)
    explained = client.explain(job_id)
    assert explained.sentence.endswith("(retry 2 of 3); the last error: OSError: attempt 2")
    assert 50 < explained.evidence["due_in_seconds"] <= 60


def test_the_retries_of_the_configuration_are_told_by_its_daemon(make_daemon, own_server):
    settings = {**STEADY, "retry": {"max_retries": 8, "base_seconds": 60}}
    daemon = make_daemon(redis_url=own_server.url, settings=settings).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {})  # lacks what the handler looks for
        wait_until(lambda: reason(client, job_id) is Reason.RETRYING)
        wait_until(lambda: client.explain(job_id).evidence["max_retries"] == 8)


def test_a_job_whose_worker_was_killed_is_a_suspect(daemon, client, own_server, tmp_path):
    job_id = hold(client, tmp_path)
    client.pause()
    os.kill(daemon.worker_of(job_id).pid, signal.SIGKILL)
    wait_until(lambda: client.get_job(job_id).status is Status.PENDING)
    assert reason(client, job_id) is Reason.PAUSED
    # The killed worker's place is taken; it would be next. (A place that is empty has 0 for its pid, which to kill is all of us.)
    wait_until(daemon.is_up)
    try:
        daemon.send_all(signal.SIGSTOP)
        # The claims that the server runs at the end of their waits are over, too.
        wait_until(lambda: b"blocked_clients:0\r" in own_server.call("INFO", "clients"))
        os.kill(daemon.child("scheduler").pid, signal.SIGCONT)  # it keeps the lease
        client.resume()
        wait_until(lambda: reason(client, job_id) is Reason.SUSPECT)
        assert (
            "(its worker ended in the job: signal 9 (SIGKILL)), so it waits to run alone"
            in client.explain(job_id).sentence
        )
    finally:
        daemon.send_all(signal.SIGCONT)


def test_what_a_killed_node_held_is_lost_until_another_has_taken_it_over(
    daemon, client, make_daemon, own_server, tmp_path
):
    job_id, node = hold(client, tmp_path), daemon.node.node
    wait_until(lambda: client.explain(job_id).evidence["worker"] == "worker 0")
    daemon.kill_all()
    own_server.call("ZADD", KEYS.nodes, 1, node)  # its lease is over
    assert reason(client, job_id) is Reason.LOST
    explained = client.explain(job_id)
    assert explained.sentence.startswith(f"Worker 0 on node {node} held it, and that node lost its lease ")
    assert (explained.evidence["node"], explained.evidence["taken_over_in_seconds"]) == (node, None)
    assert "No other daemon is live" in explained.sentence
    other = make_daemon(redis_url=own_server.url, settings=ONE_WORKER).start()
    (tmp_path / "go").touch()
    assert client.wait(job_id, 15).status is Status.COMPLETED
    assert [line[0] for line in other.entries("end", job_id)] == ["end"]
