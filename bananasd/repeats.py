"""What happens again and again is told once, and then counted."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from . import clock

PAUSE_SECONDS = 30.0
"""How long nothing is told of what has just been told, however often it happens."""

MAX_KINDS = 1000

Kind = TypeVar("Kind", bound=Hashable)


class Again(NamedTuple):
    """How often something has happened since it was last told, and how long ago that was."""

    times: int
    seconds: float


@dataclass(slots=True)
class _Told:
    since: float
    untold: int = 0


class Repeats(Generic[Kind]):
    """Knows what has been told, by kind."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._pause_seconds = pause_seconds
        self._told: dict[Kind, _Told] = {}

    def note(self, kind: Kind) -> bool:
        """It has happened: whether to tell it now, in full. If not it is counted, for `due`."""
        now = clock.monotonic()
        told = self._told.get(kind)
        if told is not None and (told.untold or now - told.since < self._pause_seconds):
            told.untold += 1
            return False
        if len(self._told) >= MAX_KINDS:  # nobody shall fill the memory with kinds
            self._told.clear()
        self._told[kind] = _Told(now)
        return True

    def due(self, *, at_once: bool = False) -> Iterator[tuple[Kind, Again]]:
        """What has happened again and is to be told by now, or, in the end, at once."""
        now = clock.monotonic()
        for kind, told in list(self._told.items()):
            seconds = now - told.since
            if told.untold and (at_once or seconds >= self._pause_seconds):
                yield kind, Again(told.untold, seconds)
                told.since, told.untold = now, 0
