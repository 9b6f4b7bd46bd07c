"""The board: a shared-memory table with one row per child, through which master, children and ``status`` see each other."""

import glob
import mmap
import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Self

from .. import clock
from ..errors import DaemonError
from . import procfs
from .row import (
    HAS_ENTERED,
    ID_AT,
    ID_BYTES,
    IS_QUIET,
    LOST_LINE_NS,
    LOST_SINCE_NS,
    PHASE,
    RELOADS_BEGUN,
    ROW_BYTES,
    Row,
)
from .tallies import TALLIES_SUFFIX, Tallies

LAYOUT = 0x62616E616E6102
"""Magic number and version of the layout; a board with another one is not read."""

SUFFIX = ".board"


class Head(IntEnum):
    """Words of the header, of which those of `News` stand behind the host's boot id.

    The master writes them, but for HAS_ENTERED, which is the workers', IS_FIT, the scheduler's, and what all have told.
    """

    LAYOUT = 0
    MASTER_PID = 1
    MASTER_BORN = 2
    SESSION = 3
    ROWS = 4
    PHASE = PHASE
    STARTED_NS = 6
    SLOTS = 7
    IS_QUIET = IS_QUIET
    RELOADS_BEGUN = RELOADS_BEGUN
    RELOADS_ENDED = 10
    IS_RELOADED = 11
    IS_FIT = 13  # the server has been examined, and may be used
    HAS_ENTERED = HAS_ENTERED
    LOST_SINCE_NS = LOST_SINCE_NS  # monotonic: since when the server is lost, 0 unless that has been told
    LOST_LINE_NS = (
        LOST_LINE_NS  # monotonic: when the next line of it is due, or when it was told that it is over
    )
    TURNED_NS = 15  # monotonic; the master's sign of life


class Phase(IntEnum):
    """How far the daemon is with its life."""

    RUNNING = 0
    DRAINING = 1
    LEAVING = 2


class Board:
    """A node's table. Its own daemon writes it; everybody else opens it for reading."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self.node = path.name.removesuffix(SUFFIX)
        self._memory = memory
        self.head = memoryview(memory).cast("Q")
        self.tallies: Tallies | None = None
        """What its children count; None if that is gone, or of another version."""
        self.rows = [Row(memory, self.head, i, path) for i in range(self.head[Head.ROWS])]

    @classmethod
    def create(cls, run_dir: Path, node: str, rows: int) -> Self:
        """A new board for this process as the master."""
        path = run_dir / f"{node}{SUFFIX}"
        try:
            memory = _allocate(path, (rows + 1) * ROW_BYTES)
        except OSError as error:
            raise DaemonError(f"{path}: cannot be written: {error.strerror}") from None
        with memoryview(memory).cast("Q") as head:
            head[Head.MASTER_PID] = os.getpid()
            head[Head.MASTER_BORN] = procfs.born(os.getpid()) or 0
            head[Head.SESSION] = os.getsid(0)
            head[Head.ROWS] = rows
            head[Head.STARTED_NS] = head[Head.TURNED_NS] = clock.monotonic_ns()
            memory[ID_AT : ID_AT + ID_BYTES] = procfs.boot_id().encode()
            head[Head.LAYOUT] = LAYOUT
        board = cls(path, memory)
        board.tallies = board._create_tallies()
        return board

    def _create_tallies(self) -> Tallies:
        try:
            return Tallies.create(self.tallies_path, len(self.rows))
        except DaemonError:
            self.delete()
            raise

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Somebody else's board, for reading; None if it is gone, unfinished, damaged, or of another layout."""
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            return None
        if len(memory) < ROW_BYTES or int.from_bytes(memory[:8], "little") != LAYOUT:
            return None
        rows = int.from_bytes(memory[8 * Head.ROWS : 8 * Head.ROWS + 8], "little")
        if len(memory) < (rows + 1) * ROW_BYTES:
            return None
        board = cls(path, memory)
        board.tallies = Tallies.open(board.tallies_path, rows)
        return board if all(row.is_readable for row in board.used_rows()) else None

    @property
    def phase(self) -> Phase:
        """How far the daemon is with its life."""
        return Phase(self.head[Head.PHASE])

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self.head[Head.PHASE] = phase

    @property
    def is_quiet(self) -> bool:
        """Whether its workers are not to claim."""
        return self.head[Head.IS_QUIET] != 0

    @is_quiet.setter
    def is_quiet(self, is_quiet: bool) -> None:
        self.head[Head.IS_QUIET] = int(is_quiet)

    @property
    def has_entered(self) -> bool:
        """Whether a worker has ever got to the server; if none has, no job can be left behind."""
        return self.head[Head.HAS_ENTERED] != 0

    @property
    def problems_path(self) -> Path:
        """The file that tells why its latest reload was refused."""
        return self.path.with_suffix(".problems")

    @property
    def tallies_path(self) -> Path:
        """The file of what its children count."""
        return self.path.with_suffix(TALLIES_SUFFIX)

    @property
    def addresses_path(self) -> Path:
        """The file of where name servers have said that the server is."""
        return self.path.with_suffix(".addresses")

    def stacks_path(self, generation: int) -> Path:
        """The file for the stacks of a child."""
        return self.path.with_suffix(f".{generation}.stacks")

    @property
    def age_seconds(self) -> float:
        """For how long its daemon has been there."""
        return (clock.monotonic_ns() - self.head[Head.STARTED_NS]) / 1e9

    @property
    def master_pid(self) -> int:
        """The pid of its master."""
        return self.head[Head.MASTER_PID]

    @property
    def is_of_this_boot(self) -> bool:
        """Whether its pids mean anything: they do until the host is booted again."""
        return self._memory[ID_AT : ID_AT + ID_BYTES].decode() == procfs.boot_id()

    @property
    def has_master(self) -> bool:
        """Whether its master is there to be seen: true for sure, but not false for sure.

        Also where the boot id is another's, as in a container that lays its own over it.
        """
        return procfs.born(self.master_pid) == self.head[Head.MASTER_BORN] != 0

    @property
    def is_master_gone(self) -> bool:
        """Whether its master has ended."""
        if self.has_master:
            return False
        return not self.is_of_this_boot or procfs.is_gone(self.master_pid, self.head[Head.MASTER_BORN])

    @property
    def silent_seconds(self) -> float:
        """How long ago its master has last turned its loop."""
        return (clock.monotonic_ns() - self.head[Head.TURNED_NS]) / 1e9

    def show_life(self) -> None:
        """The master's loop has turned."""
        self.head[Head.TURNED_NS] = clock.monotonic_ns()

    def used_rows(self) -> Iterator[Row]:
        """The rows that have a child, dead or alive."""
        return (row for row in self.rows if not row.is_free)

    def free_row(self) -> Row | None:
        """A row for another child."""
        return next((row for row in self.rows if row.is_free), None)

    @property
    def is_deleted(self) -> bool:
        """Whether its file is gone: nothing of this node is left to be recovered."""
        return not self.path.exists()

    def delete(self) -> None:
        """Remove the file and what belongs to it; those who have it mapped keep their view."""
        node = glob.escape(self.node)
        stacks, addresses = (self.path.parent.glob(f"{node}.{each}") for each in ("*.stacks", "addresses*"))
        for path in (*stacks, *addresses, self.tallies_path, self.problems_path, self.path):
            path.unlink(missing_ok=True)


def _allocate(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # Not just a longer file: to write to a page for which the disk has no room would kill the writer.
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, 0)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def boards_in(run_dir: Path) -> list[Path]:
    """The board files of a run_dir."""
    return sorted(run_dir.glob(f"*{SUFFIX}"))
