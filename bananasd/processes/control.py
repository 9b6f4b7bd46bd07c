"""What the command line does to a running daemon: it finds it by its run_dir, looks at its board, sends it signals."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

from .. import clock
from ..errors import DaemonError, NotRunning, StopTimeout
from .board import Board, Head, Phase, boards_in
from .locks import running_pid
from .row import Row, Word

LOOK_SECONDS = 0.05

__all__ = ["ChildView", "NodeView", "nodes", "running_pid", "stop"]


class ChildView(NamedTuple):
    """A child as its row shows it. ``job_seconds`` is None for one that runs no job."""

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


class NodeView(NamedTuple):
    """A daemon as its board shows it. ``is_running``: its master lives. ``slots``: how many children it wants."""

    node: str
    master_pid: int
    is_running: bool
    phase: str
    up_seconds: float
    slots: int
    children: list[ChildView]

    @property
    def is_up(self) -> bool:
        """Whether every slot has a child that does its work."""
        return self.slots == sum(child.state in ("up", "draining") for child in self.children)


def nodes(run_dir: Path) -> list[NodeView]:
    """The daemons of this run_dir, also one whose master is stuck or gone; at most one of them is running."""
    boards = [board for board in map(Board.open, boards_in(run_dir)) if board is not None]
    return [_node_view(board) for board in boards if board.is_of_this_boot]


def stop(run_dir: Path, wait_seconds: float) -> None:
    """Ask the daemon to drain and wait for its end.

    Raises `NotRunning`, and `StopTimeout` if it is still there after ``wait_seconds``: it goes on draining.
    """
    pid = running_pid(run_dir)
    if pid is None:
        raise NotRunning(run_dir)
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError:
        raise DaemonError(f"the daemon (pid {pid}) belongs to another user") from None
    except ProcessLookupError:
        pass
    deadline = clock.deadline_in(wait_seconds)
    while running_pid(run_dir) == pid:
        if clock.remaining(deadline) == 0:
            raise StopTimeout(
                f"the daemon (pid {pid}) still drains after {wait_seconds:g} s: {_waiting_for(run_dir)}"
            )
        clock.sleep(LOOK_SECONDS)


def _waiting_for(run_dir: Path) -> str:
    children = [child for node in nodes(run_dir) if node.is_running for child in node.children]
    jobs = [
        f"{child.slot} runs {child.job_name} ({child.job_id})"
        for child in children
        if child.job_seconds is not None
    ]
    return "; ".join(jobs) or f"{len(children)} children are left"


def _node_view(board: Board) -> NodeView:
    is_running = not board.is_master_gone
    phase = "draining" if board.phase is not Phase.RUNNING else "running"
    return NodeView(
        board.node,
        board.master_pid,
        is_running,
        phase,
        board.age_seconds,
        board.head[Head.SLOTS],
        [view for row in board.used_rows() if (view := _child_view(row))],
    )


def _child_view(row: Row) -> ChildView | None:
    """None for a child that has died, be it while its row was being read."""
    generation, job = row.generation, row.job() if row.words[Word.ARMED] else None
    view = ChildView(
        row.slot_name,
        row.kind.name.lower(),
        row.words[Word.PID],
        row.state.name.lower(),
        _seconds_since(row.words[Word.SPAWNED_NS]),
        job.job_id if job else "",
        job.name if job else "",
        _seconds_since(job.started_ns) if job else None,
        row.words[Word.DONE],
        row.words[Word.FAILED],
        row.words[Word.RESTARTS],
    )
    return view if row.is_living and row.generation == generation else None


def _seconds_since(monotonic_ns: int) -> float:
    return max(0, clock.monotonic_ns() - monotonic_ns) / 1e9
