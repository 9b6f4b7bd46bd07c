"""What all children of a daemon may find out, at once or one after the other: it is told once, and then counted.

Not by each of them for itself: there may be many, and each may live for one job.
"""

import zlib

from .. import clock
from ..repeats import PAUSE_SECONDS, Again
from .row import NEWS_AT, RELOADS_BEGUN

KINDS = 11
FORGOTTEN_SECONDS = 120
"""What has not happened for so long, longer than any pause before a restart, is news again."""

_OTHERS = 2 * KINDS
_SECONDS = 0xFFFFFFFF


class News:
    """Words in the header of the board, two for each kind of news, and two for all kinds for which there is no room.

    Two who write the same word at once may cost a count, or have something told twice, which is no harm.
    """

    def __init__(self, head: memoryview) -> None:
        self._words = head[NEWS_AT : NEWS_AT + _OTHERS + 2]
        # What this child says after a reload is news, whatever those before it have said, and still say.
        self._reload = head[RELOADS_BEGUN]

    def note(self, what: str) -> bool:
        """It has happened; whether that is news. If not it is counted, for `due`."""
        now, digest = _now(), self._digest(what)
        place = self._find(digest)
        if place is None and (place := self._room()) is None:
            self._count_among_others(now)
            return False
        is_known = self._words[place] >> 32 == digest
        is_news = not is_known or self._is_over(place)
        untold = self._untold(place) if is_known else 0
        self._words[place] = digest << 32 | now
        self._words[place + 1] = now << 32 | untold if is_news else self._words[place + 1] + 1
        return is_news

    def _count_among_others(self, now: int) -> None:
        self._words[_OTHERS + 1] = self._words[_OTHERS + 1] + 1 if self._untold(_OTHERS) else now << 32 | 1

    def due(self, what: str, *, at_once: bool = False) -> Again | None:
        """How often it has happened since it was told, if that is to be told by now, or, in the end, at once."""
        place = self._find(self._digest(what))
        return None if place is None else self._due(place, at_once)

    def due_of_others(self, *, at_once: bool = False) -> Again | None:
        """The same of what was never told, for there was no room."""
        return self._due(_OTHERS, at_once)

    def _due(self, place: int, at_once: bool) -> Again | None:
        now, times = _now(), self._untold(place)
        seconds = now - (self._words[place + 1] >> 32)
        if not times or (seconds < PAUSE_SECONDS and not at_once):
            return None
        self._words[place + 1] = now << 32
        return Again(times, seconds)

    def _untold(self, place: int) -> int:
        return self._words[place + 1] & _SECONDS

    def _find(self, digest: int) -> int | None:
        return next((each for each in range(0, _OTHERS, 2) if self._words[each] >> 32 == digest), None)

    def _is_over(self, place: int) -> bool:
        return _now() - (self._words[place] & _SECONDS) >= FORGOTTEN_SECONDS

    def _room(self) -> int | None:
        """The place for one more kind, if there is one: none that still happens has to go for it."""
        return next((each for each in range(0, _OTHERS, 2) if self._is_over(each)), None)

    def _digest(self, what: str) -> int:
        """Of 32 bits; 0 stands for no news."""
        return zlib.crc32(f"{self._reload} {what}".encode(errors="replace")) or 1


def _now() -> int:
    return int(clock.monotonic())
