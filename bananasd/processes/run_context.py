"""What a running job may ask of its worker, and tell it. Nothing here touches the worker's own connection."""

import threading
from collections.abc import Callable
from typing import Any

from .. import clock
from ..errors import ConnectionFailed
from ..job import Job
from ..store.store import Store
from .row import Row, Word

PAUSE_SECONDS = 0.25
MAX_AT_ONCE = 8
"""So many progresses of a run are stored without a pause: steps that follow each other quickly before a long one."""
PAUSE_AFTER_FAILURE_SECONDS = 1.0


class WorkerRunContext:
    """Progress goes over a connection of its own, made at the first progress; a lost one costs no job its run."""

    def __init__(self, row: Row, make_store: Callable[[], Store], is_draining: Callable[[], bool]) -> None:
        self._row = row
        self._make_store = make_store
        self._is_draining = is_draining
        self._store: Store | None = None
        self._lock = threading.Lock()
        self._not_before = self._taken_until = 0.0
        self._told: tuple[str, int, bytes] | None = None
        self.holder = ""

    def forget_connection(self) -> None:
        """In a forked process: the connection, and whoever holds the lock, are its parent's."""
        self._store, self._lock = None, threading.Lock()

    def set_progress(self, job: Job, progress: bytes) -> None:
        """Store the progress if the run still holds the job; keep quiet about a server that does not answer.

        Of many one goes out each `PAUSE_SECONDS`, and the one that says that all is done.
        """
        with self._lock:
            now, told = clock.monotonic(), (job.id, job.run, progress)
            if now < self._not_before or told == self._told:
                return
            if not (self._may_tell(now, told[:2]) or _is_all(job.progress)):
                return
            self._told = told
            self._store = self._store or self._make_store()
            try:
                self._store.progress(self.holder, job.id, job.run, progress)
            except ConnectionFailed:
                self._told = None
                self._not_before = clock.deadline_in(PAUSE_AFTER_FAILURE_SECONDS)

    def _may_tell(self, now: float, run: tuple[str, int]) -> bool:
        """Each takes up a pause; of `MAX_AT_ONCE` pauses a run has credit."""
        if self._told is None or self._told[:2] != run:
            self._taken_until = now
        until = max(self._taken_until, now) + PAUSE_SECONDS
        if until > now + MAX_AT_ONCE * PAUSE_SECONDS:
            return False
        self._taken_until = until
        return True

    def should_stop(self, _job: Job) -> bool:
        """Whether the daemon drains, the job was cancelled or has been told to stop, or its time is over."""
        words = self._row.words
        deadline = words[Word.DEADLINE_NS]
        is_late = deadline != 0 and clock.monotonic_ns() >= deadline
        number = words[Word.JOB]
        is_told = words[Word.INTERRUPT] == number or self._row.is_cancelled(number)
        return self._is_draining() or is_late or is_told


def _is_all(progress: dict[str, Any] | None) -> bool:
    return progress is not None and progress["total"] is not None and progress["done"] >= progress["total"]
