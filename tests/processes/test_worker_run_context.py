"""What a running job may ask of its worker, and tell it."""

import orjson
import pytest

from bananasd import clock
from bananasd.errors import ConnectionFailed
from bananasd.job import Job
from bananasd.processes.board import Board
from bananasd.processes.row import Kind, Word
from bananasd.processes.run_context import WorkerRunContext

OTHER_ID = "22222222-2222-4222-8222-222222222222"
JOB = Job("11111111-1111-4111-8111-111111111111", {"name": "tested"}, "default:normal")


class LostStore:
    """A store whose server is lost, and that counts how often it was asked."""

    def __init__(self):
        self.calls = 0

    def progress(self, *_):
        self.calls += 1
        raise ConnectionFailed("lost")


@pytest.fixture
def row(tmp_path):
    row = Board.create(tmp_path, "node", 1).rows[0]
    row.words[Word.KIND], row.words[Word.GENERATION] = Kind.WORKER, 1
    return row


def begin(row, seconds_left):
    now = clock.monotonic_ns()
    deadline = now + int(seconds_left * 1e9) if seconds_left else 0
    row.begin_job(5, JOB.id, JOB.name, now, deadline, 0)


@pytest.mark.parametrize(("seconds_left", "should_stop"), [(0, False), (60, False), (-1, True)])
def test_a_job_should_stop_when_its_time_is_over(row, seconds_left, should_stop):
    begin(row, seconds_left)
    assert WorkerRunContext(row, LostStore, lambda: False).should_stop(JOB) is should_stop


def test_a_job_should_stop_when_the_daemon_drains(row):
    begin(row, 60)
    assert WorkerRunContext(row, LostStore, lambda: True).should_stop(JOB)


def test_a_job_should_stop_when_it_was_told_to_but_not_when_an_earlier_one_was(row):
    begin(row, 60)
    context = WorkerRunContext(row, LostStore, lambda: False)
    row.words[Word.INTERRUPT] = 4
    assert not context.should_stop(JOB)
    row.words[Word.INTERRUPT] = 5
    assert context.should_stop(JOB)


@pytest.mark.parametrize("is_hard", [False, True])
def test_a_job_should_stop_when_it_was_cancelled_but_not_when_an_earlier_one_was(row, is_hard):
    begin(row, 60)
    context = WorkerRunContext(row, LostStore, lambda: False)
    row.cancel(4, is_hard=is_hard)
    assert not context.should_stop(JOB)
    row.cancel(5, is_hard=is_hard)
    assert context.should_stop(JOB)


class NotingStore:
    """A store that notes what it is told."""

    def __init__(self):
        self.told = []

    def progress(self, _holder, job_id, run, progress):
        self.told.append((job_id, run, orjson.loads(progress)["done"]))
        return True


@pytest.fixture
def now(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("bananasd.clock.monotonic", lambda: now[0])
    return now


def test_progress_to_a_lost_server_costs_the_job_one_try_a_second(row, now):
    store, calls = LostStore(), []
    context = WorkerRunContext(row, lambda: store, lambda: False)
    for _ in range(30):
        context.set_progress(JOB, b"{}")
        calls.append(store.calls)
        now[0] += 0.1
    assert calls[:10] == [1] * 10
    assert 3 <= calls[-1] <= 4


def a_run(context, run=1, job_id=JOB.id):
    job = Job(job_id, {"name": "tested"}, "default:normal")
    job.run = run
    job.bind(context)
    return job


def test_after_the_first_few_progress_is_stored_four_times_a_second(row, now):
    store = NotingStore()
    job = a_run(WorkerRunContext(row, lambda: store, lambda: False))
    for done in range(1000):
        job.set_progress(done, 2000)
        now[0] += 0.01
    assert [done for _, _, done in store.told[:8]] == list(range(8))
    assert 46 <= len(store.told) <= 48


def test_the_progress_that_says_that_all_is_done_is_stored_once(row, now):
    store = NotingStore()
    job = a_run(WorkerRunContext(row, lambda: store, lambda: False))
    for done in (*range(21), 20, 20):
        job.set_progress(done, 20)
    assert [done for _, _, done in store.told] == [*range(8), 20]


def test_each_run_begins_anew(row, now):
    store = NotingStore()
    context = WorkerRunContext(row, lambda: store, lambda: False)
    runs = [(1, JOB.id), (2, JOB.id), (2, OTHER_ID)]
    for run, job_id in runs:
        job = a_run(context, run, job_id)
        for done in range(20):
            job.set_progress(done)
    assert [(run, job_id) for job_id, run, _ in store.told] == [run for run in runs for _ in range(8)]
