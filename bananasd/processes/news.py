"""What all children of a daemon may find out, at once or one after the other: it is told once, and then counted.

Not by each of them for itself: there may be many, and each may live for one job.
"""

import zlib
from itertools import count

from .. import clock
from ..repeats import PAUSE_SECONDS, Again
from .row import NEWS_AT

KINDS = 8
FORGOTTEN_SECONDS = 120
"""What has not happened for so long, longer than any pause before a restart, is news again."""

_SECONDS = 0xFFFFFFFF


class News:
    """Words in the header of the board, two for each kind of news.

    Two who write the same word at once may cost a count, or have something told twice, which is no harm.
    """

    def __init__(self, head: memoryview) -> None:
        self._words = head[NEWS_AT : NEWS_AT + 2 * KINDS]

    def note(self, what: str) -> bool:
        """It has happened; whether that is news. If not it is counted, for `due`."""
        now, digest = _now(), _digest(what)
        place = self._find(digest)
        if place is None:
            place = min(range(0, 2 * KINDS, 2), key=lambda each: self._words[each] & _SECONDS)
            self._words[place], self._words[place + 1] = digest << 32 | now, now << 32
            return True
        self._words[place] = digest << 32 | now
        self._words[place + 1] += 1
        return False

    def due(self, what: str, *, at_once: bool = False) -> Again | None:
        """How often it has happened since it was told, if that is to be told by now, or, in the end, at once."""
        place = self._find(_digest(what))
        if place is None:
            return None
        told, times = self._words[place + 1] >> 32, self._words[place + 1] & _SECONDS
        seconds = _now() - told
        if not times or (seconds < PAUSE_SECONDS and not at_once):
            return None
        self._words[place + 1] = _now() << 32
        return Again(times, seconds)

    def forget(self) -> None:
        """From now on everything is news."""
        for place in range(2 * KINDS):
            self._words[place] = 0

    def _find(self, digest: int) -> int | None:
        for place, word in zip(count(0, 2), self._words[::2], strict=False):
            if word >> 32 == digest and _now() - (word & _SECONDS) < FORGOTTEN_SECONDS:
                return place
        return None


def _now() -> int:
    return int(clock.monotonic())


def _digest(what: str) -> int:
    """Of 32 bits; 0 stands for no news."""
    return zlib.crc32(what.encode(errors="replace")) or 1
