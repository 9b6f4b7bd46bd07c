"""Waiting for jobs: woken by what changes them, through outages of the server, until they end or the time is over."""

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

from . import clock
from .errors import ConnectionFailed, JobFailed, JobNotFinished, JobNotFound, ResultExpired, WaitTimeout
from .job import Job, Status
from .store.mailbox import MAX_TOLD, Mailbox, Mailboxes

ASK_AGAIN_SECONDS = 10.0
"""So often it asks how things stand, though it was told nothing: that can be lost with a connection."""
MIN_LOOK_SECONDS = 1.0
"""What the server is given to answer, even if there is less time left."""
RETRY_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 0.25
"""Before it asks anew after a failure; longer after each in a row, so that a server which refuses to let it listen is asked
four times a second."""
_FINAL = {status for status in Status if status.is_final}


class Wait:
    """One wait for some jobs, for ``seconds``; the server may be out of reach for ``patience_seconds``."""

    def __init__(
        self, mailbox: Mailbox, job_ids: Iterable[str], seconds: float, patience_seconds: float, *, every_change: bool
    ) -> None:  # fmt: skip
        self._mailbox = mailbox
        self._pending: dict[str, Job | None] = dict.fromkeys(job_ids)
        self._count = len(self._pending)
        self._seconds = seconds
        self._deadline = clock.deadline_in(seconds)
        self._patience_seconds = patience_seconds
        self._every_change = every_change
        self._since_ms = inf
        self._ask_at = clock.monotonic()
        self._lost_at: float | None = None
        self._pause_seconds = RETRY_PAUSE_SECONDS

    def news(self) -> Iterator[Job]:
        """Each job once it has ended and, if every change is wanted, those that go on when they may have changed."""
        while self._pending:
            is_over = clock.remaining(self._deadline) == 0
            is_asking = is_over or clock.remaining(self._ask_at) == 0
            began = clock.monotonic()
            try:
                jobs = self._ask(is_over) if is_asking else self._listen()
            except ConnectionFailed as error:
                self._bear(error, began)
                continue
            self._lost_at = None
            yield from self._note(jobs)
            if is_over and any(self._pending.values()):
                raise WaitTimeout(self._complaint())

    def _ask(self, is_last: bool) -> list[Job]:
        """How all stand; from now on it is told. The last time one that goes on is among them, for the complaint."""
        now_ms, statuses = self._mailbox.await_jobs(
            self._pending, self._limit(), every_change=self._every_change
        )
        self._since_ms = min(self._since_ms, now_ms)
        self._ask_at = clock.deadline_in(ASK_AGAIN_SECONDS)
        going_on = [job_id for job_id, status in statuses.items() if status and status not in _FINAL]
        passed_over = set() if self._every_change else set(going_on[is_last:])
        return self._read(job_id for job_id in statuses if job_id not in passed_over)

    def _listen(self) -> list[Job]:
        """Those of which it is told."""
        first = self._mailbox.take(min(clock.remaining(self._deadline), clock.remaining(self._ask_at)))
        self._pause_seconds = RETRY_PAUSE_SECONDS
        if first is None:
            return []
        told = [first]
        if len(self._pending) > 1:
            told += self._mailbox.take_rest(self._limit())
        if len(told) >= MAX_TOLD:
            self._ask_at = clock.monotonic()
        # The others are of an earlier wait.
        return self._read(job_id for job_id in dict.fromkeys(told) if job_id in self._pending)

    def _read(self, job_ids: Iterable[str]) -> list[Job]:
        ids = list(job_ids)
        jobs = self._mailbox.read(ids, self._limit(), self._since_ms)
        return [found(job_id, job) for job_id, job in zip(ids, jobs, strict=True)]

    def _note(self, jobs: list[Job]) -> Iterator[Job]:
        for job in jobs:
            self._pending[job.id] = job
            if job.status.is_final:
                del self._pending[job.id]
            if job.status.is_final or self._every_change:
                yield job

    def _bear(self, error: ConnectionFailed, began: float) -> None:
        """Take a failure for an outage and ask anew, or raise it if there have been enough."""
        self._lost_at = self._lost_at or began
        self._ask_at = clock.monotonic()
        if clock.remaining(self._limit()) <= self._pause_seconds:
            raise error
        self._mailbox.pause(self._pause_seconds)
        self._pause_seconds = min(1.5 * self._pause_seconds, MAX_PAUSE_SECONDS)

    def _limit(self) -> float:
        """Until when the server has to have answered. A moment is given even to a wait whose time is over."""
        began = self._lost_at or clock.monotonic()
        return min(began + self._patience_seconds, max(self._deadline, began + MIN_LOOK_SECONDS))

    def _complaint(self) -> str:
        job = next(job for job in self._pending.values() if job)
        if self._count == 1:
            return f"job {job.id} ({job.name}) is still {job.status} after {self._seconds:g} s"
        left = f"{len(self._pending):,} of {self._count:,} jobs have not ended after {self._seconds:g} s"
        return f"{left}; job {job.id} ({job.name}) is still {job.status}"


class Waiter:
    """Waits for a client, each of whose threads may have a wait of its own."""

    def __init__(self, mailboxes: Mailboxes, patience_seconds: float) -> None:
        self._mailboxes = mailboxes
        self._patience_seconds = patience_seconds

    def wait(
        self, job_ids: list[str], seconds: float, on_progress: Callable[[Job], object] | None
    ) -> list[Job]:
        """The jobs, in their order, when all have ended. ``on_progress`` is called with each whose progress is new."""
        ended: dict[str, Job] = {}
        shown: dict[str, Any] = {}
        for job in self._news(job_ids, seconds, every_change=on_progress is not None):
            if on_progress and job.progress and job.progress != shown.get(job.id):
                shown[job.id] = job.progress
                on_progress(job)
            if job.status.is_final:
                ended[job.id] = job
        return [ended[job_id] for job_id in job_ids]

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job now and whenever its status or progress is another one, the last time when it has ended."""
        shown: Any = None
        for job in self._news([job_id], inf, every_change=True):
            state = (job.status, job.run, job.progress)
            if state != shown:
                shown = state
                yield job

    def _news(self, job_ids: list[str], seconds: float, *, every_change: bool) -> Iterator[Job]:
        with self._mailboxes.lend() as mailbox:
            wait = Wait(mailbox, job_ids, seconds, self._patience_seconds, every_change=every_change)
            yield from wait.news()


def found(job_id: str, job: Job | None) -> Job:
    """The job. Raises `JobNotFound` if there is none."""
    if job is None:
        raise JobNotFound(job_id)
    return job


def completed(job: Job) -> Job:
    """The job, if it has completed. Raises `JobFailed`, `JobNotFinished`."""
    if not job.status.is_final:
        raise JobNotFinished(
            f"job {job.id} ({job.name}) is {job.status}: wait for its end before its result is asked for"
        )
    if job.status is not Status.COMPLETED:
        raise JobFailed(job)
    return job


def result_of(job: Job) -> Any:
    """What its handler returned. Raises what `completed` does, and `ResultExpired`."""
    # None is stored by leaving it out, so a result that was stored and reads as None is not there any more.
    if completed(job).has_result and job.result is None:
        raise ResultExpired(
            f"the result of job {job.id} ({job.name}) has expired: retention.result_seconds says how long it is kept"
        )
    return job.result
