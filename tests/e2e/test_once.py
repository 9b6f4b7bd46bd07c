"""Handlers with ``on_lost="dead"``: whatever takes a run away, it is not repeated, and its job says why."""

import os
import signal

import pytest

from bananasd import Status
from bananasd.store.scripts import script
from tests.conftest import wait_until
from tests.invariants import KEYS
from tests.proxy import Proxy

ONCE = """
    @handler("once", on_lost="dead")
    def run_once(job):
        note(job, "start")
        while not os.path.exists(job.payload["until"]):
            time.sleep(0.005)
        note(job, "end")

    @handler("ignore", on_lost="dead")
    def run_ignore(job):
        has_begun = False
        while True:
            try:
                if not has_begun:
                    note(job, "start")
                    has_begun = True
                time.sleep(1000)
            except BaseException as error:
                note(job, type(error).__name__)
"""
ONE_WORKER = {"workers": {"count": 1}, "redis": {"timeout_seconds": 10}}


@pytest.fixture
def until(tmp_path):
    """The file for which the handlers wait."""
    return tmp_path / "until"


@pytest.fixture
def begin(until):
    """Submits a job and waits until it runs."""

    def begin(daemon, client, name="once", **options):
        job_id = client.submit_job(name, {"until": str(until)}, **options)
        wait_until(lambda: daemon.entries("start", job_id))
        return job_id

    return begin


def runs(job_id, *daemons):
    return sum(len(daemon.entries("start", job_id)) for daemon in daemons)


@pytest.mark.parametrize(
    ("name", "own"), [("once", None), ("hold", "dead")], ids=["by its handler", "by the job itself"]
)
def test_a_run_that_a_killed_worker_takes_along_is_dead_at_once_with_the_cause(
    server, make_daemon, begin, until, name, own
):
    daemon = make_daemon(ONCE, redis_url=server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = begin(daemon, client, name, on_lost=own)
        behind = client.submit_job(name, {"until": str(until)}, on_lost=own)
        os.kill(daemon.worker_of(job_id).pid, signal.SIGKILL)
        job = client.wait(job_id, 10)
        until.touch()
        # It had not begun, so it may.
        assert client.wait(behind, 10).status is Status.COMPLETED
        assert [dead.id for dead in client.dead_jobs()] == [job_id]
    assert (job.status, job.recoveries, job.attempts) == (Status.FAILED, 1, 0)
    assert job.error == "its worker ended in the job: signal 9 (SIGKILL)"
    assert runs(job_id, daemon) == 1


def test_a_job_may_say_that_it_runs_again_all_the_same(server, make_daemon, begin, until):
    daemon = make_daemon(ONCE, redis_url=server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = begin(daemon, client, on_lost="retry")
        os.kill(daemon.worker_of(job_id).pid, signal.SIGKILL)
        wait_until(lambda: runs(job_id, daemon) == 2)
        until.touch()
        assert client.wait(job_id, 10).status is Status.COMPLETED


def test_a_run_of_a_killed_daemon_is_dead_at_its_next_start(server, make_daemon, begin, until):
    daemon = make_daemon(ONCE, redis_url=server.url).start()
    with daemon.client() as client:
        job_id = begin(daemon, client)
        daemon.kill()
        until.touch()
        daemon.start()
        job = client.wait(job_id, 10)
    assert (job.status, job.error) == (Status.FAILED, "its worker was killed together with its daemon")
    assert runs(job_id, daemon) == 1


def test_a_run_of_a_lost_node_is_dead_by_the_hand_of_another(own_server, make_daemon, begin):
    steady = {**ONE_WORKER, "scheduler": {"lease_seconds": 15}}
    first = make_daemon(ONCE, redis_url=own_server.url, settings=steady).start()
    with first.client() as client:
        job_id = begin(first, client)
        other = make_daemon(ONCE, redis_url=own_server.url, settings=ONE_WORKER).start()
        node = first.node.node
        first.kill_all()
        own_server.call("ZADD", KEYS.nodes, 1, node)  # its lease is over
        job = client.wait(job_id, 20)
    assert (job.status, job.recoveries, job.error) == (Status.FAILED, 1, f"its node {node} was lost")
    assert runs(job_id, first, other) == 1


def test_a_run_that_the_end_of_a_drain_kills_is_dead(server, make_daemon, begin):
    daemon = make_daemon(ONCE, redis_url=server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = begin(daemon, client, "ignore")
        daemon.process.send_signal(signal.SIGQUIT)
        assert daemon.wait() == 0
        job = client.get_job(job_id)
    assert (job.status, job.error) == (Status.FAILED, "its worker was killed, since the daemon stopped")


def test_a_run_that_a_drain_breaks_into_is_dead(server, make_daemon, begin):
    daemon = make_daemon(ONCE, redis_url=server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = begin(daemon, client)
        assert daemon.stop() == 0
        job = client.get_job(job_id)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error.endswith("JobDrained: the daemon stops\nthe job was interrupted, and must not run twice")


def test_a_run_that_is_over_its_time_is_a_failed_attempt_by_its_own_policy(server, make_daemon, begin):
    daemon = make_daemon(ONCE, redis_url=server.url, settings={"workers": {"count": 1, "grace_seconds": 0.2}})
    with daemon.start().client() as client:
        job = client.wait(begin(daemon, client, "ignore", timeout_seconds=0.2, retry=[0.05]), 20)
    assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 2, 0)
    assert job.error.startswith("it ran longer than its timeout of 0.2 s")


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.socket)
    # Else a call by digest, which is what is cut here, would do nothing the first time.
    server.call("SCRIPT", "LOAD", script("guard").text)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("lost", ["reply", "daemon"])
def test_if_the_note_is_made_but_its_reply_lost_the_run_has_not_begun(proxy, make_daemon, until, lost):
    daemon = make_daemon(ONCE, redis_url=proxy.url, settings=ONE_WORKER).start()
    until.touch()
    with daemon.client() as client:
        dropped = proxy.drop_next_reply(script("guard").digest.encode())
        job_id = client.submit_job("once", {"until": str(until)})
        wait_until(dropped.is_set)
        if lost == "daemon":
            daemon.kill()
            daemon.start()
        job = client.wait(job_id, 10)
    if lost == "reply":
        assert (job.status, job.run, runs(job_id, daemon)) == (Status.COMPLETED, 2, 1)
    else:
        # The worker may have seen to it before its end; else nobody can know any more.
        assert job.status in (Status.COMPLETED, Status.FAILED)
        assert runs(job_id, daemon) <= 1
