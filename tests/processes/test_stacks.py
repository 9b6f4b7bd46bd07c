"""Stacks that a process writes when it gets a signal, and what that does to its other signals."""

import os
import signal
import subprocess
import sys

from bananasd.processes import stacks
from tests.conftest import wait_until

FLOOD = """
import os, signal, sys
from pathlib import Path
from bananasd.processes import stacks
from bananasd.processes.inbox import Inbox

signums = [signum for signum in range(signal.SIGRTMIN + 2, signal.SIGRTMAX)]
inbox = Inbox(signums)
stacks.register(Path(sys.argv[1]))
signal.pthread_sigmask(signal.SIG_BLOCK, signums)
for signum in signums:
    os.kill(os.getpid(), signum)
signal.pthread_sigmask(signal.SIG_UNBLOCK, signums)
print(len(inbox.wait(1)) == len(signums))
"""


def test_signals_that_come_all_at_once_overflow_no_stack(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, tmp_path / "stacks"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_a_process_that_has_no_file_is_not_asked(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "kill", lambda pid, signum: asked.append((pid, signum)))
    stacks.ask(4711, tmp_path / "missing")
    assert asked == []
    (tmp_path / "there").touch()
    stacks.ask(4711, tmp_path / "there")
    assert asked == [(4711, stacks.DUMP)]


def test_usr2_writes_the_stacks_of_master_and_children_into_the_log(make_daemon):
    daemon = make_daemon().start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(daemon.directory / "go")})
        worker = daemon.worker_of(job_id)

        def has_answered() -> bool:
            # It has 0.3 s for that.
            os.kill(daemon.pid, signal.SIGUSR2)
            return bool(daemon.lines("noted.py", "in run_hold"))

        wait_until(has_answered)
        assert daemon.lines(f"stacks slot={worker.slot!r} pid={worker.pid}")
        for slot in ("master", "scheduler"):
            assert daemon.lines(f"stacks slot={slot!r}")
        (daemon.directory / "go").touch()
        client.wait(job_id, 30)
