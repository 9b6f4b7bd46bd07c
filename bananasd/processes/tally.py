"""A tally: what the children of one row have done since the daemon began, in words that only grow.

A child goes on counting where the one before it in its row has ended, so nothing has to be carried over at a death, and
no reader ever sees less than before. Each word has one writer at a time, and is stored whole.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

PAGE_WORDS = 512
SERIES_WORDS, LABEL_WORDS = 64, 16
NAME_BYTES = 120
MAX_SERIES = 504
TALLY_WORDS = PAGE_WORDS + MAX_SERIES * SERIES_WORDS
"""A quarter of a megabyte, of which only what is used takes room."""

HANDLER, LANE, KINDS = b"h", b"l", 2
OTHERS = "(others)"
"""Counts for all handlers, or lanes, for which no series is left."""


class Figure(IntEnum):
    """Words of a tally's first page that count one thing each. Two threads of a worker have a word each for the same."""

    SERIES = 0  # how many there are
    REDIS_ERRORS = 1
    REDIS_ERRORS_OF_HELPER = 2
    REFUSED = 3
    REFUSED_BY_HELPER = 4
    REQUEUED = 5  # by recoveries, as the next three
    RETRIED = 6
    DEAD = 7
    CANCELLED = 8
    DRAINING_NS = 9  # monotonic, the master's: since when the daemon drains, 0 if it does not


class Scale(NamedTuple):
    """A histogram's place, the upper bounds of its buckets, and how many of its units make a second."""

    start: int
    bounds: tuple[int, ...]
    per_second: int

    @property
    def words(self) -> int:
        """How many words it takes: a bucket for each bound, one for what is above them all, and the sum."""
        return len(self.bounds) + 2


_JOB_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
_JOB_NS = tuple(ms * 1_000_000 for ms in _JOB_MS)
_TRIP_NS = tuple(us * 1000 for us in (100, 200, 500, *(ms * 1000 for ms in _JOB_MS[:12])))

LAG = Scale(32, _JOB_MS, 1000)
TRIP = Scale(64, _TRIP_NS, 1_000_000_000)
DRAIN = Scale(96, _JOB_NS, 1_000_000_000)
ENDS_AT, ENDS_PER_KIND = 128, 16
"""How children ended: a word for each kind and cause. Causes from the board's, `LEFT` in addition."""
LEFT = 15

WAIT = Scale(0, _JOB_MS, 1000)
COMPLETED = Scale(0, _JOB_NS, 1_000_000_000)
FAILED = Scale(COMPLETED.words, _JOB_NS, 1_000_000_000)
OUTCOMES_AT = FAILED.start + FAILED.words
OUTCOMES = ("retried", "dead", "released", "lost")
"""Words of a handler's series, behind its histograms; then one for each `Reason` of an interrupt."""
INTERRUPTS_AT = OUTCOMES_AT + len(OUTCOMES)
LOST_AT = OUTCOMES_AT + OUTCOMES.index("lost")


class Histogram:
    """How often a time fell between which bounds, and the sum of all."""

    __slots__ = ("_bounds", "_sum", "_words")

    def __init__(self, words: memoryview, scale: Scale) -> None:
        self._words = words[scale.start : scale.start + scale.words]
        self._bounds = scale.bounds
        self._sum = scale.words - 1

    def note(self, value: int) -> None:
        """One more, in the units of its scale."""
        self.add(value, 1, value)

    def note_all(self, values: Sequence[int]) -> None:
        """All of these: where they are many each is small."""
        most = max(values)
        if most <= self._bounds[0]:
            self.add(most, len(values), sum(values))
        else:
            for value in values:
                self.add(value, 1, value)

    def is_one_bucket(self, least: int, most: int) -> bool:
        """Whether both fall into the same, and so all between them."""
        return most <= self._bounds[bisect_left(self._bounds, least, 0, len(self._bounds) - 1)]

    def add(self, value: int, number: int, total: int) -> None:
        """So many more as this one, with this sum."""
        self._words[bisect_left(self._bounds, value)] += number
        self._words[self._sum] += total


class Tally:
    """The words of one row's children. A handler's series and a lane's are found by their names, or added."""

    def __init__(self, words: memoryview) -> None:
        self.words = words
        self._labels = [bytes(words[at : at + LABEL_WORDS]) for at in _starts(words[Figure.SERIES])]

    @classmethod
    def of_nobody(cls, series: int = 0) -> "Tally":
        """One that nobody reads, with room for so many."""
        return cls(memoryview(bytearray(8 * words_for(series))).cast("Q"))

    def add(self, figure: Figure, number: int = 1) -> None:
        """Count."""
        self.words[figure] += number

    def histogram(self, scale: Scale) -> Histogram:
        """One of the first page's."""
        return Histogram(self.words, scale)

    def handler(self, name: str) -> memoryview:
        """The words of a handler."""
        return self._series(HANDLER, name)

    def lane(self, name: str) -> memoryview:
        """The words of a lane."""
        return self._series(LANE, name)

    def _series(self, kind: bytes, name: str) -> memoryview:
        label = label_of(kind, name)
        if label not in self._labels and len(self._labels) >= self._most - KINDS:
            label = label_of(kind, OTHERS)
        if label not in self._labels:
            self._add(label)
        start = _starts(self._most)[self._labels.index(label)]
        return self.words[start + LABEL_WORDS : start + SERIES_WORDS]

    @property
    def _most(self) -> int:
        return (len(self.words) - PAGE_WORDS) // SERIES_WORDS

    def _add(self, label: bytes) -> None:
        # The name first: whoever sees the number finds a name.
        start = _starts(self._most)[len(self._labels)]
        self.words[start : start + LABEL_WORDS] = memoryview(label).cast("Q")
        self._labels.append(label)
        self.words[Figure.SERIES] = len(self._labels)


def words_for(series: int) -> int:
    """How many words a tally of so many has; those for `OTHERS` come on top."""
    return PAGE_WORDS + min(MAX_SERIES, series + KINDS) * SERIES_WORDS


def _starts(series: int) -> range:
    return range(PAGE_WORDS, PAGE_WORDS + series * SERIES_WORDS, SERIES_WORDS)


def label_of(kind: bytes, name: str) -> bytes:
    """A series' name as it is kept: long ones are cut."""
    return (kind + name.encode()[:NAME_BYTES]).ljust(8 * LABEL_WORDS, b"\0")


def series_of(words: memoryview) -> Iterator[tuple[bytes, str, memoryview]]:
    """`HANDLER` or `LANE`, the name, and the words of each series of a tally; one for which the disk had no room has none."""
    if not words:
        return
    room = (len(words) - PAGE_WORDS) // SERIES_WORDS
    for start in _starts(min(words[Figure.SERIES], room)):
        label = bytes(words[start : start + LABEL_WORDS]).rstrip(b"\0")
        yield (
            label[:1],
            label[1:].decode("utf-8", "ignore"),
            words[start + LABEL_WORDS : start + SERIES_WORDS],
        )
