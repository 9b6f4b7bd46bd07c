"""A play with a client, a worker, its helper, a scheduler and the doctor, in one process and in a fixed order.

Each is the real one, over real connections. What is not there is what would let time pass: nobody sleeps, and instead
of waiting for a signal the worker and the scheduler go on with the next act.
"""

import math
import os
import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bananasd import (
    Client,
    GiveUp,
    Job,
    JobNotFound,
    JobRequest,
    Priority,
    RetryLater,
    waiting,
)
from bananasd.explanation import Reason
from bananasd.handlers import HandlerSpec, Registry
from bananasd.processes import helper, outage
from bananasd.processes.beat import About
from bananasd.processes.board import Board, Phase
from bananasd.processes.helper import Helper
from bananasd.processes.performance import Rules
from bananasd.processes.recovery import Terms
from bananasd.processes.row import Kind, Row, State, Word
from bananasd.processes.scheduler import Scheduler
from bananasd.processes.worker import Post, Worker
from bananasd.retry import Retry, RetryPolicy
from bananasd.schedule import Schedule
from bananasd.store import access as waits
from bananasd.store import pool
from bananasd.store.census import namespace_remarks
from bananasd.store.claims import Claim
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.doctor import Doctor
from bananasd.store.keys import lanes_of
from bananasd.store.listing import Listing
from bananasd.store.vitals import server_remarks
from tests.invariants import KEYS, NAMESPACE, Look, access, assert_documented
from tests.patience import insist

from .cutter import Cutter

NODE, GONE = "here", "gone"
LEASE_MS = 15_000
LANES = lanes_of(("default",))
PATIENCE_SECONDS = 10
RESTING = Schedule(name="resting", job="brief", every="1d", enabled=False, source="config")


class Bell:
    """In place of an inbox: it is always rung, or never."""

    def __init__(self, *, is_rung: bool = True) -> None:
        self._descriptor = os.eventfd(int(is_rung))

    def fileno(self) -> int:
        return self._descriptor

    def wait(self, _seconds: float) -> list[int]:
        return []

    def take(self) -> list[int]:
        return []

    def close(self) -> None:
        os.close(self._descriptor)


class FixedBatch:
    """Many at first, one at a time once the long job has begun, however long anything takes."""

    jobs = 16

    def note(self, jobs: int, seconds: float) -> None:
        pass


class StagedWorker(Worker):
    """A worker in a process that is not its own: it takes no signals and does not show what it does."""

    def __init__(self, when_idle: Callable[[], None], *args: Any) -> None:
        super().__init__(*args)
        self._when_idle = when_idle
        self._inbox = Bell(is_rung=False)
        self._batch = FixedBatch()
        self._helper._run = self._run_helper

    def _come_up(self) -> None:
        self._row.state = State.UP

    def _show(self, what: str) -> None:
        pass

    def _wait_and_claim(self) -> Claim | None:
        self._when_idle()
        return super()._wait_and_claim()

    def close(self) -> None:
        self._inbox.close()
        self._wake_up.close()

        self._helper._is_needed.wait = end_thread

    def _run_helper(self) -> None:
        with suppress(SystemExit):
            Helper._run(self._helper)


def end_thread() -> None:
    """What the helper finds instead of its next round once its play is over."""
    raise SystemExit


class Ending(NamedTuple):
    """What is left of a play. A cut may change nothing of it."""

    statuses: dict[str, str]
    ends: dict[str, int]
    attempts: dict[str, int]
    recoveries: dict[str, int]
    counters: dict[str, int]
    done: int
    failed: int


