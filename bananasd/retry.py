"""How long a failed job waits before its next attempt, and whether there is one."""

from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Pauses that grow: ``base_seconds``, then ``factor`` times the one before, at most ``cap_seconds``, which must not be below the first.

    ``jitter`` 0.25 shortens or lengthens each delay by up to a quarter, so that jobs that failed together do
    not come back together.
    """

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
        return delay * (1 + self.jitter * (2 * random() - 1)) if self.jitter else delay

    def to_wire(self) -> dict[str, float]:
        """As it stands in a spec."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Delays:
    """Pauses one by one, in ``seconds``; the last one repeats."""

    seconds: tuple[float, ...]

    def delay_seconds(self, attempts: int, _random: Callable[[], float]) -> float:
        """Seconds to wait after the ``attempts``-th failed attempt (1 for the first)."""
        return self.seconds[min(attempts, len(self.seconds)) - 1]

    def to_wire(self) -> list[float]:
        """As it stands in a spec."""
        return list(self.seconds)


Pauses = Retry | Delays


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What a job, its handler or the configuration says of retries; None leaves it to the next of these.

    ``max_retries`` is the number of tries after the first, ``pauses`` how far they are apart. A list of delays stands for its
    length, if no number stands beside it.
    """

    max_retries: int | None = None
    pauses: Pauses | None = None

    @property
    def limit(self) -> int | None:
        """Tries after the first."""
        if self.max_retries is None and isinstance(self.pauses, Delays):
            return len(self.pauses.seconds)
        return self.max_retries

    def over(self, other: "RetryPolicy") -> "RetryPolicy":
        """This one where it says something, ``other`` where it does not."""
        return RetryPolicy(
            other.limit if self.limit is None else self.limit,
            other.pauses if self.pauses is None else self.pauses,
        )

    def delay_seconds(self, attempts: int, random: Callable[[], float]) -> float | None:
        """Seconds to wait after the ``attempts``-th failed attempt (1 for the first); None: it was the last.

        Without a word on how many there are, or how far apart, each is the last.
        """
        limit, pauses = self.limit, self.pauses
        if limit is None or pauses is None or attempts > limit:
            return None
        return pauses.delay_seconds(attempts, random)


OPEN = RetryPolicy()
"""Says nothing."""
