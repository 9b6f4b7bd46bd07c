"""bananasd as pid 1 of a container, with no init around it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import Daemon
from tests.systemd.surroundings import require_namespaces

ORPHAN = """
    @handler("abandon")
    def abandon(job):
        "Start a process of its own session, whose parent ends at once, and which ends when a file is there."
        script = 'until [ -e "$1" ]; do sleep 0.01; done'
        subprocess.run(["setsid", "--fork", "sh", "-c", script, "orphan", job.payload], check=True)
"""


class Contained(Daemon):
    """A daemon that is pid 1 of a pid namespace; whatever happens, the namespace ends with ``unshare``."""

    def start(self, *, wait: bool = True) -> "Contained":
        command = [sys.executable, "-m", "bananasd", "start", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
            )  # fmt: skip
        if wait:
            wait_until(lambda: self.lines("daemon ready"))
        return self

    @property
    def master(self) -> psutil.Process:
        """The master as it is seen from outside."""
        assert self.process is not None
        (master,) = psutil.Process(self.process.pid).children()
        return master


@pytest.fixture
def make_contained():
    require_namespaces()
    made = []

    def make(handlers: str = "", **options) -> Contained:
        made.append(Contained(handlers, **options))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


def orphans_of(daemon) -> list[psutil.Process]:
    """The children of pid 1, dead ones too, that it has not started."""
    return [child for child in daemon.master.children() if child.name() in ("sh", "sleep")]


def test_orphans_of_handlers_are_reaped(make_contained):
    daemon = make_contained(ORPHAN).start()
    assert "pid=1 " in daemon.lines("daemon starting")[0]
    go = daemon.directory / "go"
    with daemon.client() as client:
        client.wait(client.submit_job("abandon", str(go)), 15)
    wait_until(lambda: orphans_of(daemon))
    orphan = orphans_of(daemon)[0]
    go.touch()
    wait_until(lambda: not psutil.pid_exists(orphan.pid))
    assert not [child for child in daemon.master.children() if child.status() == psutil.STATUS_ZOMBIE]
    assert not daemon.lines("child ended")
    daemon.master.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0


def test_term_lets_jobs_end_and_the_exit_code_is_the_daemons(make_contained):
    daemon = make_contained(settings={"master": {"drain_seconds": 40}}).start()
    go = daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(go)})
        wait_until(lambda: daemon.entries("start", job_id))
        daemon.master.send_signal(signal.SIGTERM)
        wait_until(lambda: daemon.lines("drain began"))
        assert client.get_job(job_id).status is Status.PROCESSING
        go.touch()
        assert daemon.wait() == 0
    assert [line[2] for line in daemon.entries("end", job_id)] == ["1"]


def test_broken_handlers_end_the_container_with_their_exit_code(make_contained):
    daemon = make_contained("import not_there_at_all").start(wait=False)
    assert daemon.wait() == os.EX_CONFIG


def test_a_daemon_that_was_killed_runs_what_was_left_when_its_container_starts_again(make_contained):
    daemon = make_contained().start()
    go = daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(go)})
        wait_until(lambda: daemon.entries("start", job_id))
    daemon.master.kill()
    daemon.wait()
    daemon.start(wait=False)
    wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
    go.touch()
    with daemon.client() as client:
        assert client.wait(job_id, 15).status is Status.COMPLETED
