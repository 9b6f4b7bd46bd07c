"""The helper thread of a worker: when a job of a batch turns out long, nobody shall wait behind it.

It puts back what has not started, and sends the outcomes of what has ended. It only releases and settles.
"""

import logging
import math
import random
import threading
from collections import deque
from collections.abc import Callable

from .. import clock
from ..errors import ConnectionFailed
from ..store.claims import Claimed
from ..store.outcomes import Outcome, Released
from ..store.store import Store
from .batch import BATCH_SECONDS
from .tally import Figure, Tally
from .unsettled import Unsettled, warn_of_refused

LOOK_SECONDS = 0.005
REST_AFTER_SECONDS = 1.0
PAUSE_AFTER_FAILURE_SECONDS = 1.0

logger = logging.getLogger(__name__)

Unstarted = deque[tuple[str, Claimed]]
"""Jobs that have been claimed and not begun, each with its holder. Whoever pops one owns it."""


class Helper:
    """Shares the deque of unstarted jobs with the main loop."""

    def __init__(
        self, unstarted: Unstarted, unsettled: Unsettled, make_store: Callable[[], Store], tally: Tally
    ) -> None:
        self._unstarted = unstarted
        self._unsettled = unsettled
        self._make_store = make_store
        self._tally = tally
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._is_needed = threading.Event()
        self._last_batch = 0.0
        self._job_since = math.inf

    def note_batch(self) -> None:
        """A batch of more than one job begins: look after it."""
        self._last_batch = clock.monotonic()
        if not self._is_needed.is_set():
            self._is_needed.set()
            self._start()

    def note_job(self, now: float) -> None:
        """The next job begins."""
        self._job_since = now

    def note_hooks(self, now: float) -> None:
        """The hooks that follow a job begin. If they take their time, its outcome is not to wait for them."""
        self.note_job(now)
        self.note_batch()

    def note_idle(self) -> None:
        """No job runs any more: the main loop sees to the rest itself."""
        self._job_since = math.inf

    def _start(self) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name="helper", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # Too many of them on this host: a batch may have to wait, but it can run.
            logger.warning("helper not started: %s", error)
            self._is_needed.clear()
        else:
            self._thread = thread

    def _run(self) -> None:
        while True:
            self._is_needed.wait()
            clock.sleep(LOOK_SECONDS)
            if self._is_job_long():
                self._relieve()
            self._rest_if_idle()

    def _is_job_long(self) -> bool:
        return clock.monotonic() - self._job_since > BATCH_SECONDS

    def _relieve(self) -> None:
        """Put back what waits behind a long job, and report what ended before it."""
        released = [Released(holder, claimed.job_id, claimed.run) for holder, claimed in self._take_all()]
        for outcome in released:
            self._unsettled.add(outcome)
        if released:
            logger.debug("batch cut short released=%d", len(released))
        while len(self._unsettled) and self._is_job_long():
            try:
                refused = self._unsettled.send(self._settle)
                self._tally.add(Figure.REFUSED_BY_HELPER, len(refused))
                warn_of_refused(refused)
            except ConnectionFailed:
                self._tally.add(Figure.REDIS_ERRORS_OF_HELPER)
                clock.sleep(random.uniform(0.8, 1.2) * PAUSE_AFTER_FAILURE_SECONDS)  # noqa: S311 - spreads tries

    def _take_all(self) -> list[tuple[str, Claimed]]:
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
