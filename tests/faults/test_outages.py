"""A server that dies, freezes, swallows packets or refuses: everybody waits, and goes on by itself."""

import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager, suppress

import pytest

from bananasd import Client, ConnectionFailed, ServerRefused, Status
from tests.faults import figures
from tests.faults.form import LATE_SECONDS, LEASE_SECONDS, either
from tests.patience import insist

JOB_SECONDS = 0.02


def load(scene, seconds):
    """Jobs that keep two workers busy for so long, and the wait until they do."""
    ids = scene.submit_many(int(seconds * 2 / JOB_SECONDS), JOB_SECONDS)
    scene.wait_until(lambda: scene.count(ids) > 10)
    return ids


def more(scene, ids):
    """If all have been fetched, by one worker perhaps, a few more for the others."""
    if not scene.look.ready():
        ids += scene.submit_many(10, JOB_SECONDS)


def workers(daemon):
    return {child.pid for child in daemon.children("worker")}


@pytest.mark.parametrize("outage_seconds", either([3], [3] * 10 + [60]))
def test_a_killed_server_is_waited_for_and_every_worker_fetches_again(scene, outage_seconds):
    daemon = scene.node()
    before = workers(daemon)
    ids = load(scene, either(2, 10))
    scene.server.stop()
    down_until = time.monotonic() + outage_seconds
    scene.wait_until(lambda: time.monotonic() > down_until)
    scene.server.start()
    back_at = time.monotonic()
    ids += scene.submit_many(either(100, 400), JOB_SECONDS)
    scene.wait_until(lambda: set(scene.ledger.first_starts(back_at)) >= before or more(scene, ids))
    starts = scene.ledger.first_starts(back_at).values()
    figures.note("server back -> first job", [min(starts) - back_at])
    figures.note("server back -> every worker fetches", [max(starts) - back_at])
    assert min(starts) - back_at < 1 + LATE_SECONDS
    assert max(starts) - back_at < 5 + LATE_SECONDS
    assert workers(daemon) == before
    # Lines at 0, 1, 2, 4, 8, 16 seconds and then every 30, for two workers and the scheduler.
    assert len(daemon.lines("redis lost")) <= 3 * (3 + outage_seconds.bit_length() + outage_seconds // 30)
    scene.wait_until(lambda: scene.are_final(ids))
    assert {job.run for job in map(scene.client.get_job, ids)} <= {1, 2}


@contextmanager
def frozen(scene):
    os.kill(scene.server.process.pid, signal.SIGSTOP)
    yield
    os.kill(scene.server.process.pid, signal.SIGCONT)


@contextmanager
def swallowing(scene):
    scene.proxy.mode = "blackhole"
    yield
    scene.proxy.mode = "pass"


@contextmanager
def swallowing_and_cut(scene):
    """What is connected is cut; who connects anew hears nothing."""
    scene.proxy.mode = "blackhole"
    scene.proxy.cut()
    yield
    scene.proxy.mode = "pass"


@contextmanager
def unanswered(scene):
    """What is connected is cut; a new connect hears neither yes nor no."""
    scene.proxy.mode = "deaf"
    yield
    scene.proxy.mode = "pass"


@pytest.mark.parametrize("outage", [frozen, swallowing_and_cut, unanswered, *either([], [swallowing])])
def test_while_nobody_is_answered_nobody_takes_what_others_run(scene, outage):
    # Longer than it may take until the second is back, as it is by default: a timeout, a pause, a beat. And a busy machine.
    lease_seconds = either(3.5, LEASE_SECONDS)
    settings = {"redis": {"timeout_seconds": either(0.5, 5)}, "scheduler": {"lease_seconds": lease_seconds}}
    nodes = [scene.node(settings, is_proxied=outage is not frozen) for _ in range(2)]
    scene.wait_until(lambda: scene.has_unbroken_leases(2, lease_seconds))
    held = scene.hold(4)
    behind = scene.submit_many(100, 0.001)
    with outage(scene):
        silent_until = time.monotonic() + lease_seconds + either(0.5, LEASE_SECONDS)
        scene.wait_until(lambda: time.monotonic() > silent_until)
    scene.wait_until(lambda: all(node.lines("scheduler", "redis back") for node in nodes))
    # By now each of them might take over, if it thought that the other was gone.
    scene.wait_until(lambda: scene.has_unbroken_leases(2, lease_seconds))
    scene.let_go()
    scene.wait_until(lambda: scene.are_final([*held, *behind]))
    for job in map(scene.client.get_job, held):
        assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
    assert not scene.ledger.lines("LeaseLost")


# Refusals


def refuse_until_it_is_told(scene, word):
    refused_until = time.monotonic() + either(1, 5)
    scene.wait_until(lambda: time.monotonic() > refused_until and scene.daemons[0].lines("redis lost", word))


def refuse_writes(scene):
    scene.server.call("REPLICAOF", "127.0.0.1", "1")
    refuse_until_it_is_told(scene, "READONLY")
    scene.server.call("REPLICAOF", "NO", "ONE")


def miss_replicas(scene):
    """As a primary that is cut off from its replicas, if it is told to keep that short."""
    scene.server.call("CONFIG", "SET", "min-replicas-to-write", "1")
    refuse_until_it_is_told(scene, "NOREPLICAS")
    with pytest.raises(ServerRefused, match="NOREPLICAS"):
        scene.client.submit_job("brief", {})
    scene.server.call("CONFIG", "SET", "min-replicas-to-write", "0")


def restart_slowly(scene):
    """It answers LOADING for a while: it does so only between pieces of a snapshot, and these are made small."""
    scene.server.call("BGREWRITEAOF")
    scene.wait_until(lambda: b"aof_rewrite_in_progress:0" in scene.server.call("INFO", "persistence"))
    scene.server.stop()
    slow = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
    scene.server._options += slow
    # 10 ms for each key, of which a busy machine leaves more behind.
    scene.server.start(60)


def kill_clients(scene):
    for _ in range(either(6, 100)):
        done = len(scene.ledger.ends())
        scene.server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        scene.wait_until(lambda: len(scene.ledger.ends()) > done or scene.are_final(scene.job_ids))  # noqa: B023


def forget_scripts(scene):
    for _ in range(either(20, 200)):
        scene.server.call("SCRIPT", "FLUSH")
        done = len(scene.ledger.ends())
        scene.wait_until(lambda: len(scene.ledger.ends()) > done or scene.are_final(scene.job_ids))  # noqa: B023


@pytest.mark.parametrize(
    "refusal", [refuse_writes, miss_replicas, restart_slowly, kill_clients, forget_scripts]
)
def test_refusals_are_waited_out_under_load(scene, refusal):
    daemon = scene.node()
    before = workers(daemon)
    ids = load(scene, either(2, 10))
    refusal(scene)
    ids += scene.submit_many(20, JOB_SECONDS)
    scene.wait_until(lambda: scene.are_final(ids))
    assert {(job.status, job.recoveries) for job in map(scene.client.get_job, ids)} == {(Status.COMPLETED, 0)}
    assert workers(daemon) == before
    if refusal is forget_scripts:
        assert not daemon.lines("redis lost")
    if refusal is restart_slowly:
        scene.wait_until(lambda: daemon.lines("is loading the dataset"))
    if refusal is kill_clients:
        # By whether several failed in a row. It comes when nothing has failed for a while.
        scene.wait_until(lambda: daemon.lines("redis back") or daemon.lines("redis connected anew"))


def test_a_full_server_refuses_submits_and_goes_on_with_all_the_rest(scene):
    nodes = [scene.node() for _ in range(2)]
    scene.wait_until(lambda: scene.has_unbroken_leases(2))
    held = scene.hold(2)
    later = scene.submit("brief", max_retries=0)
    ids = scene.submit_many(either(200, 5000), 0.002)
    dying = scene.submit("give up")
    scene.server.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(ServerRefused, match="OOM"):
        scene.client.submit_job("brief", {})
    scene.wait_until(lambda: scene.are_final([*ids, later, dying]))
    # For two leases nobody has lost one.
    full_until = time.monotonic() + 2 * LEASE_SECONDS
    scene.wait_until(lambda: time.monotonic() > full_until)
    assert all(scene.client.get_job(job_id).run == 1 for job_id in held)
    scene.stop(nodes[0])
    scene.let_go()
    scene.wait_until(lambda: scene.are_final(held))
    for job in map(scene.client.get_job, [*held, *ids]):
        assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 0)
    assert scene.client.get_job(dying).status is Status.FAILED
    scene.server.call("CONFIG", "SET", "maxmemory", "0")
    assert scene.wait(scene.submit("brief")).status is Status.COMPLETED


def test_what_a_submitter_repeats_until_it_is_taken_runs_once(scene):
    """The server is killed again and again under its clients."""
    scene.node()
    is_over = threading.Event()

    def submit():
        with insist(lambda: Client(scene.server.url, timeout_seconds=0.5)) as client:
            while not is_over.is_set():
                submit_one(client, str(uuid.uuid4()))

    def submit_one(client, job_id):
        while job_id not in scene.job_ids:
            with suppress(ConnectionFailed):
                scene.job_ids.append(client.submit_job("brief", {}, job_id=job_id))

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for kill in range(either(3, 30)):
            scene.wait_until(lambda: len(scene.job_ids) > (kill + 1) * 100)  # noqa: B023
            scene.server.stop()
            scene.server.start()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
