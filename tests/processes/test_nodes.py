"""Several nodes on one server: leases, lost nodes, frozen ones, and outages in which nobody steals."""

import os
import signal

import pytest

from bananasd import Status
from tests.conftest import wait_until


@pytest.fixture
def two(make_daemon, own_server):
    """Two daemons that share a server."""
    return [make_daemon(redis_url=own_server.url).start() for _ in range(2)]


def owner_of(daemons, job_id):
    """The daemon that runs the job, and the other one."""
    found = []
    wait_until(
        lambda: (
            found
            or found.extend(d for d in daemons if any(c.job_id == job_id for c in d.children("worker")))
            or found
        )
    )
    return found[0], next(daemon for daemon in daemons if daemon is not found[0])


def signal_tree(daemon, signum):
    """To the master and all its children; when stopping, the master first, so that it notices nothing."""
    pids = [daemon.pid, *(child.pid for child in daemon.children())]
    for pid in pids if signum == signal.SIGSTOP else reversed(pids):
        os.kill(pid, signum)


def alive_for_a_lease(server, node_count):
    """Whether so many nodes have beaten for long enough to take over another's jobs."""
    now = int(server.call("TIME")[0]) * 1000
    nodes = server.call("KEYS", "*}:node:*")
    return len(nodes) == node_count and all(
        now - int(server.call("HGET", node, "alive_since")) > 1500 for node in nodes
    )


def test_a_second_node_takes_over_a_lost_nodes_jobs(two, own_server):
    with two[0].client() as client:
        wait_until(lambda: alive_for_a_lease(own_server, 2))
        job_id = client.submit_job("note", {"seconds": 3})
        lost, other = owner_of(two, job_id)
        lost.kill()
        wait_until(lambda: other.entries("start", job_id))
        job = client.wait(job_id, 10)
        assert (job.status, job.recoveries) == (Status.COMPLETED, 1)
        assert "was lost" in job.error


def test_a_frozen_nodes_job_runs_elsewhere_and_its_own_run_is_interrupted(two, own_server):
    with two[0].client() as client:
        wait_until(lambda: alive_for_a_lease(own_server, 2))
        job_id = client.submit_job("note", {"seconds": 6})
        frozen, other = owner_of(two, job_id)
        signal_tree(frozen, signal.SIGSTOP)
        try:
            wait_until(lambda: other.entries("start", job_id))
        finally:
            signal_tree(frozen, signal.SIGCONT)
        wait_until(lambda: "LeaseLost" in frozen.log_text())
        wait_until(lambda: "outcome refused" in frozen.log_text())
        assert client.wait(job_id, 10).status is Status.COMPLETED
        assert not frozen.entries("end", job_id)


def test_nobody_steals_after_an_outage(two, own_server):
    with two[0].client() as client:
        wait_until(lambda: alive_for_a_lease(own_server, 2))
        job_id = client.submit_job("note", {"seconds": 6})
        runner, other = owner_of(two, job_id)
        os.kill(own_server.process.pid, signal.SIGSTOP)
        try:
            wait_until(
                lambda: "redis lost for=2" in other.log_text() or "redis lost for=3" in other.log_text()
            )
        finally:
            os.kill(own_server.process.pid, signal.SIGCONT)
        job = client.wait(job_id, 15)
        assert (job.status, job.recoveries, job.run) == (Status.COMPLETED, 0, 1)
        assert len(runner.entries("start", job_id)) == 1
        assert not other.entries("start", job_id)


def test_a_server_that_throws_jobs_away_ends_the_daemon(make_daemon, own_server):
    own_server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    daemon = make_daemon(redis_url=own_server.url).start(wait=False)
    assert daemon.wait() == 78
    assert "maxmemory-policy is allkeys-lru" in daemon.log_text()


def test_a_clean_stop_leaves_no_trace_of_the_node(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 10)
    assert daemon.stop() == 0
    kinds = {key.decode().split("}:")[1].split(":")[0] for key in own_server.call("KEYS", "*")}
    assert not kinds & {"holders", "held", "nodes", "node"}
    assert not list(daemon.run_dir.glob("*.board"))


def test_a_drain_without_a_server_leaves_the_board_and_the_next_start_recovers(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 60})
        daemon.worker_of(job_id)
        own_server.stop()
        assert daemon.stop() == 0
        assert list(daemon.run_dir.glob("*.board"))
        own_server.start()
        daemon.start()
        wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
        job = client.get_job(job_id)
        assert (job.recoveries, job.attempts) == (0, 0)
