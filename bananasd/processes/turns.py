"""Turns: in which order a worker's claims look at its lanes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..job import Priority
from ..store.keys import Lane

HIGHEST_FIRST = list(Priority)


@dataclass(frozen=True, slots=True)
class Turns:
    """High before normal before low, but for every ``fairness``-th claim, which begins with low; 0: for all claims.

    ``lanes`` are in the order of priorities.
    """

    lanes: Sequence[Lane]
    fairness: int = 0

    def lanes_after(self, claims: int) -> Sequence[Lane]:
        """The lanes for the next claim, when so many have looked at theirs."""
        is_lows = self.fairness != 0 and (claims + 1) % self.fairness == 0
        return low_first(self.lanes) if is_lows else self.lanes


def low_first(lanes: Sequence[Lane]) -> Sequence[Lane]:
    """The same lanes from low to high; queues of one priority stay in their order."""
    return sorted(lanes, key=lambda lane: HIGHEST_FIRST.index(lane.priority), reverse=True)
