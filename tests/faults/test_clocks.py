"""Clocks that are wrong, of nodes and of the server, and one that is set while all runs."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bananasd import Priority, Status
from tests.conftest import RedisServer
from tests.faults.form import either
from tests.faults.wall_clock import WallClock, clear_away
from tests.invariants import KEYS

LEASE_SECONDS = either(2, 15)
LEASE = {"scheduler": {"lease_seconds": LEASE_SECONDS}}
OFF_SECONDS = either(5, 60)
STEP_SECONDS = either(5, 60)
"""Several leases."""

SPARE_SECONDS = either(10, 5)
"""For what else has to be done, on a machine that does much besides."""


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    clear_away()


def pids(daemon):
    return {child.pid for child in daemon.children()}


def seconds_until_start(scene, job_id, began):
    scene.wait_until(lambda: scene.ledger.starts(job_id))
    return scene.ledger.starts(job_id)[0].at - began


def wait_for(scene, seconds):
    until = time.monotonic() + seconds
    scene.wait_until(lambda: time.monotonic() >= until)


# Of nodes


def test_nodes_whose_clocks_differ_by_many_leases(scene):
    """Nothing that is compared comes from their clocks: none takes what another runs, each takes what is lost."""
    nodes = {}
    for name, seconds in {"behind": -OFF_SECONDS, "ahead": OFF_SECONDS}.items():
        clock = WallClock(scene.directory / name, seconds)
        nodes[name] = scene.node(
            {**LEASE, "workers": {"queues": ["default", name], "max_recoveries": 100}}, environ=clock.environ
        )
    for name, seconds in {"behind": -OFF_SECONDS, "ahead": OFF_SECONDS}.items():
        began = time.time()
        told = scene.wait(scene.submit("tells the time", queue=name)).result
        assert began - 0.1 < told - seconds < time.time() + 0.1
    scene.wait_until(lambda: scene.has_unbroken_leases(2, LEASE_SECONDS))
    held = scene.hold(4)
    wait_for(scene, 2 * LEASE_SECONDS)
    assert [scene.client.get_job(job_id).run for job_id in held] == [1] * 4
    assert not scene.ledger.lines("LeaseLost")
    began = time.monotonic()
    later = submit_for_later(scene)
    failing = scene.submit("raises at first", queue="behind")
    lose(scene, nodes["ahead"], held)
    assert 1 <= seconds_until_start(scene, later, began) < 1 + SPARE_SECONDS
    assert scene.wait(failing).attempts == 2
    scene.start(nodes["ahead"])


def submit_for_later(scene):
    """For a second later."""
    later = timedelta(seconds=1)
    scene.job_ids.append(scene.client.submit_job_scheduled("brief", {}, Priority.HIGH, later))
    return scene.job_ids[-1]


# Of the server


@pytest.fixture
def server_clock(tmp_path) -> WallClock:
    return WallClock(tmp_path / "clock")


@pytest.fixture
def own_server(server_clock) -> Iterator[RedisServer]:
    """A server whose clock can be set: what scripts take for now."""
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    server = RedisServer(
        directory, "--appendonly", "yes", "--appendfsync", "always", environ=server_clock.environ
    )
    yield server
    server.stop()
    shutil.rmtree(directory)


def set_clock(scene, server_clock, seconds):
    """So far from the true time it is then."""
    server_clock.step(seconds)

    def is_set():
        told, _ = scene.server.call("TIME")
        return abs(int(told) - time.time() - seconds) < 1.5

    scene.wait_until(is_set)


def test_the_servers_clock_is_set_back_and_forth_under_load(scene, server_clock):
    """Leases that end in the future, or all at once, are nobody's gain; and the next loss of a node is noticed in time."""
    lost, other = (scene.node({**LEASE, "workers": {"max_recoveries": 100}}) for _ in range(2))
    before = pids(lost) | pids(other)
    ids = scene.hold(2)
    for seconds in (-STEP_SECONDS, STEP_SECONDS):
        scene.wait_until(lambda: scene.has_unbroken_leases(2, LEASE_SECONDS))
        brief = scene.submit_many(either(100, 1000), 0.01)
        scene.wait_until(lambda: scene.count(brief) > 10)  # noqa: B023
        # A lease that has ended is not renewed at once; he who has renewed his own does not take that for a loss.
        (scheduler,) = lost.children("scheduler")
        os.kill(scheduler.pid, signal.SIGSTOP)
        set_clock(scene, server_clock, seconds)
        scene.wait_until(lambda: has_beaten(scene, seconds))  # noqa: B023
        os.kill(scheduler.pid, signal.SIGCONT)
        ids += brief
    scene.wait_until(lambda: scene.has_unbroken_leases(2, LEASE_SECONDS))
    scene.wait_until(lambda: scene.are_final(ids[2:]))
    assert {scene.client.get_job(job_id).run for job_id in ids} == {1}
    assert not scene.ledger.lines("LeaseLost") and pids(lost) | pids(other) == before
    lose(scene, lost, ids[:2])
    scene.start(lost)


