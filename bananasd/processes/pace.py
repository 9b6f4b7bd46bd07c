"""The pace of a node: how many runs of each lane its workers end a second, by what they count anyway."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .tally import LANE, WAIT, series_of

WINDOW_SECONDS = 10.0
"""How long ago what is looked back to was counted, at least; twice that, at most, beside a beat."""
MIN_SECONDS = 1.0
"""Over less a rate is luck."""


class Ended(NamedTuple):
    """How many runs of each lane had ended, ``at`` by the monotonic clock."""

    at: float
    by_lane: Mapping[str, int]


class Pace:
    """Looks at the tallies now and then, and remembers what they said."""

    def __init__(self, tallies: Iterable[memoryview]) -> None:
        self._tallies = tallies
        self._kept: list[Ended] = []

    def per_second(self, now: float) -> dict[str, float]:
        """By lane, since the earlier of two looks that are kept; nothing before a second has passed."""
        ended = Ended(now, ended_by_lane(self._tallies))
        if not self._kept or now - self._kept[-1].at >= WINDOW_SECONDS:
            self._kept = [*self._kept[-1:], ended]
        before = self._kept[0]
        seconds = now - before.at
        if seconds < MIN_SECONDS:
            return {}
        return {
            lane: (number - before.by_lane.get(lane, 0)) / seconds for lane, number in ended.by_lane.items()
        }


def ended_by_lane(tallies: Iterable[memoryview]) -> Counter[str]:
    """How many runs of each lane the workers of a daemon have ended: those of which they have noted how long the job had waited."""
    buckets = slice(WAIT.start, WAIT.start + len(WAIT.bounds) + 1)
    ended: Counter[str] = Counter()
    for words in tallies:
        for kind, name, counts in series_of(words):
            if kind == LANE:
                ended[name] += sum(counts[buckets])
    return ended
