"""A row of the board: one child as master, scheduler and ``status`` see it, and what is written where.

Single words are stored whole (a ``memoryview`` cast to 64-bit words does that); what belongs together is written
under a sequence counter that is odd meanwhile. Each word has one writer at a time.
"""

import mmap
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

ROW_BYTES = 512
ID_AT, ID_BYTES = 256, 36
NAME_AT, NAME_BYTES = 320, 111
"""A byte for its length stands before the name."""
POOL_AT, POOL_BYTES = 448, 64

PHASE, IS_QUIET, RELOADS_BEGUN, HAS_ENTERED, LOST_SINCE_NS, LOST_LINE_NS, NEWS_AT = 5, 8, 9, 14, 20, 21, 40
"""The words of the board's header that children look at, or write; the last are the first of several, see `News`."""


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
    LATER = 12  # C: 1 + ms until the next attempt, if this one is killed for its time; 0: it was the last
    DONE = 13  # C
    FAILED = 14  # C
    INTERRUPT = 15  # M: number of the job that is to be interrupted
    REASON = 16  # M: why
    LOST = 17  # S: number of the job whose holder is no longer admitted
    CAUSE = 18  # M: for what the master killed it
    CAUSE_JOB = 19  # M: the job's number at that moment
    EXIT = 20  # M: its wait status
    RECOVERED = 21  # S: the generation whose jobs have been recovered
    TICK_NS = (
        22  # C: monotonic; the scheduler's sign of life; since when a worker has been claiming, 0: it is not
    )
    SPAWNED_NS = 23  # M: monotonic
    RESTARTS = 24  # M: how often its slot had been restarted before
    LAST_EXIT = 25  # M: 1 + wait status of the child before it in its slot, 0: it is the first
    LAST_CAUSE = 26  # M: for what that one was killed
    CRASHES = 27  # M: how many crashes in a row its slot has had
    NOT_BEFORE_NS = 28  # M: monotonic; when a slot in BACKOFF is filled again
    ENDED = 29  # C: number of the last job of which it knows how it ended
    LEAVE = 30  # M: it is to end its job and leave, whatever becomes of the signal that says so
    HOLD = 31  # M: it is not to claim before the child whose place it takes has left
    CLAIMS = 37  # M at first, then C: how often its slot's children have looked for jobs; stands behind the job's id
    RUN = 38  # C: the run of the job in this row
    CANCEL = 39  # S: number of the job that was cancelled while it ran, see `Row.cancel`
    SERVER = 54  # C: how it stands with the server, see `Reach`; stands behind the job's name
    ATTEMPT = 55  # C: the attempt of the job in this row


class Kind(IntEnum):
    """What a child is."""

    WORKER = 1
    SCHEDULER = 2
    REDIS = 3
    HTTP = 4


class State(IntEnum):
    """How far a child is with its life.

    LEFT: it has settled everything and ends on purpose. BACKOFF and FATAL: the slot of this row has no child, for a
    while or for good.
    """

    FREE = 0
    STARTING = 1
    UP = 2
    DRAINING = 3
    LEFT = 4
    DEAD = 5
    BACKOFF = 6
    FATAL = 7


CHILDLESS = (State.FREE, State.DEAD, State.BACKOFF, State.FATAL)


class Reach(IntEnum):
    """How a child stands with the server: what its latest way there has come to. UNKNOWN: it has not been there, or does not say."""

    UNKNOWN = 0
    THERE = 1
    LOST = 2


class Reason(IntEnum):
    """Why a job is interrupted."""

    TIMEOUT = 1
    DRAIN = 2
    LEASE_LOST = 3
    CANCEL = 4


class Cause(IntEnum):
    """Why the master killed a child. NONE: it did not, the child ended by itself."""

    NONE = 0
    TIME = 1  # its job's
    STOP = 2
    LEASE_LOST = 3
    STUCK = 4
    START = 5  # it did not come up in time
    HUNG = 6  # after its job's handler had ended
    CANCELLED = 7  # its job was


_KINDS, _STATES, _CAUSES = (frozenset(map(int, kind)) for kind in (Kind, State, Cause))


class JobView(NamedTuple):
    """The job in a row, as it was at one moment."""

    number: int
    job_id: str
    name: str
    started_ns: int
    deadline_ns: int
    later: int
    run: int = 0
    attempt: int = 0


def title_of(slot_name: str, pool: str) -> str:
    """``worker 3 (slow)``; the name alone for a pool without one."""
    return f"{slot_name} ({pool})" if pool else slot_name


# An enum's member costs four times as much as a number, and these are written for every job.
_SEQUENCE, _JOB, _STARTED_NS, _DEADLINE_NS, _LATER, _RUN, _ATTEMPT = (
    int(word)
    for word in (
        Word.SEQUENCE, Word.JOB, Word.STARTED_NS, Word.DEADLINE_NS, Word.LATER, Word.RUN, Word.ATTEMPT
    )
)  # fmt: skip
_IS_HARD = 1 << 63
"""Beside the number in CANCEL; a job's number has a child's above its lower half, and does not come that far."""


