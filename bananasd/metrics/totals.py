"""What the children of a node have counted, all together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..processes.tallies import Tallies
from ..processes.tally import PAGE_WORDS, Scale, series_of

Buckets = list[tuple[str, float]]


class Times(NamedTuple):
    """A histogram as Prometheus has it: how many took up to each bound, in seconds, and the sum of all."""

    buckets: Buckets
    seconds: float


def times(words: Sequence[int], scale: Scale) -> Times:
    """That at its place among these words."""
    *counts, total = words[scale.start : scale.start + scale.words]
    bounds = [f"{bound / scale.per_second:g}" for bound in scale.bounds]
    buckets: Buckets = []
    number = 0
    for bound, count in zip([*bounds, "+Inf"], counts, strict=True):
        number += count
        buckets.append((bound, float(number)))
    return Times(buckets, total / scale.per_second)


class Totals:
    """Sums over all tallies: the words of their first pages, and those of each series by its kind and name."""

    def __init__(self, tallies: Tallies | None) -> None:
        self.page = [0] * PAGE_WORDS
        self._series: dict[tuple[bytes, str], list[int]] = {}
        for words in tallies or ():
            self.page = _sum(self.page, words[:PAGE_WORDS])
            for kind, name, counts in series_of(words):
                before = self._series.get((kind, name))
                self._series[kind, name] = _sum(before, counts) if before else list(counts)

    def series(self, wanted: bytes) -> list[tuple[str, list[int]]]:
        """Those of a kind, by name."""
        return sorted((name, words) for (kind, name), words in self._series.items() if kind == wanted)


def _sum(these: Iterable[int], those: Iterable[int]) -> list[int]:
    return [one + other for one, other in zip(these, those, strict=True)]
