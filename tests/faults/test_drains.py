"""SIGTERM: what can end ends, what cannot goes back with nothing counted, and all is gone in time, whatever handlers do."""

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from bananasd import Status
from bananasd.processes.drain import INTERRUPT_SECONDS, KILL_SECONDS
from tests.daemon import is_alive
from tests.faults import figures
from tests.faults.form import DRAIN_SECONDS, LATE_SECONDS, either
from tests.faults.scene import ENDED_SECONDS

STUBBORN = [
    "ignores signals",
    "holds the interpreter",
    "loops",
    "swallows everything",
    "has a stubborn subprocess",
]


def test_jobs_that_end_in_time_end_and_none_goes_back(scene):
    daemon = scene.node({"workers": {"count": 3}})
    seconds = []
    for _ in range(either(1, 10)):
        job_seconds = either(1, 5)
        ids = [scene.submit("brief", {"seconds": job_seconds}) for _ in range(3)]
        scene.wait_until(lambda: all(scene.ledger.starts(job_id) for job_id in ids))  # noqa: B023
        seconds.append(scene.stop(daemon))
        for job in map(scene.client.get_job, ids):
            assert (job.status, job.run, job.attempts) == (Status.COMPLETED, 1, 1)
        # Not by the drain's end, nor near it.
        assert seconds[-1] < job_seconds + either(5, 1)
        scene.start(daemon)
    figures.note(f"TERM -> gone, with jobs of {job_seconds} s", seconds)


def test_an_idle_daemon_is_gone_at_once(scene):
    daemon = scene.node()
    seconds = []
    for _ in range(either(3, 40)):
        seconds.append(scene.stop(daemon))
        scene.start(daemon)
    figures.note("TERM -> gone, idle", seconds)
    assert max(seconds) < either(6, 1)


def test_three_deploys_in_a_row_do_not_bury_a_long_job(scene):
    daemon = scene.node({"workers": {"count": 1, "max_recoveries": 1}})
    (long,) = scene.hold()
    behind = [scene.submit("brief") for _ in range(3)]
    seconds = []
    for deploy in range(3):
        seconds.append(scene.stop(daemon))
        assert scene.look.ready() == [long, *behind]
        job = scene.client.get_job(long)
        assert (job.status, job.run, job.attempts, job.recoveries) == (Status.PENDING, deploy + 1, 0, 0)
        scene.start(daemon)
        scene.wait_until(lambda: len(scene.ledger.starts(long)) == deploy + 2)  # noqa: B023
    figures.note("TERM -> gone, with a job of 120 s", seconds)
    assert min(seconds) >= DRAIN_SECONDS - INTERRUPT_SECONDS
    assert max(seconds) < DRAIN_SECONDS - KILL_SECONDS + LATE_SECONDS
    assert len(scene.ledger.lines("JobDrained", long)) == 3


def test_handlers_that_will_not_end_are_gone_in_time_with_nothing_counted(scene):
    daemon = scene.node({"workers": {"count": len(STUBBORN), "max_recoveries": 1}})
    ids = [job_id for name in STUBBORN for job_id in scene.hold(name=name)]
    behind = scene.submit("brief")
    scene.wait_until(scene.ledger.subprocesses)
    (program,) = scene.ledger.subprocesses()
    seconds = scene.stop(daemon)
    figures.note("TERM -> gone, with handlers that will not end", [seconds])
    assert seconds < DRAIN_SECONDS + LATE_SECONDS
    scene.wait_until(lambda: not is_alive(program))
    waiting = scene.look.ready()
    assert (set(waiting[:-1]), waiting[-1]) == (set(ids), behind)
    for job in map(scene.client.get_job, ids):
        assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: scene.are_final(ids))


def test_term_to_everybody_three_times_is_as_good_as_one_to_the_master(scene):
    daemon = scene.node()
    ids = scene.hold(2)
    behind = scene.submit("brief")
    for _ in range(3):
        for pid in (daemon.pid, *(child.pid for child in daemon.children() if child.pid)):
            with suppress(ProcessLookupError):  # the second and third may come late
                os.kill(pid, signal.SIGTERM)
    scene.let_go()
    assert daemon.wait(ENDED_SECONDS) == 0
    for job in map(scene.client.get_job, ids):
        assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
    assert scene.look.ready() == [behind]
    scene.start(daemon)


STARTED_ON_A_TERMINAL = """
import fcntl, termios
from bananasd.cli import main
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
main()
"""


def test_ctrl_c_on_a_terminal_drains(scene):
    """The kernel sends it to the group in the foreground: the master's, for each child has one of its own."""
    daemon = scene.node()
    scene.stop(daemon)
    keyboard, terminal = pty.openpty()
    with daemon.log.open("ab") as log:
        daemon.process = subprocess.Popen(
            [sys.executable, "-c", STARTED_ON_A_TERMINAL, "start", "--config", str(daemon.config)],
            stdin=terminal, stdout=log, stderr=log, cwd=daemon.directory, start_new_session=True,
        )  # fmt: skip
    try:
        scene.wait_until(daemon.is_up)
        job_id = scene.submit("brief", {"seconds": 1})
        scene.wait_until(lambda: scene.ledger.starts(job_id))
        os.write(keyboard, b"\x03")
        assert daemon.wait(ENDED_SECONDS) == 0
    finally:
        os.close(keyboard)
        os.close(terminal)
    job = scene.client.get_job(job_id)
    assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
    scene.start(daemon)


@pytest.mark.parametrize("comes_back", ["before the daemon is gone", "after it"])
def test_term_while_the_server_is_down(scene, comes_back):
    """A job has ended, another runs: with no server neither can be reported, and neither is lost."""
    daemon = scene.node()
    until = scene.directory / "away"
    ended, running = scene.submit("hold", {"until": str(until)}), scene.hold()[0]
    scene.wait_until(lambda: scene.ledger.starts(ended))
    scene.server.stop()
    until.touch()
    scene.wait_until(lambda: scene.ledger.ends(ended))
    daemon.terminate()
    if comes_back == "before the daemon is gone":
        scene.wait_until(lambda: daemon.lines("drain began"))
        scene.server.start()
        assert daemon.wait(ENDED_SECONDS) == 0
        assert scene.client.get_job(ended).status is Status.COMPLETED
        assert not daemon.boards()
    else:
        assert daemon.wait(ENDED_SECONDS) == 0
        assert len(daemon.boards()) == 1
        scene.server.start()
        scene.may_end_again.add(ended)
    scene.let_go()
    scene.start(daemon)
    for job in map(scene.wait, [ended, running]):
        assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 0)
