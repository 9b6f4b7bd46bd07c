"""A real daemon does known things, and tells exactly them."""

import os
import signal

import pytest

from bananasd import Priority
from tests.conftest import wait_until
from tests.metrics.conftest import Scraper
from tests.patience import assert_soon

pytestmark = pytest.mark.usefixtures("untraced")

HANDLERS = """
    @handler("fails", max_retries=1, retry=[0.05])
    def fails(job):
        raise ValueError("no")

    @handler("gives_up")
    def gives_up(job):
        raise GiveUp("never")

    @handler("kills_itself_once")
    def kills_itself_once(job):
        if job.run == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    @handler("too_long", timeout_seconds=0.2, max_retries=0)
    def too_long(job):
        time.sleep(60)
"""


def test_runs_are_counted_by_handler_and_outcome(make_daemon):
    daemon = make_daemon(HANDLERS).start()
    tell, client = Scraper(daemon), daemon.client()
    for _ in range(7):
        client.submit_job("note", {})
    client.submit_job("gives_up", {}), client.submit_job("nobody_has_this", {}, max_retries=0)
    tell.wait_for(7, "job_runs_total", handler="note", outcome="completed")
    tell.wait_for(1, "job_runs_total", handler="gives_up", outcome="dead")
    tell.wait_for(1, "job_runs_total", handler="", outcome="dead")
    tell.wait_for(7, "job_run_seconds_count", handler="note", outcome="completed")
    tell.wait_for(9, "job_wait_seconds_count", queue="default", priority="normal")
    tell.wait_for(9, "namespace_jobs_submitted_total")
    tell.wait_for(7, "namespace_jobs_completed_total")
    tell.wait_for(2, "namespace_jobs_dead_total")


def test_failures_are_counted_as_retried_and_dead(make_daemon):
    daemon = make_daemon(HANDLERS).start()
    tell = Scraper(daemon)
    daemon.client().submit_job("fails", {})
    tell.wait_for(1, "job_runs_total", handler="fails", outcome="dead")
    assert tell("job_runs_total", handler="fails", outcome="retried") == 1
    tell.wait_for(2, "job_run_seconds_count", handler="fails", outcome="failed")
    tell.wait_for(2, "namespace_attempts_failed_total")
    tell.wait_for(1, "namespace_jobs_retried_total")
    tell.wait_for(1, "namespace_jobs_dead_total")
    tell.wait_for(1, "namespace_dead")


def test_what_a_killed_worker_has_counted_stays_and_its_run_is_lost(make_daemon):
    daemon = make_daemon(HANDLERS, settings={"workers": {"count": 1}}).start()
    tell, client = Scraper(daemon), daemon.client()
    for _ in range(3):
        client.submit_job("note", {})
    tell.wait_for(3, "job_runs_total", handler="note", outcome="completed")
    client.submit_job("kills_itself_once", {})
    tell.wait_for(1, "job_runs_total", handler="kills_itself_once", outcome="completed")
    assert tell("job_runs_total", handler="kills_itself_once", outcome="lost") == 1
    assert tell("job_runs_total", handler="note", outcome="completed") == 3
    assert tell("process_ends_total", kind="worker", cause="ended") == 1
    # The scheduler counts it when it is done: the job may have run again by then.
    tell.wait_for(1, "jobs_recovered_total", outcome="requeued")
    tell.wait_for(1, "namespace_runs_lost_total")


def test_a_timeout_is_counted_as_an_interrupt(make_daemon):
    daemon = make_daemon(HANDLERS).start()
    tell = Scraper(daemon)
    daemon.client().submit_job("too_long", {})
    tell.wait_for(1, "job_runs_total", handler="too_long", outcome="dead")
    assert tell("job_interrupts_total", handler="too_long", reason="timeout") == 1
    tell.wait_for(1, "process_ends_total", kind="worker", cause="left")


def test_expired_and_cancelled_jobs_are_counted(make_daemon):
    daemon = make_daemon(HANDLERS).start()
    tell, client = Scraper(daemon), daemon.client()
    client.pause("default")
    client.submit_job("note", {}, expires_in=0.05)
    client.cancel(client.submit_job("note", {}))
    tell.wait_for(1, "namespace_paused", queue="default")
    tell.wait_for(1, "namespace_jobs_cancelled_total")
    wait_until(lambda: (tell("namespace_oldest_seconds", queue="default", priority="normal") or 0) > 0.05)
    client.resume("default")
    tell.wait_for(1, "namespace_jobs_expired_total")
    assert tell("job_runs_total", handler="note", outcome="completed") == 0


