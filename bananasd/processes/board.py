"""The board: a shared-memory table with one row per child, through which master, children and ``status`` see each other.

Single words are stored whole (a ``memoryview`` cast to 64-bit words does that); what belongs together is written
under a sequence counter that is odd meanwhile. Each word has one writer.
"""

import mmap
import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, Self

from .. import clock
from . import procfs

LAYOUT = 0x62616E616E6101
"""Magic number and version of the layout; a board with another one is not read."""

ROW_BYTES = 512
SUFFIX = ".board"
ID_AT, ID_BYTES = 256, 36
NAME_AT, NAME_BYTES = 320, 120


class Head(IntEnum):
    """Words of the header, written by the master."""

    LAYOUT = 0
    MASTER_PID = 1
    MASTER_BORN = 2
    SESSION = 3
    ROWS = 4
    PHASE = 5
    STARTED_NS = 6
    SLOTS = 7


class Phase(IntEnum):
    """How far the daemon is with its life."""

    RUNNING = 0
    DRAINING = 1
    LEAVING = 2


class Word(IntEnum):
    """Words of a row. M: written by the master, C: by the child, S: by the scheduler."""

    SEQUENCE = 0  # C: odd while the job's words are being written
    GENERATION = 1  # M: 0 for a free row; numbers the children, never used again
    KIND = 2  # M
    SLOT = 3  # M: number within the kind
    PID = 4  # M
    BORN = 5  # M: start of the process, see procfs.born
    STATE = 6  # C until its death, then M
    TRIP = 7  # C: number of its way to Redis, 0 for none
    ARMED = 8  # C: the job's number while its handler's call runs, else 0
    JOB = 9  # C: the number of the job in this row until its settle was answered, else 0
    STARTED_NS = 10  # C: monotonic
    DEADLINE_NS = 11  # C: monotonic, 0 for none
    LATER = (
        12  # C: 1 + ms until the next attempt, should this one be killed for its time; 0: it has none left
    )
    DONE = 13  # C
    FAILED = 14  # C
    INTERRUPT = 15  # M: number of the job that is to be interrupted
    REASON = 16  # M: why
    LOST = 17  # S: number of the job whose holder is no longer admitted
    CAUSE = 18  # M: for what the master killed it
    CAUSE_JOB = 19  # M: the job's number at that moment
    EXIT = 20  # M: its wait status
    RECOVERED = 21  # S: the generation whose jobs have been recovered
    TICK_NS = 22  # C: monotonic; the scheduler's sign of life
    SPAWNED_NS = 23  # M: monotonic
    RESTARTS = 24  # M: how often its slot had been restarted before


class Kind(IntEnum):
    """What a child is."""

    WORKER = 1
    SCHEDULER = 2
    REDIS = 3


class State(IntEnum):
    """How far a child is with its life. LEFT: it has settled everything and ends on purpose."""

    FREE = 0
    STARTING = 1
    UP = 2
    DRAINING = 3
    LEFT = 4
    DEAD = 5


class Reason(IntEnum):
    """Why a job is interrupted."""

    TIMEOUT = 1
    DRAIN = 2
    LEASE_LOST = 3


class Cause(IntEnum):
    """Why the master killed a child. NONE: it did not, the child ended by itself."""

    NONE = 0
    TIME = 1
    STOP = 2
    LEASE_LOST = 3
    STUCK = 4


class JobView(NamedTuple):
    """The job in a row, as it was at one moment."""

    number: int
    job_id: str
    name: str
    started_ns: int
    deadline_ns: int
    later: int