class Row:
    """One child's row."""

    __slots__ = ("_memory", "_name", "_start", "board_path", "head", "words")

    def __init__(
        self, memory: mmap.mmap, words: memoryview, index: int, board_path: Path | None = None
    ) -> None:
        self._memory = memory
        self.head = words
        self.board_path = board_path
        self._start = (index + 1) * ROW_BYTES
        first = self._start // 8
        self.words = words[first : first + ROW_BYTES // 8]
        self._name = ""

    @property
    def index(self) -> int:
        """Its place on the board, from 0."""
        return self._start // ROW_BYTES - 1

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
    def is_readable(self) -> bool:
        """Whether its words can be what a master has written."""
        return (
            self.words[Word.KIND] in _KINDS
            and self.words[Word.STATE] in _STATES
            and self.words[Word.CAUSE] in _CAUSES
        )

    @property
    def is_living(self) -> bool:
        """Whether it has a child that has not been reaped."""
        return self.words[Word.GENERATION] != 0 and self.words[Word.STATE] not in CHILDLESS

    @property
    def slot_name(self) -> str:
        """The slot in words: ``worker 3``."""
        name = self.kind.name.lower()
        return f"{name} {self.words[Word.SLOT]}" if self.kind is Kind.WORKER else name

    @property
    def pool(self) -> str:
        """The name of its worker's pool; empty for that of ``[workers]``. Written by the master."""
        start = self._start + POOL_AT
        return self._memory[start : start + POOL_BYTES].rstrip(b"\0").decode("ascii", "replace")

    @pool.setter
    def pool(self, name: str) -> None:
        start = self._start + POOL_AT
        self._memory[start : start + POOL_BYTES] = name.encode().ljust(POOL_BYTES, b"\0")

    @property
    def title(self) -> str:
        """The slot and its pool, if that has a name: ``worker 3 (slow)``."""
        return title_of(self.slot_name, self.pool)

    @property
    def may_claim(self) -> bool:
        """Whether its worker may take jobs: the daemon is not quiet, and nobody is still there in its place."""
        return self.head[IS_QUIET] == 0 and self.words[Word.HOLD] == 0

    @property
    def is_of_leaving_daemon(self) -> bool:
        """Whether no child will come after this one."""
        return self.head[PHASE] != 0

    def note_entered(self) -> None:
        """A worker has got to the server: from now on there may be jobs to put back at the daemon's end."""
        self.head[HAS_ENTERED] = 1

    @property
    def is_recovered(self) -> bool:
        """Whether its child is dead and nothing that it held is left."""
        return self.state is State.DEAD and self.words[Word.RECOVERED] == self.words[Word.GENERATION]

    def begin_job(
        self, number: int, job_id: str, name: str, started_ns: int, deadline_ns: int, later: int,
        run: int = 0, attempt: int = 0,
    ) -> None:  # fmt: skip
        """Write down which job is about to run: what `job` will tell of it."""
        words, memory, start = self.words, self._memory, self._start
        words[_SEQUENCE] += 1
        words[_JOB], words[_RUN], words[_ATTEMPT] = number, run, attempt
        words[_STARTED_NS], words[_DEADLINE_NS], words[_LATER] = started_ns, deadline_ns, later
        memory[start + ID_AT : start + ID_AT + ID_BYTES] = job_id.encode()
        if name != self._name:
            self._name = name
            encoded = name.encode()[:NAME_BYTES]
            memory[start + NAME_AT : start + NAME_AT + 1 + len(encoded)] = bytes((len(encoded),)) + encoded
        words[_SEQUENCE] += 1

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
            words[Word.RUN],
            words[Word.ATTEMPT],
        )
        is_whole = before % 2 == 0 and words[Word.SEQUENCE] == before
        return view if is_whole and view.number else None

    def cancel(self, number: int, *, is_hard: bool) -> None:
        """Have the job of this number end, if it still runs: the master interrupts it, or if that is hard kills its worker."""
        self.words[Word.CANCEL] = number | _IS_HARD * is_hard

    def is_cancelled(self, number: int) -> bool:
        """Whether the job of this number was."""
        return number != 0 and self.words[Word.CANCEL] & ~_IS_HARD == number

    def is_cancelled_hard(self, number: int) -> bool:
        """Whether it is to end at once."""
        return self.words[Word.CANCEL] == number | _IS_HARD

    def holder(self, node: str) -> str:
        """The holder's name of this child on its present trip."""
        return f"{node}/{self.words[Word.GENERATION]}.{self.words[Word.TRIP]}"

    def clear(self) -> None:
        """Make the row free. What it is called stays: somebody may just be reading it."""
        self.words[Word.GENERATION] = 0
        for i in range(len(self.words)):
            if i not in (Word.KIND, Word.SLOT):
                self.words[i] = 0