def test_lanes_tell_what_waits_and_what_runs(make_daemon, tmp_path):
    daemon = make_daemon(HANDLERS, settings={"workers": {"count": 1}}).start()
    tell, client = Scraper(daemon), daemon.client()
    until = str(tmp_path / "until")
    held = client.submit_job("hold", {"until": until}, Priority.HIGH)
    daemon.worker_of(held)
    client.submit_job("note", {}, Priority.LOW), client.submit_job("note", {}, Priority.LOW)
    tell.wait_for(2, "namespace_ready", queue="default", priority="low")
    tell.wait_for(1, "namespace_processing", queue="default", priority="high")
    tell.wait_for(1, "namespace_workers", queue="default", priority="low")
    assert tell("process_state", process="worker 0", state="up") == 1
    assert tell("process_state", process="worker 0", state="fatal") == 0
    os.close(os.open(until, os.O_CREAT | os.O_WRONLY))
    tell.wait_for(2, "job_wait_seconds_count", queue="default", priority="low")
    tell.wait_for(0, "namespace_ready", queue="default", priority="low")


def test_a_lane_tells_how_many_of_its_jobs_end_a_second(make_daemon):
    daemon = make_daemon(HANDLERS).start()
    client = daemon.client()

    def paces() -> dict[str, float | None]:
        client.submit_job("note", {}, Priority.LOW)
        return {lane.priority: lane.runs_per_second for lane in client.queue_stats().lanes}

    wait_until(lambda: (paces()["low"] or 0) > 0)
    assert paces()["high"] == 0


def test_counts_of_recycled_and_reloaded_workers_are_kept(make_daemon):
    daemon = make_daemon(HANDLERS, settings={"workers": {"count": 2, "max_jobs": 5}}).start()
    tell, client = Scraper(daemon), daemon.client()
    for _ in range(23):
        client.submit_job("note", {})
    tell.wait_for(23, "job_runs_total", handler="note", outcome="completed")
    left = tell("process_ends_total", kind="worker", cause="left")
    assert left is not None and left >= 3
    wait_until(daemon.is_up)
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: daemon.lines("reload done"))
    for _ in range(4):
        client.submit_job("note", {})
    tell.wait_for(27, "job_runs_total", handler="note", outcome="completed")
    drained = tell("worker_drain_seconds_count")
    assert drained is not None and drained >= 2


def test_schedules_tell_how_late_they_fire(make_daemon):
    daemon = make_daemon('@handler("ticks", every="1s")\ndef ticks(job): pass\n').start()
    tell = Scraper(daemon)
    looks = [(0.0, 0.0)]

    def has_fired() -> bool:
        told = tell.scrape()
        names = (f"bananasd_schedule_lag_seconds_{what}" for what in ("count", "sum"))
        now = tuple(told.get((name, frozenset()), 0.0) for name in names)
        return now[0] > looks[-1][0] and looks.append(now) is None

    def latest_lag() -> float:
        wait_until(has_fired)
        fired, seconds = (now - before for now, before in zip(looks[-1], looks[-2], strict=True))
        return seconds / fired

    assert_soon(1, latest_lag)
    assert_soon(1, latest_lag)


def test_without_the_server_a_node_tells_what_it_knows_itself(make_daemon, own_server):
    daemon = make_daemon(HANDLERS, redis_url=own_server.url).start()
    tell = Scraper(daemon)
    daemon.client().submit_job("note", {})
    tell.wait_for(1, "job_runs_total", handler="note", outcome="completed")
    tell.wait_for(1, "redis_up")
    trips = tell("redis_round_trip_seconds_count")
    assert trips is not None and trips >= 1
    own_server.stop()
    tell.wait_for(0, "redis_up")
    assert tell("job_runs_total", handler="note", outcome="completed") == 1
    assert tell("namespace_dead") is None
    wait_until(lambda: (tell("redis_errors_total") or 0) > 0)
    own_server.start()
    tell.wait_for(1, "redis_up")


def test_processes_tell_their_memory_and_time(make_daemon):
    daemon = make_daemon().start()
    tell = Scraper(daemon)
    for process in ("master", "scheduler", "worker 0", "worker 1", "redis"):
        assert (tell("process_pss_bytes", process=process) or 0) > 1_000_000
        assert tell("process_cpu_seconds_total", process=process) is not None
    assert tell("slots") == 4


def test_a_drain_tells_its_age(make_daemon, tmp_path):
    daemon = make_daemon(HANDLERS).start()
    tell = Scraper(daemon)
    assert tell("draining_seconds") == 0
    daemon.worker_of(daemon.client().submit_job("hold", {"until": str(tmp_path / "until")}))
    daemon.terminate()
    wait_until(lambda: (tell("draining_seconds") or 0) > 0)
    (tmp_path / "until").touch()
    assert daemon.wait() == 0
    assert not list(daemon.run_dir.glob("*.counts"))


@pytest.mark.parametrize("name", ['"quoted"\\n', "<b>fett</b>", "übel", "x" * 200])
def test_any_name_of_a_handler_is_told(make_daemon, name):
    daemon = make_daemon(
        f"@handler({name!r})\ndef odd(job): pass\n", settings={"workers": {"count": 1}}
    ).start()
    daemon.client().submit_job(name, {})
    Scraper(daemon).wait_for(1, "job_runs_total", handler=name.encode()[:120].decode(), outcome="completed")
