"""What can be seen of a daemon from outside: its board, read without asking it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .. import clock
from . import procfs
from .board import Board, Head, Phase, boards_in
from .exits import describe_wait_status
from .row import Cause, Kind, Reach, Row, State, Word

ORDER = (Kind.REDIS, Kind.SCHEDULER, Kind.HTTP, Kind.WORKER)

REACHES = {int(reach): reach.name.lower() for reach in Reach}
"""Another word may be a long name's end: an older daemon has that there."""

KILLED = {
    Cause.TIME: "killed for its job's time",
    Cause.CANCELLED: "killed as its job was cancelled",
    Cause.STOP: "killed at a stop",
    Cause.LEASE_LOST: "killed for a lost lease",
    Cause.STUCK: "killed as it hung",
    Cause.HUNG: "killed as it hung after its job",
    Cause.START: "killed as it did not come up",
}


class ChildView(NamedTuple):
    """A slot and its child as its row shows them.

    ``job_seconds`` is None for one that runs no job. ``state`` is ``backoff`` or ``fatal``, and ``pid`` 0, for a slot
    that has no child for a while, or for good; ``starts_in_seconds`` until it has one again, else None.
    ``last_end`` tells how the child before this one ended, empty if there was none; ``crashes`` is how many in a
    row did no work. ``is_stopped``: by a signal or a debugger, whatever its state says.
    ``pool`` is a worker's, empty for that of ``[workers]``. ``server``: what its latest way to the Redis server has come to,
    ``there`` or ``lost``; ``unknown`` if it has not been there, or does not say.
    """

    slot: str
    kind: str
    pid: int
    state: str
    up_seconds: float
    job_id: str
    job_name: str
    job_seconds: float | None
    done: int
    failed: int
    restarts: int
    crashes: int
    last_end: str
    starts_in_seconds: float | None
    generation: int
    is_stopped: bool
    pool: str = ""
    server: str = "unknown"


class NodeView(NamedTuple):
    """A daemon as its board shows it. ``slots``: how many children it wants.

    ``is_running``: its master lives. ``is_stopped``: but does nothing, for a signal or a debugger has stopped it.
    """

    node: str
    master_pid: int
    is_running: bool
    is_stopped: bool
    phase: str
    up_seconds: float
    slots: int
    children: list[ChildView]

    @property
    def is_up(self) -> bool:
        """Whether every slot has a child that does its work."""
        up = {child.slot for child in self.children if child.state in ("up", "draining")}
        return 0 < self.slots <= len(up)


def nodes(run_dir: Path) -> list[NodeView]:
    """The daemons of this run_dir, also one whose master is stuck or gone; at most one of them is running."""
    boards = [board for board in map(Board.open, boards_in(run_dir)) if board is not None]
    return [node_view(board) for board in boards if board.is_of_this_boot or board.has_master]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """As people look for them: the server, the scheduler, the dashboard, the workers by number, the older one first."""
    return sorted(rows, key=lambda row: (ORDER.index(row.kind), row.words[Word.SLOT], row.generation))


def node_view(board: Board) -> NodeView:
    """A daemon as this board shows it."""
    children = [view for row in in_order(board.used_rows()) if (view := _child_view(row))]
    is_running = not board.is_master_gone
    return NodeView(
        board.node,
        board.master_pid,
        is_running,
        is_running and procfs.is_stopped(board.master_pid),
        _phase(board),
        board.age_seconds,
        board.head[Head.SLOTS],
        children,
    )


def _phase(board: Board) -> str:
    if board.phase is not Phase.RUNNING:
        return "draining"
    if board.head[Head.RELOADS_BEGUN] != board.head[Head.RELOADS_ENDED]:
        return "reloading"
    return "quiet" if board.is_quiet else "running"


def _child_view(row: Row) -> ChildView | None:
    """None for a child that has died, be it while its row was being read."""
    generation, job = row.generation, row.job() if row.words[Word.ARMED] else None
    state = row.state
    has_child = row.is_living
    view = ChildView(
        row.slot_name,
        row.kind.name.lower(),
        row.words[Word.PID],
        state.name.lower(),
        _seconds_since(row.words[Word.SPAWNED_NS]) if has_child else 0.0,
        job.job_id if job else "",
        job.name if job else "",
        _seconds_since(job.started_ns) if job else None,
        row.words[Word.DONE],
        row.words[Word.FAILED],
        row.words[Word.RESTARTS],
        row.words[Word.CRASHES],
        _last_end(row),
        _seconds_until(row.words[Word.NOT_BEFORE_NS]) if state is State.BACKOFF else None,
        generation,
        has_child and procfs.is_stopped(row.words[Word.PID]),
        row.pool,
        REACHES.get(row.words[Word.SERVER], "unknown"),
    )
    is_whole = row.generation == generation and row.state is state
    return view if is_whole and (has_child or state in (State.BACKOFF, State.FATAL)) else None


def _last_end(row: Row) -> str:
    cause = Cause(row.words[Word.LAST_CAUSE])
    if row.words[Word.LAST_EXIT] == 0:
        return ""
    return KILLED.get(cause) or describe_wait_status(row.words[Word.LAST_EXIT] - 1)


def _seconds_since(monotonic_ns: int) -> float:
    return max(0, clock.monotonic_ns() - monotonic_ns) / 1e9


def _seconds_until(monotonic_ns: int) -> float:
    return max(0, monotonic_ns - clock.monotonic_ns()) / 1e9