class Play:
    """Two acts by the client, the doctor and the scheduler, then the worker's, between whose parts the others speak."""

    def __init__(self, url: str, patch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.look = Look(url)
        self.cutter = Cutter(self.assert_in_order)
        self.jobs: dict[str, JobRequest] = {}
        self.starts: defaultdict[str, list[int]] = defaultdict(list)
        self.ends: defaultdict[str, int] = defaultdict(int)
        self._unwatched = HeldConnection(Server(url, 5))
        self._directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
        self._board = Board.create(self._directory, NODE, 8)
        self._patch = patch
        self._patch_time()
        self._acts = iter([self._bring_back_what_failed, self._bring_back_what_died, self._end])
        self._make_scheduler()
        self._make_worker()

    def run(self, *, forget_scripts: bool = False) -> Ending:
        """From the first submit to the end of the daemon."""
        self._seed()
        if forget_scripts:
            self.look.call("SCRIPT", "FLUSH")
        with self.cutter.by("client"):
            self._submit()
        with self.cutter.by("doctor"):
            insist(
                lambda: [server_remarks(self._doctors, "here"), namespace_remarks(self._doctors, NAMESPACE)]
            )
            insist(lambda: list(Doctor(self._doctors, NAMESPACE, is_mending=True).examine()))
        self._let_scheduler_work()
        with self.cutter.by("worker"):
            assert self._worker.run() == 0
        self._row.state = State.DEAD  # as the master sees it
        self._let_scheduler_leave()
        self._assert_left()
        return self._ending()

    def close(self) -> None:
        self._worker.close()
        self._scheduler._inbox.close()
        self._client.close()
        for connection in (self._unwatched, self._doctors, self._scheduler._connection):
            connection.close()
        self._scheduler._wake_up.close()
        shutil.rmtree(self._directory)

    def _patch_time(self) -> None:
        def send(connection: HeldConnection, deadline: float, commands: Sequence[Any]) -> None:
            self.cutter.send(connection, deadline, commands)

        self._patch.setattr(HeldConnection, "_send", send)
        # No job is long but that which says so.
        self._patch.setattr(helper, "BATCH_SECONDS", math.inf)
        self._patch.setattr(helper, "PAUSE_AFTER_FAILURE_SECONDS", 0.001)
        self._patch.setattr(waits, "BLOCK_SECONDS", 0.01)
        self._patch.setattr(pool, "RETRY_PAUSE_SECONDS", 0.001)
        self._patch.setattr(waiting, "RETRY_PAUSE_SECONDS", 0.001)
        self._patch.setattr(outage.random, "uniform", lambda *_: 0.0)

    # Who plays

    def _make_scheduler(self) -> None:
        row = self._new_row(Kind.SCHEDULER, 1)
        terms = Terms(LEASE_MS, 3)
        about = About("here", 1, {}, 5)
        self._scheduler = Scheduler(row, self._board, access(self.url), 3.0, terms, about, [RESTING])
        self._scheduler._inbox = Bell()
        self._doctors = HeldConnection(Server(self.url, 5))

    def _make_worker(self) -> None:
        handlers = {"brief": self._run_brief, "long": self._run_long, "retried": self._run_retried,
                    "buried": self._run_buried, "stopped": self._run_stopped, "quitting": self._run_quitting}  # fmt: skip
        registry = Registry(
            [HandlerSpec(name, run, None, None, __file__, 1, False) for name, run in handlers.items()]
        )
        rules = Rules(60, RetryPolicy(5, Retry(0, 2, 0, 0)), 1000)
        self._row = self._new_row(Kind.WORKER, 2)
        post = Post(NODE, LANES, LEASE_MS, rules)
        self._worker = StagedWorker(self._begin_next_act, self._row, post, registry, access(self.url))

    def _new_row(self, kind: Kind, generation: int) -> Row:
        row = self._board.free_row()
        assert row is not None
        for word, value in {Word.KIND: kind, Word.STATE: State.UP, Word.GENERATION: generation}.items():
            row.words[word] = value
        return row

    # What the handlers do

    def _record(self, job: Job, run: Callable[[], Any]) -> Any:
        self.starts[job.id].append(job.run)
        result = run()
        self.ends[job.id] += 1
        return result

    def _run_brief(self, job: Job) -> Any:
        return self._record(job, lambda: job.payload)

    def _run_long(self, job: Job) -> Any:
        return self._record(job, lambda: self._be_long(job))

    def _be_long(self, job: Job) -> None:
        """Until the helper has reported those in front and put back those behind."""
        self._worker._batch.jobs = 1
        job.set_progress(1)
        self._patch.setattr(helper, "BATCH_SECONDS", 0.0)
        until = time.monotonic() + PATIENCE_SECONDS
        while len(self._worker._unsettled) or len(self._worker._unstarted):
            assert time.monotonic() < until, "the helper has not settled"
            time.sleep(0.001)
        self._patch.setattr(helper, "BATCH_SECONDS", math.inf)

    def _run_retried(self, job: Job) -> Any:
        return self._record(job, lambda: self._fail_once(job, RetryLater(0)))

    def _run_buried(self, job: Job) -> Any:
        return self._record(job, lambda: self._fail_once(job, GiveUp("as it was told")))

    def _fail_once(self, job: Job, error: Exception) -> None:
        if len(self.starts[job.id]) == 1:
            raise error

    def _run_stopped(self, job: Job) -> None:
        """Cancelled while it runs, it comes to its end as if it had not heard."""
        self.starts[job.id].append(job.run)
        with self.cutter.by("client"):
            assert self._client.cancel(job.id, "soft")
        self._let_scheduler_work()
        assert job.should_stop

    def _run_quitting(self, job: Job) -> Any:
        """As if the TERM came now."""
        self._worker._is_draining = True
        return self._record(job, lambda: None)

    # What happens

    def _request(self, role: str, name: str = "brief", **options: Any) -> JobRequest:
        self.jobs[role] = JobRequest(name, {"role": role}, **options)
        return self.jobs[role]

    def _seed(self) -> None:
        """A job of a worker that has died, and two that are not where they should be."""
        store = access(self.url).store(self._unwatched)
        dead_row = self._new_row(Kind.WORKER, 3)
        dead_row.words[Word.TRIP], dead_row.words[Word.EXIT] = 1, signal.SIGSEGV
        for role, node, holder in (
            ("orphan", NODE, dead_row.holder(NODE)),
            ("astray", GONE, f"{GONE}/9.1"),
        ):
            store.submit([self._request(role)])
            store.enter(holder, node, LEASE_MS, {})
            assert len(store.settle_and_claim([], holder, node, LANES, 1)[1].jobs) == 1
        self.look.call("SREM", KEYS.holders, f"{GONE}/9.1")
        self.look.call("ZREM", KEYS.nodes, GONE)
        dead_row.begin_job(1, self.jobs["orphan"].job_id, "brief", 1, 0, 0)
        dead_row.state = State.DEAD
        # It is as it should be: a line about its being put would be lost with the reply.
        access(self.url).schedules(self._unwatched).put("config", {RESTING.name: RESTING.encode()})
        store.submit([self._request("misplaced")])
        self.look.call("LREM", KEYS.ready(LANES[1]), 0, self.jobs["misplaced"].job_id)

    def _submit(self) -> None:
        client = self._client = insist(lambda: Client(self.url))
        client.pause("default")
        urgent = self._request("urgent", priority=Priority.HIGH)
        client.submit_job("brief", {}, Priority.LOW, job_id=urgent.job_id)
        client.reprioritise(urgent.job_id, Priority.HIGH)
        later = self._request("later", scheduled_for=timedelta(milliseconds=1))
        client.submit_job_scheduled("brief", {}, Priority.LOW, timedelta(hours=1), job_id=later.job_id)
        client.reschedule(later.job_id, timedelta(milliseconds=1))
        cancelled = self._request("cancelled")
        self._many = [
            cancelled, self._request("too late", expires_in=0.001), self._request("before"),
            self._request("guarded", on_lost="dead"), self._request("before, too"), self._request("long", "long"),
            self._request("behind"), self._request("retried", "retried", unique_key="r", unique_until="start"),
            self._request("buried", "buried", unique_key="b"),
            self._request("unknown", "a name that no handler has", max_retries=0), self._request("stopped", "stopped"),
        ]  # fmt: skip
        client.submit_many(self._many)
        self._submit_duplicates(client)
        # Begun here, ended by `_end`: there is but one thread.
        awaited = [self.jobs[role].job_id for role in ("long", "behind")]
        self._news = client._waiter._news(awaited, math.inf, every_change=True)
        assert not next(self._news).status.is_final
        assert client.cancel(cancelled.job_id)
        stats = client.queue_stats()
        assert (stats.scheduled, stats.paused, client.paused()) == (1, {"default": None}, {"default": None})
        assert client.explain(urgent.job_id).reason is Reason.PAUSED
        assert client.explain(later.job_id).reason in (Reason.SCHEDULED, Reason.DUE, Reason.UNSERVED)
        client.resume("default")
        self._put_schedule()
        time.sleep(0.002)  # what is later is due now, and for what is too late it is so

    def _submit_duplicates(self, client: Client) -> None:
        """Not among the many: once that job has ended, who submits them anew makes new jobs."""
        first = self._request("replaced", unique_key="k")
        last = self._request("unique", unique_key="k", on_duplicate="replace")
        duplicate = self._request("duplicate", unique_key="k")
        ids = client.submit_many([first, last, duplicate])
        assert ids == [first.job_id, last.job_id, last.job_id]

    def _put_schedule(self) -> None:
        """It has one slot in all the past, and that has been missed."""
        seconds = int(time.time()) * 2 // 3
        schedule = Schedule(name="by the clock", job="brief", every=f"{seconds}s", misfire="once")
        self._request("by the clock", job_id=schedule.job_id(NAMESPACE, seconds * 1000))
        self._client.put_schedule(schedule)
        with self.cutter.unseen():
            self.look.call("HSET", KEYS.fired, schedule.name, 0)
        assert [schedule.name for schedule in self._client.schedules()] == ["by the clock", "resting"]

    def _begin_next_act(self) -> None:
        """Whenever the worker finds nothing to do."""
        self._worker._outage.note_success()
        next(self._acts, lambda: None)()

    def _bring_back_what_failed(self) -> None:
        self._let_scheduler_work()

    def _bring_back_what_died(self) -> None:
        with self.cutter.by("client"):
            dead = {job.id for job in self._client.dead_jobs()}
            assert dead == {self.jobs[role].job_id for role in ("buried", "unknown")}
            pages = Listing(self._client._pool.call(), NAMESPACE)
            page = pages.dead("", 1)
            assert {entry.job_id for entry in page.entries + pages.dead(page.mark, 1).entries} == dead
            self._client.retry_dead()
            # One who never saw that they were taken.
            self._client.submit_many(self._many)

    def _end(self) -> None:
        """The next job is the last one: what was claimed behind it goes back."""
        self._let_scheduler_work()
        with self.cutter.by("client"):
            ended = [job.id for job in self._news if job.status.is_final]
            assert sorted(ended) == sorted(self.jobs[role].job_id for role in ("long", "behind"))
            self._client.remove_schedule("by the clock")
            self._client.purge_dead([self.jobs["unknown"].job_id])
            self._worker._batch.jobs = 16
            self._client.submit_many([self._request("quitting", "quitting"), self._request("left over")])

    def _let_scheduler_work(self) -> None:
        """One round of everything, and as many more as a cut makes of it."""
        scheduler = self._scheduler
        with self.cutter.by("scheduler"):
            for _ in range(10):
                for duty in scheduler._duties:
                    duty.due_at = 0.0
                assert scheduler._turn() is None
                if not scheduler._outage.is_on:
                    return
        raise AssertionError("the scheduler does not come back")

    def _let_scheduler_leave(self) -> None:
        self._board.phase = Phase.LEAVING
        for duty in self._scheduler._duties:
            duty.due_at = math.inf
        with self.cutter.by("scheduler"):
            statuses = (self._scheduler._turn() for _ in range(10))
            assert next(status for status in statuses if status is not None) == 0

    # What must hold

    def assert_in_order(self) -> None:
        """Every job is in the one place where its record says that it is. The doctor's own finds are no surprise."""
        connection = HeldConnection(Server(self.url, 5))
        try:
            with self.cutter.unseen():
                found = list(Doctor(connection, NAMESPACE).examine())
        finally:
            connection.close()
        known = {self.jobs[role].job_id for role in ("astray", "misplaced")} | {f"{GONE}/9.1"}
        assert [finding for finding in found if finding.subject not in known] == []

    def _assert_left(self) -> None:
        look = self.look
        assert (look.holders(), look.held(), look.nodes()) == (set(), [], [])
        assert_documented(look)
        left_over = self.jobs["left over"].job_id
        assert look.ready() == [left_over]
        assert look.find(f"{KEYS.prefix}unique:*") == []
        assert not self._board.path.exists()
        for runs in self.starts.values():
            assert runs == sorted(set(runs))

    def _ending(self) -> Ending:
        jobs = {role: self._job(request.job_id) for role, request in self.jobs.items()}
        counters = self._client.queue_stats().counters
        return Ending(
            {role: str(job.status) if job else "gone" for role, job in jobs.items()},
            {role: self.ends[request.job_id] for role, request in self.jobs.items()},
            {role: job.attempts for role, job in jobs.items() if job},
            {role: job.recoveries for role, job in jobs.items() if job},
            counters,
            self._row.words[Word.DONE],
            self._row.words[Word.FAILED],
        )

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._client.get_job(job_id)
        except JobNotFound:
            return None
