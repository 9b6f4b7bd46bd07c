"""The embedded server: one that outlives its master, and one that never comes up. No two use the same file."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bananasd import Status
from bananasd.processes import procfs
from bananasd.processes.locks import STATE_WAIT_SECONDS
from bananasd.processes.redis_server import find_server_binary
from tests.conftest import RedisServer
from tests.daemon import is_alive
from tests.faults.form import DRAIN_SECONDS, either
from tests.faults.test_boots import GIVES_UP_SECONDS, program


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """For the scene: where its daemon's own server is, and once that has ended one on the file that it has left."""
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    (directory / "node").mkdir()
    run_dir, state_dir = directory / "node" / "run", directory / "node" / "state"
    server = RedisServer(run_dir, "--dir", str(state_dir), "--appendonly", "yes", is_started=False)
    yield server
    server.stop()
    for pid in servers(state_dir):
        procfs.send(pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)


def servers(state_dir: Path) -> list[int]:
    """The processes that work in a state_dir: an embedded server goes there, and nobody else."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(state_dir):
                found.append(int(entry))
        except OSError:
            continue
    return found


class Survivor:
    """A server whose master is killed while it is busy with a script without end: it is deaf to the signal it gets then."""

    def __init__(self, scene, daemon):
        (self.pid,) = servers(daemon.state_dir)
        scene.server.call("CONFIG", "SET", "busy-reply-threshold", "1")
        self._script = socket.socket(socket.AF_UNIX)
        self._script.connect(str(scene.server.socket))
        self._script.sendall(b"EVAL 'while true do end' 0\r\n")
        scene.wait_until(lambda: b"BUSY" in bytes(str(scene.server.call("PING")), "utf-8"))
        self._scene = scene
        daemon.kill_master()

    def end(self):
        """It comes to the signal."""
        self._scene.server.call("SCRIPT", "KILL")
        self._scene.wait_until(lambda: not is_alive(self.pid))
        self._script.close()


def start_after(scene, daemon, survivor):
    """Start the next one, and wait until it waits."""
    daemon.start(wait=False)
    scene.wait_until(lambda: daemon.lines("daemon waits up to", "another embedded server still uses"))
    # It has begun nothing.
    assert daemon.node is None and servers(daemon.state_dir) == [survivor.pid]


def test_the_next_daemon_waits_for_a_server_that_outlives_its_master(scene):
    daemon = scene.node({"workers": {"max_recoveries": 100}}, is_embedded=True)
    held = scene.hold(2)
    behind = scene.submit_many(20, 0)
    for kill in range(either(2, 10)):
        survivor = Survivor(scene, daemon)
        daemon.log.unlink()
        start_after(scene, daemon, survivor)
        survivor.end()
        scene.wait_until_up(daemon)
        assert len(servers(daemon.state_dir)) == 1
        scene.wait_until(lambda: runs_of(scene, held) == 2 * (kill + 2))  # noqa: B023
    # They may have begun before what was held was put back in front of them, and ended just before a kill.
    scene.may_end_again.update(behind)
    scene.let_go()
    scene.wait_until(lambda: scene.are_final([*held, *behind]))
    for job in map(scene.client.get_job, [*held, *behind]):
        assert (job.status, job.attempts) == (Status.COMPLETED, 1)


def runs_of(scene, ids):
    return sum(line.job_id in ids for line in scene.ledger.starts())


def test_a_server_that_does_not_go_away_ends_the_next_start_with_a_clear_word(scene):
    daemon = scene.node(is_embedded=True)
    held = scene.hold(2)
    behind = scene.submit_many(20, 0)
    survivor = Survivor(scene, daemon)
    usual, daemon.program = daemon.program, program(*either(["locks.STATE_WAIT_SECONDS = 0.5"], []))
    start_after(scene, daemon, survivor)
    assert daemon.wait(STATE_WAIT_SECONDS + 10) == 1
    assert daemon.lines("another embedded server still uses", "stop its daemon")
    assert servers(daemon.state_dir) == [survivor.pid]
    survivor.end()
    daemon.program = usual
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: scene.are_final([*held, *behind]))
    assert [job.recoveries for job in map(scene.client.get_job, held)] == [1, 1]


@pytest.mark.skipif(either(True, False), reason="the long form's")
def test_a_server_that_dies_at_each_start_ends_the_daemon_and_loses_nothing(scene):
    daemon = scene.node(is_embedded=True)
    ids = scene.submit_many(20, 0.01)
    scene.hold(2)
    scene.wait_until(lambda: scene.are_final(ids))
    held_back = scene.submit_many(20, 0)
    daemon.kill()
    scene.wait_until(lambda: not servers(daemon.state_dir))
    binary = daemon.directory / "server"
    binary.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {find_server_binary(os.environ)} --version\nexit 1\n'
    )
    binary.chmod(0o700)
    usual, daemon.program = daemon.program, program()
    daemon.environ["BANANASD_REDIS_SERVER"] = str(binary)
    daemon.start(wait=False)
    assert daemon.wait(GIVES_UP_SECONDS + DRAIN_SECONDS + 20) == 70
    assert daemon.lines("daemon gives up status=70", "redis")
    daemon.program = usual
    del daemon.environ["BANANASD_REDIS_SERVER"]
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: scene.are_final(held_back))
