"""A figure beside its yardstick: medians of rounds, and of what each round says of the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .ground import AGAINST, TREE, YARDSTICK, Round


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured. Ratios are above 1 where this tree is better, whichever way better is."""

    name: str
    value: float
    unit: str
    yardstick: str = ""
    yardstick_value: float | None = None
    ratio: float | None = None
    against_value: float | None = None
    against_ratio: float | None = None
    against_range: tuple[float, float] | None = None
    """The least and the greatest of the rounds: how much the median can be trusted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a figure comes from samples: under which key they have it, and what it is measured against."""

    key: str
    name: str
    unit: str
    yardstick: str = ""
    yardstick_key: str = ""
    is_less_better: bool = False

    def figure(self, rounds: Sequence[Round], who: str = TREE) -> Figure:
        """The median of the rounds, and the median of their ratios: of the minute that each round had."""
        mine = _values(rounds, who, self.key)
        others = _values(rounds, AGAINST, self.key)
        yardsticks = _values(rounds, YARDSTICK, self.yardstick_key or self.key) if self.yardstick else []
        ratios = self._ratios(mine, others)
        return Figure(
            self.name, median(mine), self.unit, self.yardstick,
            yardstick_value=_median(yardsticks), ratio=_median(self._ratios(mine, yardsticks)),
            against_value=_median(others), against_ratio=_median(ratios),
            against_range=(min(ratios), max(ratios)) if ratios else None,
        )  # fmt: skip

    def _ratios(self, mine: Sequence[float], others: Sequence[float]) -> list[float]:
        pairs = zip(others, mine, strict=False) if self.is_less_better else zip(mine, others, strict=False)
        return [more / less for more, less in pairs if less]


def _values(rounds: Sequence[Round], who: str, key: str) -> list[float]:
    return [samples[who][key] for samples in rounds if who in samples]


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
