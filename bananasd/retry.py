"""How long a failed job waits before its next attempt."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_retries`` tries after the first, ``base_seconds * factor**n`` apart, at most ``cap_seconds``.

    ``jitter`` 0.25 shortens or lengthens each delay by up to a quarter, so that jobs that failed together do
    not come back together.
    """

    max_retries: int = 5
    base_seconds: float = 2.0
    factor: float = 2.0
    cap_seconds: float = 3600.0
    jitter: float = 0.0

    def delay_seconds(self, attempts: int, random: Callable[[], float]) -> float:
        """Seconds to wait after the ``attempts``-th failed attempt (1 for the first).

        ``random`` returns a number in [0, 1), as ``random.random`` does.
        """
        try:
            delay = min(self.base_seconds * self.factor ** (attempts - 1), self.cap_seconds)
        except OverflowError:
            delay = self.cap_seconds
        return delay * (1 + self.jitter * (2 * random() - 1))
