"""Workers that have had their time are replaced: one by one, each after its successor is up, none in a job."""

import os
import time
from functools import partial

import pytest

from bananasd import Status
from bananasd.processes.recycling import RecycleLimits
from bananasd.processes.restarts import Restarts
from bananasd.processes.row import Kind, Word
from bananasd.processes.slots import Slot
from tests.conftest import wait_until

pytestmark = pytest.mark.usefixtures("untraced")

PID = """
    @handler("pid")
    def pid(job):
        return os.getpid()

    LEAKED = []

    @handler("leak")
    def leak(job):
        LEAKED.append(b"x" * job.payload * 2**20)
        return os.getpid()
"""


def rss_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


class FakeRow:
    def __init__(self, done=0, failed=0, age_seconds=0.0):
        self.words = {Word.DONE: done, Word.FAILED: failed, Word.SPAWNED_NS: int((1000 - age_seconds) * 1e9)}


@pytest.fixture
def slot():
    return Slot(Kind.WORKER, 0, lambda _row: 0, Restarts(), pid=os.getpid(), luck=0.5)


@pytest.mark.parametrize(
    ("limits", "row", "reason"),
    [
        (RecycleLimits(), FakeRow(10**9, 10**9, 10**6), ""),
        (RecycleLimits(max_jobs=100), FakeRow(90, 4), ""),
        (RecycleLimits(max_jobs=100), FakeRow(90, 5), "it has run 95 jobs"),
        (RecycleLimits(max_age_seconds=100), FakeRow(age_seconds=94.9), ""),
        (RecycleLimits(max_age_seconds=100), FakeRow(age_seconds=95.1), "it is 95 s old"),
        (RecycleLimits(max_rss_mb=10_000), FakeRow(), ""),
    ],
)
def test_a_limit_is_reached_up_to_a_tenth_sooner(slot, limits, row, reason):
    assert limits.reason(slot, row, 1000) == reason


def test_memory_counts_as_it_is(slot):
    reason = RecycleLimits(max_rss_mb=1).reason(slot, FakeRow(), 1000)
    assert abs(int(reason.split()[2]) - rss_mb(os.getpid())) < 20


def test_no_worker_runs_more_than_max_jobs_and_nothing_is_lost(make_daemon):
    daemon = make_daemon(PID, settings={"workers": {"max_jobs": 5}}).start()
    with daemon.client() as client:
        ids = [client.submit_job("pid", None) for _ in range(40)]
        jobs = [client.wait(job_id, 30) for job_id in ids]
    # What a worker had claimed and not begun when it was told to leave goes back, and is claimed again.
    assert {(job.status, job.attempts, job.recoveries) for job in jobs} == {(Status.COMPLETED, 1, 0)}
    counts = [[job.result for job in jobs].count(pid) for pid in {job.result for job in jobs}]
    assert max(counts) <= 5
    assert daemon.lines("worker recycled") or daemon.lines("worker leaves: it has run 5 jobs")
    wait_until(daemon.is_up)


def test_one_job_a_worker_gives_each_job_a_process_of_its_own(make_daemon):
    daemon = make_daemon(PID, settings={"workers": {"max_jobs": 1}}).start()
    with daemon.client() as client:
        jobs = [client.wait(job_id, 30) for job_id in [client.submit_job("pid", None) for _ in range(10)]]
    assert len({job.result for job in jobs}) == 10


def test_old_workers_are_replaced_one_at_a_time_and_there_are_never_fewer(make_daemon):
    daemon = make_daemon(PID, settings={"workers": {"count": 3, "max_age_seconds": 1.5}}).start()
    first = {child.pid for child in daemon.children("worker")}

    def none_of_the_first_is_left():
        workers = [child for child in daemon.snapshot("worker") if child.state == "up"]
        assert len(workers) >= 3
        return not first & {child.pid for child in workers}

    wait_until(none_of_the_first_is_left)
    assert daemon.lines("worker recycled", "s old")


def test_a_worker_in_a_job_ends_it_first_and_nobody_works_in_its_place_meanwhile(make_daemon):
    daemon = make_daemon(PID, settings={"workers": {"count": 1, "max_age_seconds": 0.5}}).start()
    until = daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
        # The second, if it was given to one that had just been told to leave.
        run = client.get_job(job_id).run
        wait_until(lambda: [c for c in daemon.children("worker") if c.pid != worker.pid and c.state == "up"])
        waiting = client.submit_job("pid", None)
        # Its successor has had its time before it could do anything, and yet there is no third one.
        wait_until(lambda: min(child.up_seconds for child in daemon.children("worker")) > 1.5)
        assert len(daemon.children("worker")) == 2
        assert client.get_job(waiting).status is Status.PENDING
        until.touch()
        job = client.wait(job_id, 30)
        assert (job.status, job.run, job.attempts) == (Status.COMPLETED, run, 1)
        assert client.wait(waiting, 30).result != worker.pid


def test_jobs_that_take_longer_than_a_limit_bring_no_more_processes_and_memory(make_daemon):
    daemon = make_daemon(
        """
        @handler("grow")
        def grow(job):
            held = b"x" * (120 * 2**20)
            note(job, "start")
            time.sleep(1.5)
            return len(held)
        """,
        settings={"workers": {"count": 1, "max_rss_mb": 100}},
    ).start()
    most = 0
    with daemon.client() as client:
        ids = [client.submit_job("grow", None) for _ in range(4)]
        while client.get_job(ids[-1]).status is not Status.COMPLETED:
            workers = daemon.snapshot("worker")
            most = max(most, len(workers))
            assert sum(child.job_id != "" for child in workers) <= 1
            time.sleep(0.02)
    assert most == 2


def test_a_leaking_handler_is_kept_within_bounds(make_daemon):
    daemon = make_daemon(PID, settings={"workers": {"count": 1, "max_rss_mb": 150}}).start()
    peaks: dict[int, float] = {}
    with daemon.client() as client:
        while len(peaks) < 4:
            pid = client.wait(client.submit_job("leak", 10), 30).result
            peaks[pid] = max(peaks.get(pid, 0), _rss_or_0(pid))
            if peaks[pid] > 150:
                # The master looks once a second: a leak of 10 MB a job gives it the time.
                wait_until(partial(_is_replaced, daemon, pid))
    assert max(peaks.values()) < 150 + 40


def _is_replaced(daemon, pid) -> bool:
    return pid not in {child.pid for child in daemon.children("worker") if child.state == "up"}


def _rss_or_0(pid: int) -> float:
    try:
        return rss_mb(pid)
    except OSError:
        return 0


def test_a_limit_below_what_a_fresh_worker_has_is_refused_at_the_start(make_daemon):
    daemon = make_daemon(settings={"workers": {"max_rss_mb": 5}}).start(wait=False)
    assert daemon.wait() == 78
    assert daemon.lines("workers.max_rss_mb: 5: a worker that has run nothing has")


BROKEN_BUT_FOR_THE_FIRST = """
    try:
        open(__file__ + ".loaded", "x").close()
    except FileExistsError:
        os._exit(1)
"""


def test_a_worker_whose_successor_does_not_come_up_stays(make_daemon):
    daemon = make_daemon(
        BROKEN_BUT_FOR_THE_FIRST + PID, settings={"workers": {"count": 1, "max_age_seconds": 1}}
    ).start()
    worker = daemon.child("worker")
    wait_until(lambda: daemon.lines("worker not recycled", "worker 0"))
    with daemon.client() as client:
        assert client.wait(client.submit_job("pid", None), 30).result == worker.pid
    assert daemon.stop() == 0
