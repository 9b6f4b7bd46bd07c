"""What the master does with its children, and how it takes the tree down."""

import os
import signal
import socket
import time

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import is_alive

STUBBORN = """
    @handler("stubborn", timeout_seconds=0)
    def stubborn(job):
        note(job, "start")
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
"""
BROKEN_WORKER = """
    os._exit(3)
"""


def test_a_handler_that_ignores_everything_is_gone_in_time_and_its_job_pending_again(make_daemon):
    daemon = make_daemon(STUBBORN).start()
    with daemon.client() as client:
        job_id = client.submit_job("stubborn", {})
        behind = client.submit_job("note", {}, queue="other")
        daemon.worker_of(job_id)
    pids = [child.pid for child in daemon.children()]
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 8
    assert not any(map(is_alive, pids))
    (daemon.directory / "handlers" / "tested.py").write_text("")
    daemon.start()
    with daemon.client() as client:
        wait_until(lambda: client.get_job(job_id).run == 2)
        job = client.get_job(job_id)
        assert (job.recoveries, job.error is None or "no handler" in job.error) == (0, True)
        assert client.get_job(behind).status is Status.PENDING


def test_a_running_job_ends_in_a_drain(make_daemon):
    daemon = make_daemon().start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 1})
        daemon.worker_of(job_id)
    for _ in range(3):
        daemon.terminate()
    assert daemon.wait() == 0
    assert len(daemon.entries("end", job_id)) == 1
    daemon.start()
    with daemon.client() as client:
        assert client.get_job(job_id).status is Status.COMPLETED


def test_quit_goes_straight_to_the_end(make_daemon):
    daemon = make_daemon(STUBBORN, settings={"master": {"drain_seconds": 30}}).start()
    with daemon.client() as client:
        daemon.worker_of(client.submit_job("stubborn", {}))
    began = time.monotonic()
    os.kill(daemon.pid, signal.SIGQUIT)
    assert daemon.wait() == 0
    assert time.monotonic() - began < 4


def test_term_during_the_boot_ends_it(make_daemon):
    daemon = make_daemon().start(wait=False)
    wait_until(lambda: "child started" in daemon.log_text())
    assert daemon.stop() == 0


def test_broken_handlers_end_the_daemon_at_once_with_the_place(make_daemon):
    daemon = make_daemon("    nonsense(").start(wait=False)
    assert daemon.wait() == 78
    assert "tested.py:" in daemon.log_text()


def test_a_worker_that_dies_at_its_start_is_tried_again_and_the_daemon_can_be_stopped(make_daemon):
    daemon = make_daemon(BROKEN_WORKER, settings={"workers": {"count": 1}}).start(wait=False)
    wait_until(lambda: daemon.log_text().count("exit status 3") >= 3)
    assert daemon.process.poll() is None
    assert daemon.stop() == 0


def test_a_worker_that_is_told_to_end_is_replaced(make_daemon):
    daemon = make_daemon().start()
    worker = daemon.children("worker")[0]
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: worker.pid not in {child.pid for child in daemon.children("worker")})
    wait_until(daemon.is_up)
    assert len(daemon.children("worker")) == 2


def test_a_stuck_scheduler_is_replaced(make_daemon):
    daemon = make_daemon(settings={"redis": {"timeout_seconds": 1}}).start()
    (scheduler,) = daemon.children("scheduler")
    os.kill(scheduler.pid, signal.SIGSTOP)
    wait_until(lambda: not is_alive(scheduler.pid))
    wait_until(daemon.is_up)
    assert "no sign of life" in daemon.log_text()


def test_systemd_hears_of_readiness_status_watchdog_and_end(make_daemon, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        path = str(tmp_path / "notify")
        systemd.bind(path)
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        daemon = make_daemon().start()
        wait_until(lambda: "daemon ready" in daemon.log_text())
        assert daemon.stop() == 0
        systemd.settimeout(0.1)
        heard = []
        try:
            while True:
                heard.append(systemd.recv(4096).decode())
        except TimeoutError:
            pass
    assert {"READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=2 workers, 0 busy, 0 done"} <= set(heard)


def test_a_child_stands_alone(make_daemon):
    daemon = make_daemon().start()
    worker = daemon.children("worker")[0]
    assert os.getpgid(worker.pid) == worker.pid
    assert os.getsid(worker.pid) == os.getsid(daemon.pid)
    assert os.readlink(f"/proc/{worker.pid}/fd/0") == "/dev/null"
    with (
        open(f"/proc/{worker.pid}/oom_score_adj") as worker_score,
        open(f"/proc/{daemon.pid}/oom_score_adj") as own,
    ):
        assert int(worker_score.read()) > int(own.read())
    with open(f"/proc/{worker.pid}/cmdline") as title:
        assert title.read().startswith("bananasd: worker 0 [")
