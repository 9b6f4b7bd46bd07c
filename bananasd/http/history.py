"""What happened in each minute of the last hour, from looks at counters that only grow. Pure."""

from collections.abc import Mapping
from typing import Any, Self

MINUTES = 60
MINUTE_MS = 60_000
MAX_GAP_MS = 90_000
"""Of what came to the counters in a longer time nobody can tell to which minute it belongs."""

SERIES: Mapping[str, tuple[str, ...]] = {
    "submitted": ("submitted",),
    "completed": ("completed",),
    "failed": ("retried", "dead"),
}
"""What is shown, and the counters that make it up; ``failed`` are attempts, tried again or not."""


class History:
    """Goes on where an earlier process has left it, see `to_dict`; ``since_ms`` says how old it is."""

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._last: tuple[int, dict[str, int]] | None = None
        self._minutes: dict[int, dict[str, int]] = {}

    def note(self, at_ms: int, counters: Mapping[str, int]) -> None:
        """A look at the counters."""
        totals = {name: sum(counters.get(part, 0) for part in parts) for name, parts in SERIES.items()}
        if self.since_ms is None:
            self.since_ms = at_ms
        minute = self._minutes.setdefault(at_ms // MINUTE_MS, dict.fromkeys(SERIES, 0))
        if self._last is not None and abs(at_ms - self._last[0]) <= MAX_GAP_MS:
            for name, total in totals.items():
                minute[name] += _growth(self._last[1][name], total)
        self._last = (at_ms, totals)
        self._forget(at_ms // MINUTE_MS - MINUTES)

    def minutes(self, now_ms: int) -> dict[str, Any]:
        """The last hour, the present minute last; None stands for minutes in which nobody looked."""
        last = now_ms // MINUTE_MS
        wanted = range(last - MINUTES + 1, last + 1)
        return {
            "since_ms": self.since_ms,
            "last_minute_ms": last * MINUTE_MS,
            **{name: [self._minutes.get(minute, {}).get(name) for minute in wanted] for name in SERIES},
        }

    def to_dict(self) -> dict[str, Any]:
        """All of it, for `from_dict`."""
        return {"since_ms": self.since_ms, "last": self._last, "minutes": list(self._minutes.items())}

    @classmethod
    def from_dict(cls, told: Any) -> Self:
        """One that goes on. Raises KeyError, TypeError, ValueError or OverflowError for what `to_dict` has not made."""
        history = cls()
        history.since_ms = int(told["since_ms"])
        at_ms, totals = told["last"]
        history._last = (int(at_ms), _numbers(totals))
        history._minutes = {int(minute): _numbers(counts) for minute, counts in told["minutes"]}
        return history

    def _forget(self, last: int) -> None:
        for minute in [minute for minute in self._minutes if minute <= last]:
            del self._minutes[minute]


class Rates:
    """How fast counters grow at present, over the last few seconds."""

    def __init__(self, window_ms: int = 10_000) -> None:
        self._window_ms = window_ms
        self._looks: list[tuple[int, dict[str, int]]] = []

    def note(self, at_ms: int, counters: Mapping[str, int]) -> dict[str, float | None]:
        """A look at the counters; returns what came a second, None if it is the first look for a while."""
        totals = {name: sum(counters.get(part, 0) for part in parts) for name, parts in SERIES.items()}
        recent = [look for look in self._looks if at_ms - look[0] <= self._window_ms]
        self._looks = [*recent, (at_ms, totals)]
        then_ms, before = self._looks[0]
        if at_ms <= then_ms:
            return dict.fromkeys(SERIES, None)
        return {
            name: 1000 * _growth(before[name], total) / (at_ms - then_ms) for name, total in totals.items()
        }


def _numbers(told: Any) -> dict[str, int]:
    return {name: int(told[name]) for name in SERIES}


def _growth(before: int, now: int) -> int:
    """How much came; a counter that is lower than it was has begun anew."""
    return now - before if now >= before else now
