"""The outcomes that the server has not acknowledged yet; either thread of a worker may send them."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..store.outcomes import Outcome

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Unsettled:
    """One list. Adding is for whoever has an outcome; sending is for one at a time."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._sending = threading.Lock()

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        """Remember it until it is acknowledged."""
        self._outcomes.append(outcome)

    def send(self, trip: Callable[[list[Outcome]], T]) -> T:
        """Call ``trip`` with all outcomes there are; when it returns they are settled, when it raises they stay."""
        with self._sending:
            outcomes = self._outcomes[:]
            answer = trip(outcomes)
            del self._outcomes[: len(outcomes)]
        return answer


def warn_of_refused(job_ids: Iterable[str]) -> None:
    """What the server would not take: these outcomes are dropped."""
    for job_id in job_ids:
        logger.warning("outcome refused id=%s: it was settled before, or this run has lost the job", job_id)