def has_beaten(scene, seconds):
    """Whether a node has since the clock was set so far from the true time."""
    look, now = scene.look, time.time() + seconds
    beaten = [int(look.call("HGET", KEYS.node(node), "beat_at")) / 1000 for node in look.nodes()]
    return any(abs(now - instant) < STEP_SECONDS / 2 for instant in beaten)


def lose(scene, daemon, held):
    """It is killed, and the jobs that it runs of these run elsewhere in time."""
    taken = [
        line.job_id for line in scene.ledger.starts() if line.job_id in held and line.pid in pids(daemon)
    ]
    killed_at = time.monotonic()
    daemon.kill_all()
    scene.let_go()
    for job_id in taken:
        scene.wait_until(lambda: len(scene.ledger.starts(job_id)) == 2)  # noqa: B023
        assert scene.ledger.starts(job_id)[1].at - killed_at < LEASE_SECONDS + SPARE_SECONDS


@pytest.mark.skipif(either(True, False), reason="the long form's")
def test_a_node_is_lost_just_before_the_servers_clock_is_set_back(scene, server_clock):
    """Its lease ends that much later by the new time; but it was granted in the future, so it counts anew."""
    lost, _ = (scene.node({**LEASE, "workers": {"count": 1}}) for _ in range(2))
    scene.wait_until(lambda: scene.has_unbroken_leases(2, LEASE_SECONDS))
    held = scene.hold(2)
    (taken,) = [
        line.job_id for line in scene.ledger.starts() if line.job_id in held and line.pid in pids(lost)
    ]
    lost.kill_all()
    set_clock(scene, server_clock, -20 * LEASE_SECONDS)
    set_at = time.monotonic()
    scene.let_go()
    scene.wait_until(lambda: len(scene.ledger.starts(taken)) == 2)
    # A lease for the one that lives, by the new time, to be believed at all, and the lost one's meanwhile.
    assert scene.ledger.starts(taken)[1].at - set_at < 2 * LEASE_SECONDS + SPARE_SECONDS
    assert scene.wait(taken).recoveries == 1
    scene.start(lost)


@pytest.mark.skipif(either(True, False), reason="the long form's")
def test_what_the_server_keeps_when_its_clock_is_set_back(scene, server_clock):
    """Due times are the server's: what is not due comes later by as much. Records, dead letters and ids stay."""
    daemon = scene.node({"retry": {"base_seconds": 1}})
    before = pids(daemon)
    completed, dead = scene.submit("brief"), scene.submit("give up")
    scene.wait_until(lambda: scene.are_final([completed, dead]))
    kept_ms = [scene.look.call("PTTL", key) for key in record_keys(scene, completed)]
    began = time.monotonic()
    later, failing = submit_for_later(scene), scene.submit("raises at first")
    scene.wait_until(lambda: scene.ledger.lines("RuntimeError", failing))
    set_clock(scene, server_clock, -STEP_SECONDS)
    # Completed, and dead: still there, and a repeat of the submit is met by its record.
    assert scene.client.get_job(completed).status is Status.COMPLETED
    assert scene.client.submit_job("brief", {}, job_id=completed) == completed
    assert [scene.look.call("PTTL", key) for key in record_keys(scene, completed)] > kept_ms
    assert [job.id for job in scene.client.dead_jobs()] == [dead]
    late = scene.submit("give up")
    assert scene.wait(late).status is Status.FAILED
    assert {job.id for job in scene.client.dead_jobs()} == {dead, late}
    assert (
        1 + STEP_SECONDS - 0.1 <= seconds_until_start(scene, later, began) < 1 + STEP_SECONDS + SPARE_SECONDS
    )
    assert scene.wait(failing).attempts == 2
    assert len(scene.ledger.starts(completed)) == 1
    # What idle workers wait for at most is a second by the server's clock: by the old one, that is an hour now.
    set_clock(scene, server_clock, -3600)
    assert seconds_until_start(scene, scene.submit("brief"), time.monotonic()) < SPARE_SECONDS
    wait_for(scene, either(3, 10))
    assert pids(daemon) == before


def record_keys(scene, job_id):
    return [key for key in scene.look.find() if key.endswith(f"job:{job_id}")]
