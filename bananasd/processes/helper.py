"""The helper thread of a worker: when a job of a batch turns out long, nobody shall wait behind it.

It puts back what has not started, and sends the outcomes of what has ended. It only releases and settles.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable

from .. import clock
from ..errors import ConnectionFailed
from ..store.outcomes import Outcome, Released
from ..store.store import Claimed, Store
from .batch import BATCH_SECONDS
from .unsettled import Unsettled

LOOK_SECONDS = 0.005
REST_AFTER_SECONDS = 1.0
PAUSE_AFTER_FAILURE_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Helper:
    """Shares the deque of unstarted jobs with the main loop: whoever pops a job owns it."""

    def __init__(
        self, unstarted: deque[Claimed], unsettled: Unsettled, make_store: Callable[[], Store]
    ) -> None:
        self._unstarted = unstarted
        self._unsettled = unsettled
        self._make_store = make_store
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._is_needed = threading.Event()
        self._last_batch = 0.0
        self._job_since = 0.0
        self._holder = ""

    def note_batch(self, holder: str) -> None:
        """A batch of more than one job begins: look after it."""
        self._holder = holder
        self._last_batch = self._job_since = clock.monotonic()
        if not self._is_needed.is_set():
            self._is_needed.set()
            self._start()

    def note_job(self, now: float) -> None:
        """The next job of the batch begins."""
        self._job_since = now

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="helper", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._is_needed.wait()
            clock.sleep(LOOK_SECONDS)
            if self._unstarted and clock.monotonic() - self._job_since > BATCH_SECONDS:
                self._relieve()
            self._rest_if_idle()

    def _relieve(self) -> None:
        """Put back what waits behind a long job, and report what ended before it."""
        released = [Released(self._holder, claimed.job_id, claimed.run) for claimed in self._take_all()]
        for outcome in released:
            self._unsettled.add(outcome)
        if released:
            logger.debug("batch cut short released=%d", len(released))
        while len(self._unsettled):
            try:
                self._unsettled.send(self._settle)
            except ConnectionFailed:
                clock.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    def _take_all(self) -> list[Claimed]:
        taken = []
        while self._unstarted:
            try:
                taken.append(self._unstarted.popleft())
            except IndexError:
                break
        return taken

    def _settle(self, outcomes: list[Outcome]) -> list[str]:
        self._store = self._store or self._make_store()
        return self._store.settle(outcomes)

    def _rest_if_idle(self) -> None:
        if clock.monotonic() - self._last_batch < REST_AFTER_SECONDS:
            return
        self._is_needed.clear()
        # A batch may have begun between the look and the line above.
        if clock.monotonic() - self._last_batch < REST_AFTER_SECONDS:
            self._is_needed.set()
