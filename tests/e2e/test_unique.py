"""Unique jobs on real daemons: one alone lives at a time, whatever is killed."""

import itertools
import os
import signal
import threading

import pytest

from bananasd import JobExists, Priority, Status
from tests.conftest import wait_until
from tests.invariants import KEYS, Look

SETTINGS = {"workers": {"count": 2, "grace_seconds": 1, "max_recoveries": 2}}


def kill_worker_of(daemon, job_id, run):
    """In the midst of that run."""
    wait_until(lambda: len(daemon.entries("start", job_id)) == run)
    os.kill(daemon.worker_of(job_id).pid, signal.SIGKILL)


def assert_all_is_free(daemon):
    look = Look(daemon.url)
    assert look.find(f"{KEYS.prefix}unique:*") == []
    assert look.complaints() == []


def test_a_running_job_keeps_its_key_through_the_death_of_its_worker_until_it_has_completed(
    make_daemon, tmp_path
):
    daemon = make_daemon(settings=SETTINGS).start()
    until = str(tmp_path / "go")
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": until}, unique_key="k")
        kill_worker_of(daemon, job_id, 1)
        for _ in range(20):
            assert client.submit_job("note", {}, unique_key="k") == job_id
        wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
        assert client.submit_job("note", {}, unique_key="k", on_duplicate="replace") == job_id
        with pytest.raises(JobExists, match=job_id):
            client.submit_job("note", {}, unique_key="k", on_duplicate="raise")
        (tmp_path / "go").touch()
        assert client.wait(job_id, 10).recoveries == 1
        other = client.submit_and_wait("note", {}, wait_seconds=10, unique_key="k")
        assert other.id != job_id
    assert len(daemon.entries("start")) == 3
    assert_all_is_free(daemon)


def test_a_job_that_dies_with_its_workers_leaves_its_key(make_daemon, tmp_path):
    daemon = make_daemon(settings=SETTINGS).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(tmp_path / "go")}, unique_key="k")
        for run in (1, 2):
            assert client.submit_job("note", {}, unique_key="k") == job_id
            kill_worker_of(daemon, job_id, run)
        assert client.wait(job_id, 10).status is Status.FAILED
        other = client.submit_job("hold", {"until": str(tmp_path / "go")}, unique_key="k")
        assert client.retry_dead() == []
        (tmp_path / "go").touch()
        assert client.wait(other, 10).status is Status.COMPLETED
        assert client.retry_dead() == [job_id]
        assert client.wait(job_id, 10).status is Status.COMPLETED
    assert_all_is_free(daemon)


def test_a_key_outlives_daemon_and_server_with_its_job(make_daemon, tmp_path):
    daemon = make_daemon(settings=SETTINGS).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(tmp_path / "go")}, unique_key="k")
        wait_until(lambda: daemon.entries("start", job_id))
        daemon.kill_all()
        daemon.start()
        assert client.submit_job("note", {}, unique_key="k") == job_id
        (tmp_path / "go").touch()
        assert client.wait(job_id, 10).status is Status.COMPLETED
        assert client.submit_job("note", {}, unique_key="k") != job_id


def test_until_its_start_one_may_wait_while_another_runs(make_daemon, tmp_path):
    daemon = make_daemon(settings={"workers": {"count": 1, "grace_seconds": 1}}).start()
    options = {"unique_key": "k", "unique_until": "start"}
    with daemon.client() as client:
        running = client.submit_job("hold", {"until": str(tmp_path / "go")}, **options)
        wait_until(lambda: daemon.entries("start", running))
        waiting = client.submit_job("note", {}, **options)
        assert waiting != running
        # The next worker may come before its job is back; it must not take the one behind.
        client.pause("default")
        kill_worker_of(daemon, running, 1)
        wait_until(lambda: client.get_job(running).status is Status.PENDING)
        client.resume("default")
        wait_until(lambda: len(daemon.entries("start", running)) == 2)
        assert client.submit_job("note", {}, **options) == waiting
        newest = client.submit_job("note", {}, on_duplicate="replace", **options)
        (tmp_path / "go").touch()
        assert client.wait(newest, 10).status is Status.COMPLETED
        assert client.get_job(waiting).status is Status.CANCELLED
        assert [line[1] for line in daemon.entries("end")] == [running, newest]
    assert_all_is_free(daemon)


def test_whoever_submits_and_whatever_is_killed_no_two_jobs_of_a_key_run_at_a_time(make_daemon):
    daemon = make_daemon(
        settings={"workers": {"count": 4, "grace_seconds": 1, "max_recoveries": 100}}
    ).start()
    is_over = threading.Event()
    ids, errors = set(), []

    def submit():
        try:
            with daemon.client() as client:
                for priority in itertools.cycle(Priority):
                    how = "replace" if priority is Priority.LOW else "return"
                    ids.add(
                        client.submit_job(
                            "note", {"seconds": 0.01}, priority, unique_key="k", on_duplicate=how
                        )
                    )
                    if is_over.is_set():
                        return
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for kills in range(1, 6):
            wait_until(lambda: len(daemon.entries("end")) >= 20 * kills)  # noqa: B023
            wait_until(daemon.is_up)
            # One without a child has no pid.
            pids = [child.pid for child in daemon.children("worker") if child.pid]
            os.kill(pids[kills % len(pids)], signal.SIGKILL)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert errors == []
    with daemon.client() as client:
        jobs = client.wait(sorted(ids), 10)
    assert {job.status for job in jobs} <= {Status.COMPLETED, Status.CANCELLED}
    completed = {job.id for job in jobs if job.status is Status.COMPLETED}
    assert len(completed) > 50
    lines = sorted(daemon.entries("start") + daemon.entries("end"), key=lambda line: float(line[4]))
    # From its first start to its end nothing else stands in the ledger. One that lost its worker, and so waits, may be replaced.
    started = {line[1] for line in lines}
    assert started >= completed
    assert len([job_id for job_id, _ in itertools.groupby(line[1] for line in lines)]) == len(started)
    assert_all_is_free(daemon)
