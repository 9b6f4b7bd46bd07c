"""The tallies of a node: a file beside the board with one for the master and one for each row."""

import logging
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from ..errors import DaemonError
from .row import Cause, JobView, Row, State, Word
from .tally import (
    DRAIN,
    ENDS_AT,
    ENDS_PER_KIND,
    HANDLER,
    LEFT,
    LOST_AT,
    PAGE_WORDS,
    TALLY_WORDS,
    Figure,
    Tally,
    label_of,
    series_of,
    words_for,
)

TALLIES_SUFFIX = ".counts"

logger = logging.getLogger(__name__)


class Tallies:
    """Mapped by the master before it forks, and so by all its children.

    The file is as long as it may ever become, but has holes: to touch one could kill whoever does, where the disk is full.
    How much of each tally is there stands in a directory in front of them, a word for each.
    """

    def __init__(self, path: Path, memory: mmap.mmap, rows: int) -> None:
        self._path = path
        self._words = memoryview(memory).cast("Q")
        self._rows = rows
        self._first = _directory_words(rows)

    @classmethod
    def create(cls, path: Path, rows: int) -> Self:
        """The tallies of a new board; there is room for the master's."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                directory = _directory_words(rows)
                os.ftruncate(descriptor, 8 * (directory + (rows + 1) * TALLY_WORDS))
                os.posix_fallocate(descriptor, 0, 8 * (directory + PAGE_WORDS))
                tallies = cls(path, mmap.mmap(descriptor, 0), rows)
            finally:
                os.close(descriptor)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise DaemonError(f"{path}: cannot be written: {error.strerror}") from None
        tallies._words[0] = PAGE_WORDS
        return tallies

    @classmethod
    def open(cls, path: Path, rows: int) -> Self | None:
        """Somebody else's, for reading; None if they are gone or not whole."""
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            return None
        is_whole = len(memory) == 8 * (_directory_words(rows) + (rows + 1) * TALLY_WORDS)
        return cls(path, memory, rows) if is_whole else None

    @property
    def of_master(self) -> Tally:
        """The master's own."""
        return Tally(self._tally(0))

    def of_row(self, row: Row, more: int = 0) -> Tally:
        """That of the child of a row, with room for so many series more; where the disk has none, one that nobody reads."""
        number = row.index + 1
        series = self._words[number] and self._tally(number)[Figure.SERIES]
        words = max(self._words[number], words_for(series + more) if more else PAGE_WORDS)
        try:
            self._allocate(8 * (self._first + number * TALLY_WORDS), 8 * words)
        except OSError as error:
            logger.warning("counts not kept: %s: %s", self._path, error.strerror)
            return Tally.of_nobody(more)
        self._words[number] = words
        return Tally(self._tally(number))

    def _allocate(self, at: int, size: int) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, at, size)
        finally:
            os.close(descriptor)

    def _tally(self, number: int) -> memoryview:
        start = self._first + number * TALLY_WORDS
        return self._words[start : start + self._words[number]]

    def __iter__(self) -> Iterator[memoryview]:
        """The words of each tally that there is, the master's first."""
        return (self._tally(number) for number in range(self._rows + 1) if self._words[number])

    # What the master counts

    def note_drain(self, since_ns: int) -> None:
        """The daemon has begun to drain, by the monotonic clock."""
        self._words[self._first + Figure.DRAINING_NS] = since_ns

    def note_left(self, seconds: float) -> None:
        """A worker has ended so long after it had been asked to."""
        self.of_master.histogram(DRAIN).note(int(seconds * 1e9))

    def note_end(self, row: Row) -> None:
        """A child has died; its row still says how."""
        cause = row.words[Word.CAUSE]
        if cause == Cause.NONE and row.state is State.LEFT:
            cause = LEFT
        self._words[self._first + ENDS_AT + row.kind * ENDS_PER_KIND + cause] += 1
        job = row.job()
        if job is not None and job.number != row.words[Word.ENDED]:
            self._note_lost(row, job)

    def _note_lost(self, row: Row, job: JobView) -> None:
        label = label_of(HANDLER, job.name)
        for kind, name, words in series_of(self._tally(row.index + 1)):
            if label_of(kind, name) == label:
                words[LOST_AT] += 1


def _directory_words(rows: int) -> int:
    """A word for each tally, in whole pages."""
    return -(-(rows + 1) // PAGE_WORDS) * PAGE_WORDS
