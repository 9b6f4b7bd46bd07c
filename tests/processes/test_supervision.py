"""What the master does about children that cannot work and one that is stuck, in a real daemon."""

import os
import shutil
import signal

import pytest

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.daemon import is_alive, title

pytestmark = pytest.mark.usefixtures("untraced")


def test_broken_handlers_end_the_daemon_at_once_with_the_place(make_daemon):
    daemon = make_daemon("    nonsense(").start(wait=False)
    assert daemon.wait() == 78
    # One of the two workers tells it, and the other says so if it was not just as quick.
    assert len(daemon.lines("handlers broken: ")) == 2
    assert daemon.lines("handlers broken: ", "tested.py:")


def test_a_stuck_scheduler_is_replaced(make_daemon):
    daemon = make_daemon(settings={"redis": {"timeout_seconds": 1}}).start()
    (scheduler,) = daemon.children("scheduler")
    os.kill(scheduler.pid, signal.SIGSTOP)
    wait_until(lambda: not is_alive(scheduler.pid))
    wait_until(daemon.is_up)
    assert "no sign of life" in daemon.log_text()


def test_what_a_worker_was_given_that_is_stopped_while_it_waits_runs_elsewhere(make_daemon, tmp_path):
    daemon = make_daemon(settings={"redis": {"timeout_seconds": 1}}).start()
    with daemon.client() as client:
        # Small jobs, so that one claim brings several.
        for job_id in client.submit_many(JobRequest("note", {}) for _ in range(100)):
            client.wait(job_id, 30)
        held = client.submit_job("hold", {"until": str(tmp_path / "go on")})
        busy = daemon.worker_of(held)
        (stopped,) = [child for child in daemon.children("worker") if child.slot != busy.slot]
        wait_until(lambda: title(stopped.pid).endswith("[idle]"))
        job_ids = daemon.give_to_stopped(stopped, 100)
        wait_until(lambda: not is_alive(stopped.pid))
        (tmp_path / "go on").touch()
        jobs = client.wait(job_ids, 30)
    assert {(job.status, job.recoveries) for job in jobs} == {(Status.COMPLETED, 0)}
    # It was given some, and nobody had begun them.
    runs = [entry[2] for job_id in job_ids for entry in daemon.entries(job_id=job_id)]
    assert len(runs) == len(jobs)
    assert set(runs) == {"1", "2"}
    assert daemon.lines("child killed", f"pid={stopped.pid}: no sign of life")
    assert daemon.stop() == 0


def test_handlers_that_break_while_the_daemon_runs_do_not_end_it(make_daemon):
    daemon = make_daemon(
        """
        @handler("late", timeout_seconds=0.2, max_retries=0)
        def late(job):
            time.sleep(30)
        """,
        settings={"workers": {"count": 2, "grace_seconds": 1}},
    ).start()
    broken = daemon.directory / "handlers" / "broken.py"
    broken.write_text("nonsense(")
    with daemon.client() as client:
        for job_id in [client.submit_job("late", None) for _ in range(2)]:
            assert client.wait(job_id, 30).status is Status.FAILED
        wait_until(lambda: [child.state for child in daemon.children("worker")] == ["backoff"] * 2)
        assert daemon.process.poll() is None
        waiting = client.submit_job("note", {})
        broken.unlink()
        assert client.wait(waiting, 30).status is Status.COMPLETED
    assert daemon.stop() == 0


def test_a_job_that_takes_the_signals_for_itself_does_not_keep_its_worker_from_leaving(make_daemon):
    daemon = make_daemon(
        """
        @handler("take")
        def take(job):
            signal.signal(signal.SIGTERM, lambda *_: None)
            return os.getpid()
        """,
        settings={"workers": {"count": 1}},
    ).start()
    with daemon.client() as client:
        pid = client.wait(client.submit_job("take", None), 30).result
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: not is_alive(pid))
        pid = client.wait(client.submit_job("take", None), 30).result
        waiting = [client.submit_job("note", {"seconds": 0.2}) for _ in range(50)]
        assert daemon.stop() == 0
    assert len(daemon.entries("start")) < len(waiting)


def test_a_log_directory_that_goes_away_is_no_reason_to_do_no_work(make_daemon):
    daemon = make_daemon(settings={"workers": {"count": 1}, "log": {"file": "logs/the.log"}})
    (daemon.directory / "logs").mkdir()
    daemon.start()
    shutil.rmtree(daemon.directory / "logs")
    (worker,) = daemon.children("worker")
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(
        lambda: [c.pid for c in daemon.children("worker") if c.state == "up"] not in ([], [worker.pid])
    )
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.stop() == 0


def test_a_server_that_becomes_unfit_while_the_daemon_runs_is_an_error_in_the_log_alone(
    make_daemon, own_server
):
    daemon = make_daemon(redis_url=own_server.url).start()
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
        own_server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        (scheduler,) = daemon.children("scheduler")
        os.kill(scheduler.pid, signal.SIGKILL)
        wait_until(lambda: daemon.lines("server unfit", "allkeys-lru"))
        wait_until(daemon.is_up)
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.stop() == 0