class Row:
    """One child's row."""

    __slots__ = ("_memory", "_start", "words")

    def __init__(self, memory: mmap.mmap, words: memoryview, index: int) -> None:
        self._memory = memory
        self._start = (index + 1) * ROW_BYTES
        first = self._start // 8
        self.words = words[first : first + ROW_BYTES // 8]

    @property
    def generation(self) -> int:
        """The child's number, 0 for a free row."""
        return self.words[Word.GENERATION]

    @property
    def kind(self) -> Kind:
        """What the child is."""
        return Kind(self.words[Word.KIND])

    @property
    def state(self) -> State:
        """How far it is with its life."""
        return State(self.words[Word.STATE])

    @state.setter
    def state(self, state: State) -> None:
        self.words[Word.STATE] = state

    @property
    def is_free(self) -> bool:
        """Whether another child may have this row."""
        return self.words[Word.GENERATION] == 0

    @property
    def is_living(self) -> bool:
        """Whether its child has not been reaped."""
        return self.words[Word.GENERATION] != 0 and self.words[Word.STATE] != State.DEAD

    @property
    def slot_name(self) -> str:
        """The slot in words: ``worker 3``."""
        name = self.kind.name.lower()
        return f"{name} {self.words[Word.SLOT]}" if self.kind is Kind.WORKER else name

    @property
    def is_recovered(self) -> bool:
        """Whether its child is dead and nothing that it held is left."""
        return self.state is State.DEAD and self.words[Word.RECOVERED] == self.words[Word.GENERATION]

    def begin_job(self, view: JobView) -> None:
        """Write down which job is about to run."""
        words, memory, start = self.words, self._memory, self._start
        words[0] += 1
        words[9], _, _, words[10], words[11], words[12] = view
        memory[start + ID_AT : start + ID_AT + ID_BYTES] = view.job_id.encode()
        encoded = view.name.encode()[:NAME_BYTES]
        memory[start + NAME_AT : start + NAME_AT + 1 + len(encoded)] = bytes((len(encoded),)) + encoded
        words[0] += 1

    def job(self) -> JobView | None:
        """The job in the row; None if there is none, or it is being written just now."""
        words, memory, start = self.words, self._memory, self._start
        before = words[Word.SEQUENCE]
        length = memory[start + NAME_AT]
        view = JobView(
            words[Word.JOB],
            memory[start + ID_AT : start + ID_AT + ID_BYTES].decode("ascii", "replace"),
            memory[start + NAME_AT + 1 : start + NAME_AT + 1 + length].decode("utf-8", "ignore"),
            words[Word.STARTED_NS],
            words[Word.DEADLINE_NS],
            words[Word.LATER],
        )
        is_whole = before % 2 == 0 and words[Word.SEQUENCE] == before
        return view if is_whole and view.number else None

    def holder(self, node: str) -> str:
        """The holder's name of this child on its present trip."""
        return f"{node}/{self.words[Word.GENERATION]}.{self.words[Word.TRIP]}"

    def clear(self) -> None:
        """Make the row free. What it is called stays: somebody may just be reading it."""
        self.words[Word.GENERATION] = 0
        for i in range(len(self.words)):
            if i not in (Word.KIND, Word.SLOT):
                self.words[i] = 0


class Board:
    """A node's table. Its own daemon writes it; everybody else opens it for reading."""

    def __init__(self, path: Path, memory: mmap.mmap) -> None:
        self.path = path
        self.node = path.name.removesuffix(SUFFIX)
        self._memory = memory
        self.head = memoryview(memory).cast("Q")
        self.rows = [Row(memory, self.head, i) for i in range(self.head[Head.ROWS])]

    @classmethod
    def create(cls, run_dir: Path, node: str, rows: int, slots: int = 0) -> Self:
        """A new board for this process as the master of so many slots."""
        path = run_dir / f"{node}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Not just a longer file: to write to a page for which the disk has no room would kill the writer.
            os.posix_fallocate(descriptor, 0, (rows + 1) * ROW_BYTES)
            memory = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        with memoryview(memory).cast("Q") as head:
            head[Head.MASTER_PID] = os.getpid()
            head[Head.MASTER_BORN] = procfs.born(os.getpid()) or 0
            head[Head.SESSION] = os.getsid(0)
            head[Head.ROWS] = rows
            head[Head.SLOTS] = slots
            head[Head.STARTED_NS] = clock.monotonic_ns()
            memory[ID_AT : ID_AT + ID_BYTES] = procfs.boot_id().encode()
            head[Head.LAYOUT] = LAYOUT
        return cls(path, memory)

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Somebody else's board, for reading; None if it is gone, unfinished, or of another layout."""
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            return None
        with memoryview(memory).cast("B") as raw:
            is_ours = len(raw) >= ROW_BYTES and int.from_bytes(raw[:8], "little") == LAYOUT
        return cls(path, memory) if is_ours else None

    @property
    def phase(self) -> Phase:
        """How far the daemon is with its life."""
        return Phase(self.head[Head.PHASE])

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self.head[Head.PHASE] = phase

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
    def is_master_gone(self) -> bool:
        """Whether its master has ended."""
        return not self.is_of_this_boot or procfs.is_gone(self.master_pid, self.head[Head.MASTER_BORN])

    def used_rows(self) -> Iterator[Row]:
        """The rows that have a child, dead or alive."""
        return (row for row in self.rows if not row.is_free)

    def free_row(self) -> Row | None:
        """A row for another child."""
        return next((row for row in self.rows if row.is_free), None)

    def delete(self) -> None:
        """Remove the file; those who have it mapped keep their view."""
        self.path.unlink(missing_ok=True)


def boards_in(run_dir: Path) -> list[Path]:
    """The board files of a run_dir."""
    return sorted(run_dir.glob(f"*{SUFFIX}"))
