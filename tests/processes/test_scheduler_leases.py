"""Nodes that share a server: who may take whose jobs, and what each says of itself."""

import json
import os
import signal

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.invariants import KEYS, Look, assert_idle, assert_left

pytestmark = pytest.mark.usefixtures("untraced")


LEASE_SECONDS = 2
"""A scheduler of a busy machine may well not run for one."""


@pytest.fixture
def nodes(make_daemon, own_server):
    """Two daemons of different run_dirs that have both been up for a lease."""
    settings = {
        "redis": {"timeout_seconds": 0.5},
        "scheduler": {"lease_seconds": LEASE_SECONDS},
        "workers": {"grace_seconds": 7},
    }
    two = [make_daemon(redis_url=own_server.url, settings=settings).start() for _ in range(2)]
    wait_until(lambda: min(lease_ages(Look(own_server.url))) > 1000 * LEASE_SECONDS)
    return two


def lease_ages(look):
    """For how many milliseconds each of the two nodes has beaten without a gap; 0 for one that has not yet."""
    seconds, micros = look.call("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    alive_since = [look.call("HGET", KEYS.node(node), "alive_since") for node in look.nodes()]
    return [now - int(instant or now) for instant in alive_since] if len(alive_since) == 2 else [0]


def runner_of(nodes, job_id):
    """The daemon that runs the job, and the other."""
    wait_until(lambda: any(node.entries("start", job_id) for node in nodes))
    return sorted(nodes, key=lambda node: not node.entries("start", job_id))


def test_the_whole_tree_of_a_node_is_lost_and_another_runs_its_job(nodes, own_server, tmp_path):
    until = tmp_path / "until"
    with nodes[0].client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        lost, other = runner_of(nodes, job_id)
        lost.kill_all()
        wait_until(lambda: other.entries("start", job_id))
        until.touch()
        job = client.wait(job_id, 30)
    assert (job.status, job.recoveries, job.attempts) == (Status.COMPLETED, 1, 1)
    assert_idle(other)
    assert other.stop() == 0
    assert_left_but(own_server.url, lost_nodes=1)


def assert_left_but(url, lost_nodes):
    """A node that never came back stays on the list until it is forgotten."""
    look = Look(url)
    assert (look.holders(), look.held(), len(look.nodes())) == (set(), [], lost_nodes)


def test_a_node_that_was_frozen_finds_its_jobs_gone_and_goes_on_working(nodes, own_server, tmp_path):
    until = tmp_path / "until"
    with nodes[0].client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        frozen, other = runner_of(nodes, job_id)
        pids = frozen.send_all(signal.SIGSTOP)
        try:
            wait_until(lambda: other.entries("start", job_id))
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: frozen.entries("LeaseLost", job_id))
        wait_until(lambda: frozen.lines("outcome refused", job_id))
        assert client.get_job(job_id).status is Status.PROCESSING
        until.touch()
        job = client.wait(job_id, 30)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 2, 1)
    assert not frozen.entries("end", job_id)
    wait_until(frozen.is_up)
    assert [node.stop() for node in nodes] == [0, 0]
    assert_left(own_server.url)


@pytest.mark.parametrize("how", ["frozen", "killed and restarted"])
def test_nobody_takes_anothers_job_after_an_outage_longer_than_a_lease(nodes, own_server, tmp_path, how):
    until = tmp_path / "until"
    with nodes[0].client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        runner, other = runner_of(nodes, job_id)
        outage = OUTAGES[how](own_server)
        next(outage)
        # The third line stands for two seconds, and the last beat was before the first.
        wait_until(lambda: all(len(node.lines("scheduler", "redis lost")) >= 3 for node in nodes), 30)
        next(outage, None)
        wait_until(lambda: all(node.lines("scheduler", "redis back") for node in nodes))
        # Only now might one of them take over: a full lease after the first beat.
        wait_until(lambda: min(lease_ages(Look(own_server.url))) > 1000 * LEASE_SECONDS + 500)
        until.touch()
        job = client.wait(job_id, 30)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
    assert not other.entries("start", job_id)
    assert not runner.entries("LeaseLost", job_id)
    assert [node.stop() for node in nodes] == [0, 0]
    assert_left(own_server.url)


def freeze(server):
    os.kill(server.process.pid, signal.SIGSTOP)
    yield
    os.kill(server.process.pid, signal.SIGCONT)


def kill_and_restart(server):
    server.stop()
    yield
    server.start()


OUTAGES = {"frozen": freeze, "killed and restarted": kill_and_restart}


def test_a_beat_says_what_the_node_is_and_does(make_daemon, server, client, tmp_path):
    daemon = make_daemon(redis_url=server.url).start()
    until = tmp_path / "until"
    job_id = client.submit_job("hold", {"until": str(until)})
    worker = daemon.worker_of(job_id)
    look = Look(server.url)

    def about():
        # Before its first beat it has said nothing.
        return json.loads(look.call("HGET", KEYS.node(daemon.board.node), "about") or b'{"children": []}')

    wait_until(lambda: any(child["job"] for child in about()["children"]))
    said = about()
    assert (said["host"], said["master_pid"]) == ("testnode", daemon.pid)
    assert said["lanes"] == dict.fromkeys(["default:high", "default:normal", "default:low"], 2)
    assert {child["slot"] for child in said["children"]} == {"scheduler", "worker 0", "worker 1"}
    job = {"id": job_id, "name": "hold"}
    own = {"slot": worker.slot, "pid": worker.pid, "generation": worker.generation, "state": "up", "job": job}
    assert own in said["children"]
    assert said["max_retries"] == 5
    until.touch()
