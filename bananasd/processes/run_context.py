"""What a running job may ask of its worker, and tell it. Nothing here touches the worker's own connection."""

import threading
from collections.abc import Callable

from .. import clock
from ..errors import ConnectionFailed
from ..job import Job
from ..store.store import Store
from .row import Row, Word

PAUSE_AFTER_FAILURE_SECONDS = 1.0


class WorkerRunContext:
    """Progress goes over a connection of its own, made at the first progress; a lost one costs no job its run."""

    def __init__(self, row: Row, make_store: Callable[[], Store], is_draining: Callable[[], bool]) -> None:
        self._row = row
        self._make_store = make_store
        self._is_draining = is_draining
        self._store: Store | None = None
        self._lock = threading.Lock()
        self._not_before = 0.0
        self.holder = ""

    def forget_connection(self) -> None:
        """In a forked process: the connection, and whoever holds the lock, are its parent's."""
        self._store, self._lock = None, threading.Lock()

    def set_progress(self, job: Job, progress: bytes) -> None:
        """Store the progress if the run still holds the job; keep quiet about a server that does not answer."""
        with self._lock:
            if clock.monotonic() < self._not_before:
                return
            self._store = self._store or self._make_store()
            try:
                self._store.progress(self.holder, job.id, job.run, progress)
            except ConnectionFailed:
                self._not_before = clock.deadline_in(PAUSE_AFTER_FAILURE_SECONDS)

    def should_stop(self, _job: Job) -> bool:
        """Whether the daemon drains, the job has been told to stop, or its time is over."""
        words = self._row.words
        deadline = words[Word.DEADLINE_NS]
        is_late = deadline != 0 and clock.monotonic_ns() >= deadline
        return self._is_draining() or is_late or words[Word.INTERRUPT] == words[Word.JOB]
