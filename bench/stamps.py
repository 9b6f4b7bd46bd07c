"""The file in which every run of a job notes when it was: lines that handlers append, one write each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STAMP_BYTES = 20
"""A line of a no-op: 19 digits, nanoseconds of the monotonic clock, which all processes share."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What a job that takes time noted; nanoseconds."""

    kind: str
    sent: int
    began: int
    ended: int

    @property
    def waited_ms(self) -> float:
        """From the call that submitted it to the first line of its handler."""
        return (self.began - self.sent) / 1e6


def count(path: Path) -> int:
    """How many no-ops have run."""
    return path.stat().st_size // STAMP_BYTES if path.exists() else 0


def count_timed(path: Path) -> int:
    """How many jobs that take time have run."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def read(path: Path) -> list[int]:
    """When each no-op ran, in order."""
    return sorted(map(int, path.read_bytes().split()))


def read_timed(path: Path) -> list[Timed]:
    """All lines of jobs that take time, in the order of their ends."""
    lines = (line.split() for line in path.read_text().splitlines())
    return [Timed(kind, int(sent), int(began), int(ended)) for kind, sent, began, ended in lines]


def rate(times: Sequence[int]) -> float:
    """How many a second, from the first to the last."""
    return (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
