"""Running the jobs of a `Memory` as a worker does: claim, perform, settle, here and now."""

import asyncio
import mmap
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..declaration import HandlerSpec
from ..errors import JobInterrupted
from ..handlers import Registry
from ..job import Job
from ..processes.handler_call import call
from ..processes.performance import Performer, Rules
from ..processes.row import ROW_BYTES, Row
from ..record import read_spec
from ..retry import OPEN, RetryPolicy
from ..store.claims import Claimed
from ..store.outcomes import Completed, Outcome, Retried
from . import transitions
from .found import Find
from .memory import Memory
from .promotion import promote_due

RESULT_BYTES = 1024 * 1024
"""As ``retention.result_bytes`` says by default."""

OF_JOBS = (Exception, SystemExit, JobInterrupted, asyncio.CancelledError)
"""What a handler may raise for itself. All else (Ctrl-C, a test runner's own) is meant for the test."""


class Run(NamedTuple):
    """One run: the job after it, its end (None: there was no run, for it has expired or was cancelled), and what the handler raised, if it did."""

    job: Job
    outcome: Outcome | None
    error: BaseException | None

    @property
    def is_completed(self) -> bool:
        """Whether the job is done."""
        return isinstance(self.outcome, Completed)

    @property
    def is_to_be_retried(self) -> bool:
        """Whether it has failed with tries left."""
        return isinstance(self.outcome, Retried)


class Runner:
    """The only worker of a `Memory`. It has no time limits: those are the master's to keep."""

    def __init__(self, memory: Memory, find: Find, retry: RetryPolicy) -> None:
        self._memory = memory
        self._find = find
        self._rules = Rules(0, retry, RESULT_BYTES)

    def run_next(self) -> Run | None:
        """Run the pending job that is next, one for later whose time has come included; None if there is none."""
        with self._memory.lock:
            promote_due(self._memory)
            taken = transitions.take(self._memory)
        return taken and self.run(*taken)

    def run(self, prefix: str, job_id: str) -> Run:
        """Run this job, also if it is not due."""
        with self._memory.lock:
            claimed = transitions.begin(self._memory, prefix, job_id)
            if claimed is None:
                return Run(transitions.job(self._memory, prefix, job_id), None, None)
        return self._run(prefix, claimed)

    def _run(self, prefix: str, claimed: Claimed) -> Run:
        spec = self._find(read_spec(claimed.spec)["name"])
        errors: list[BaseException] = []
        registry = Registry([_noting(spec, errors)] if spec else [])
        context = _Context(self._memory, prefix)
        performer = Performer(_row(), registry, self._rules, context, lambda _name: OPEN, _never_lost)
        outcome = performer.perform(claimed, transitions.HOLDER)
        with self._memory.lock:
            transitions.settle(self._memory, prefix, outcome)
            job = transitions.job(self._memory, prefix, claimed.job_id)
        error = errors[0] if errors else None
        if error is not None and not isinstance(error, OF_JOBS):
            raise error
        return Run(job, outcome, error)


@dataclass(frozen=True, slots=True)
class _Context:
    """The `RunContext` of these runs."""

    memory: Memory
    prefix: str

    def set_progress(self, job: Job, progress: bytes) -> None:
        with self.memory.lock:
            transitions.progress(self.memory, self.prefix, job.id, progress)

    def should_stop(self, job: Job) -> bool:
        return transitions.is_cancelled(self.memory, self.prefix, job.id)


def _noting(spec: HandlerSpec, errors: list[BaseException]) -> HandlerSpec:
    """The handler, with what it raises kept."""

    def run(job: Job) -> Any:
        try:
            return _call(spec, job)
        except BaseException as error:
            errors.append(error)
            raise

    return replace(spec, function=run, is_async=False)


def _call(spec: HandlerSpec, job: Job) -> Any:
    """Call the handler; in a thread if the test is async, for a thread has one event loop at a time.

    Also one that is not: it may call asyncio.run, as in a worker.
    """
    if not _has_running_loop():
        return call(spec, job)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, call, spec, job).result()


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _never_lost(_holder: str, _job_id: str, _run: int) -> bool:
    """There is no other worker that could repeat a run."""
    return True


def _row() -> Row:
    """A row of a board that nobody else sees."""
    memory = mmap.mmap(-1, 2 * ROW_BYTES)
    return Row(memory, memoryview(memory).cast("Q"), 0)
