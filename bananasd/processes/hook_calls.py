"""The calls of hooks in a worker: whatever a hook does, its job and its worker go on.

They are made while no interrupt can come, for that is meant for the handler: see `Performer`. One that hangs is ended
with the worker, as what a handler leaves behind is; see `Interrupter`.
"""

import logging
import os

from .. import clock, log
from ..hooks import Hooks, JobEnd, WorkerInfo
from ..job import Job
from ..repeats import Again
from ..store.outcomes import Buried, Completed, Outcome, Released, Retried
from . import forks
from .error_texts import error_text
from .news import News

SLOW_SECONDS = 1.0
"""A hook that takes longer is told: all jobs behind it wait."""

MAX_NOTED = 100
"""Nobody shall fill the memory with kinds of exceptions."""

_WORDS: dict[type[Outcome], str] = {
    Completed: "completed",
    Retried: "retried",
    Buried: "dead",
    Released: "released",
}

logger = logging.getLogger(__name__)


class HookCalls:
    """One worker's. Between `before`, or `note_error`, and `after` it keeps the job that is under way."""

    def __init__(self, hooks: Hooks, worker: WorkerInfo, news: News) -> None:
        self._hooks = hooks
        self._worker = worker
        self._news = news
        self._pid = os.getpid()
        self._noted: set[tuple[str, str]] = set()
        self._job: Job | None = None
        self._error: BaseException | None = None
        self._began: float | None = None

    def start(self) -> None:
        """The handlers are loaded, no job has been taken."""
        self._call("on_worker_start", self._worker)

    def stop(self, *, is_last: bool) -> None:
        """Everything has been reported; the process ends. ``is_last``: no other worker will go on counting."""
        self._call("on_worker_stop", self._worker)
        self._tell_again(at_once=is_last)

    def before(self, job: Job) -> None:
        """The handler is about to be called."""
        self._job = job
        self._call("before_job", job)
        self._began = clock.monotonic()

    def note_error(self, job: Job, error: BaseException) -> None:
        """The attempt has failed of this, or was interrupted by it."""
        self._job, self._error = job, error

    def after(self, outcome: Outcome) -> None:
        """The run has ended, and its outcome is kept for the server."""
        job, error, began = self._job, self._error, self._began
        self._job = self._error = self._began = None
        if job is None:
            return  # nobody could read it
        ended = clock.monotonic()
        log.set_job(job.id, job.name, job.attempt)
        if isinstance(outcome, (Retried, Buried)):
            self._call("on_failure", job, error)
        if isinstance(outcome, Buried):
            self._call("on_dead", job, error)
        if began is not None:
            end = JobEnd(_WORDS[type(outcome)], error, ended - began)
            self._call("after_job", job, end)
        log.clear_job()
        self._tell_again()

    def _call(self, name: str, *arguments: object) -> None:
        hook = self._hooks.get(name)
        if hook is None:
            return
        began = clock.monotonic()
        try:
            try:
                hook(*arguments)
            finally:
                if os.getpid() != self._pid:
                    forks.end_copy()
        except BaseException as error:  # noqa: BLE001 - a hook may raise anything, and SystemExit is not meant for its worker
            if self._is_news(name, f"failed with {type(error).__name__}"):
                logger.error("hook failed hook=%s\n%s", name, error_text(error))  # noqa: TRY400 - it is in the text
        seconds = clock.monotonic() - began
        if seconds > SLOW_SECONDS and self._is_news(name, "slow"):
            logger.warning("hook slow hook=%s seconds=%.1f: jobs wait for it", name, seconds)

    def _is_news(self, name: str, what: str) -> bool:
        if len(self._noted) < MAX_NOTED:
            self._noted.add((name, what))
        return self._news.note(f"{name} {what}")

    def _tell_again(self, *, at_once: bool = False) -> None:
        for name, what in self._noted:
            if again := self._news.due(f"{name} {what}", at_once=at_once):
                _log_again(name, again, what)
        if again := self._news.due_of_others(at_once=at_once):
            _log_again("others", again, "faults of more kinds than are kept apart")


def _log_again(name: str, again: Again, what: str) -> None:
    logger.warning("hook again hook=%s times=%d seconds=%.0f: %s", name, again.times, again.seconds, what)
