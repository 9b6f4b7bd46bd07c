"""A slot: what should run in one place of the master's table, and what has become of it."""

import itertools
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .. import clock
from . import procfs
from .board import Board
from .child import ATTENTION
from .restarts import Restarts
from .row import Cause, Kind, Row, State, Word, title_of

EXPENDABLE_OOM_SCORE = 500
ROWS_PER_SLOT = 2
LINGER_SECONDS = 2.0


@dataclass(slots=True)
class Slot:
    """One place in the table; it outlives its pids.

    ``body`` is what the child runs. ``is_ready``, where given, tells from outside that the child is up; else the
    child says so in its row. ``pool`` is a worker's, empty for that of ``[workers]``. ``row`` is that of its child, or the one that is kept for its next child.
    ``start_seconds`` is how long the child may take to come up, 0 for as long as it likes.
    ``claims`` is how often the children before this one have looked for jobs. ``last_wait_status`` and ``last_cause`` tell how the child before this one ended.
    """

    kind: Kind
    number: int
    body: Callable[[Row], int]
    restarts: Restarts
    is_ready: Callable[[], bool] | None = None
    start_seconds: float = 0.0
    pool: str = ""
    row: Row | None = None
    pid: int = 0
    up_since: float | None = None
    has_been_up: bool = False
    spawned: int = 0
    claims: int = 0
    last_wait_status: int | None = None
    last_cause: Cause = Cause.NONE
    is_trial: bool = False
    """Its child is to take the place of another's, if it comes up."""
    is_held: bool = False
    """Its child is not to claim yet."""
    is_retired: bool = False
    """Its child is asked to leave and will not be replaced."""
    left_since: float | None = None
    asked_at: float | None = None
    """When its child was first asked to leave."""
    luck: float = field(default_factory=random.random)
    """By chance, from 0 to 1: how much sooner than its limits say its child is recycled."""

    @property
    def name(self) -> str:
        """``worker 3``, ``scheduler``, ``redis``."""
        kind = self.kind.name.lower()
        return f"{kind} {self.number}" if self.kind is Kind.WORKER else kind

    @property
    def title(self) -> str:
        """The same with the name of the pool, if it has one: ``worker 3 (slow)``."""
        return title_of(self.name, self.pool)

    @property
    def is_running(self) -> bool:
        """Whether a child is there that has not been reaped."""
        return self.pid != 0

    def note_claims(self) -> None:
        """Take over from the row how often its child has looked for jobs: the next one goes on from there."""
        if self.row is not None:
            self.claims = self.row.words[Word.CLAIMS]

    @property
    def is_up(self) -> bool:
        """Whether its child does its work."""
        return self.is_running and self.up_since is not None

    @property
    def death_signal(self) -> signal.Signals:
        """What the kernel sends the child when the master dies: the server is to close its file in peace."""
        return signal.SIGTERM if self.kind is Kind.REDIS else signal.SIGKILL

    @property
    def oom_score(self) -> int:
        """How much sooner than the master the child is killed when memory runs out."""
        return EXPENDABLE_OOM_SCORE if self.kind in (Kind.WORKER, Kind.HTTP) else 0

    def ask_to_leave(self) -> None:
        """Have its child end what it does and leave. A job may have taken the signal for itself: the row says it too."""
        if self.row is not None:
            self.row.words[Word.LEAVE] = 1
        self.asked_at = self.asked_at or clock.monotonic()
        procfs.send(self.pid, signal.SIGTERM)
        if self.kind is Kind.WORKER:
            procfs.send(self.pid, ATTENTION)

    def may_start(self, now: float) -> bool:
        """Whether it is time to start a child here."""
        return (
            not (self.is_running or self.is_retired or self.restarts.is_fatal)
            and now >= self.restarts.not_before
        )

    def has_lingered(self, now: float) -> bool:
        """Whether its child has done everything, and yet does not end: a user's logging handler may hang."""
        if self.row is None or self.row.state is not State.LEFT:
            self.left_since = None
            return False
        self.left_since = self.left_since or now
        return now - self.left_since >= LINGER_SECONDS

    def notice_up(self, now: float) -> bool:
        """Look whether the child has come up since the last look."""
        if not self.is_running or self.up_since is not None or self.row is None:
            return False
        if self.is_ready is not None and self.row.state is State.STARTING and self.is_ready():
            self.row.state = State.UP
        if self.row.state is State.STARTING:
            return False
        self.up_since, self.has_been_up = now, True
        return True


@dataclass(slots=True)
class Fleet:
    """All slots of a daemon, in the order in which they are started."""

    slots: list[Slot]
    board: Board
    generations: int = 0

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def of(self, kind: Kind) -> list[Slot]:
        """The slots of a kind that are to be kept filled."""
        return [slot for slot in self.wanted if slot.kind is kind]

    def workers_of(self, pool: str) -> list[Slot]:
        """The same for the workers of one pool, by number."""
        return sorted(
            (slot for slot in self.of(Kind.WORKER) if slot.pool == pool), key=lambda slot: slot.number
        )

    @property
    def pools(self) -> set[str]:
        """The pools that have a slot to be kept filled."""
        return {slot.pool for slot in self.of(Kind.WORKER)}

    def free_number(self) -> int:
        """A number for another worker; no other has it, whatever its pool, as long as it is there."""
        taken = {slot.number for slot in self.slots if slot.kind is Kind.WORKER}
        return next(number for number in itertools.count() if number not in taken)

    @property
    def wanted(self) -> list[Slot]:
        """The slots that are to be kept filled: neither on trial nor retired."""
        return [slot for slot in self.slots if not (slot.is_trial or slot.is_retired)]

    def running(self, *kinds: Kind) -> list[Slot]:
        """The slots of these kinds whose child has not been reaped."""
        return [slot for slot in self.slots if slot.kind in kinds and slot.is_running]

    def with_pid(self, pid: int) -> Slot | None:
        """The slot whose child has this pid."""
        return next((slot for slot in self.slots if slot.pid == pid), None)

    @property
    def has_room(self) -> bool:
        """Whether there can be one more: each slot may need a row for a successor, or for a dead child."""
        return len(self.wanted) < len(self.board.rows) // ROWS_PER_SLOT

    def add(self, slot: Slot, after: Slot | None = None) -> None:
        """One more, at the end or behind another."""
        self.slots.insert(self.slots.index(after) + 1 if after else len(self.slots), slot)

    def remove(self, slot: Slot) -> None:
        """One less; the row that was kept for it becomes free."""
        self.slots.remove(slot)
        if slot.row is not None and not slot.is_running:
            slot.row.clear()

    def retire(self, slot: Slot) -> None:
        """Let its child finish its job and leave; the slot goes with it."""
        slot.is_trial, slot.is_retired = False, True
        if slot.is_running:
            slot.ask_to_leave()
        else:
            self.remove(slot)

    def next_generation(self) -> int:
        """The number of the next child; never used twice."""
        self.generations += 1
        return self.generations

    @property
    def is_up(self) -> bool:
        """Whether every child that is wanted does its work; without a dashboard that crashes, jobs run all the same."""
        return all(
            slot.is_up or (slot.kind is Kind.HTTP and slot.restarts.crashes > 0) for slot in self.wanted
        )

    def fatal_end(self) -> Slot | None:
        """A slot without which there is no use in going on: the last worker, the scheduler, the server."""
        workers = self.of(Kind.WORKER)
        for slot in self.wanted:
            if slot.restarts.is_fatal and (
                slot.kind is not Kind.WORKER or all(w.restarts.is_fatal for w in workers)
            ):
                return slot
        return None
