"""What the command line does to a running daemon: it finds it by its run_dir, looks at its board, sends it signals."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import clock
from ..errors import ConfigError, DaemonError, NotRunning, StopTimeout
from . import stacks
from .board import Board, Head, Phase, boards_in
from .locks import running_pid
from .row import Kind, Word
from .views import ChildView, NodeView, nodes

LOOK_SECONDS = 0.05
STACKS_WAIT_SECONDS = 2.0

__all__ = ["ChildView", "NodeView", "Stacks", "dump", "nodes", "reload", "running_pid", "stop"]


class Stacks(NamedTuple):
    """What a process was doing; ``text`` is empty if it did not answer."""

    slot: str
    pid: int
    text: str


def stop(run_dir: Path, wait_seconds: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Ask the daemon to drain and wait for its end; ``tell`` hears what is being waited for, when that changes.

    Raises `NotRunning`, and `StopTimeout` if it is still there after ``wait_seconds``: it goes on draining.
    """
    pid = _send(run_dir, signal.SIGTERM)
    deadline = clock.deadline_in(wait_seconds)
    told = ""
    while running_pid(run_dir) == pid:
        waits_for = _waiting_for(run_dir)
        if clock.remaining(deadline) == 0:
            raise StopTimeout(f"the daemon (pid {pid}) still drains after {wait_seconds:g} s: {waits_for}")
        if waits_for != told:
            told = waits_for
            tell(told)
        clock.sleep(LOOK_SECONDS)


def reload(run_dir: Path, wait_seconds: float) -> int:
    """Have the daemon reload and wait for the outcome; return how many workers it has then.

    Raises `NotRunning`; `ConfigError` with the problems if it was refused; `StopTimeout` if it was not through after
    ``wait_seconds``: it goes on.
    """
    board = _board_of(run_dir, running_pid(run_dir))
    begun = board.head[Head.RELOADS_BEGUN]
    pid = _send(run_dir, signal.SIGHUP)
    deadline = clock.deadline_in(wait_seconds)
    while board.head[Head.RELOADS_ENDED] <= begun:
        if running_pid(run_dir) != pid or board.phase is not Phase.RUNNING:
            raise DaemonError(f"the daemon (pid {pid}) stops; nothing was reloaded")
        if clock.remaining(deadline) == 0:
            raise StopTimeout(f"the daemon (pid {pid}) still reloads after {wait_seconds:g} s; see its log")
        clock.sleep(LOOK_SECONDS)
    if not board.head[Head.IS_RELOADED]:
        raise ConfigError(_problems(board))
    (node,) = (node for node in nodes(run_dir) if node.node == board.node)
    return len({child.slot for child in node.children if child.kind == "worker"})


def dump(run_dir: Path, slot: str | None = None) -> Iterator[Stacks]:
    """The stacks of the master and its children, or of one slot; the server has none to tell.

    Raises `NotRunning`, and `DaemonError` for a slot that has no child.
    """
    pid = running_pid(run_dir)
    board = _board_of(run_dir, pid)
    asked = [("master", board.master_pid, stacks.MASTER)] + [
        (row.slot_name, row.words[Word.PID], row.generation)
        for row in board.used_rows()
        if row.is_living and row.kind is not Kind.REDIS
    ]
    chosen = [process for process in asked if slot in (None, process[0])]
    if not chosen:
        names = ", ".join(name for name, _, _ in asked)
        raise DaemonError(f"{slot!r} is not one of the daemon's processes: {names}")
    for name, process_pid, generation in chosen:
        path = board.stacks_path(generation)
        stacks.ask(process_pid, path)
        yield Stacks(name, process_pid, _await_stacks(path))


def _await_stacks(path: Path) -> str:
    """What the process writes, once it has written no more for a while."""
    deadline = clock.deadline_in(STACKS_WAIT_SECONDS)
    text = ""
    while clock.remaining(deadline):
        clock.sleep(LOOK_SECONDS)
        before, text = text, stacks.read(path)
        if text and text == before:
            break
    return text


def _send(run_dir: Path, signum: signal.Signals) -> int:
    """Signal the master; its pid."""
    pid = running_pid(run_dir)
    if pid is None:
        raise NotRunning(run_dir)
    try:
        os.kill(pid, signum)
    except PermissionError:
        raise DaemonError(f"the daemon (pid {pid}) belongs to another user") from None
    except ProcessLookupError:
        pass
    return pid


def _board_of(run_dir: Path, pid: int | None) -> Board:
    if pid is None:
        raise NotRunning(run_dir)
    for path in boards_in(run_dir):
        board = Board.open(path)
        if board is not None and board.master_pid == pid and not board.is_master_gone:
            return board
    raise DaemonError(f"the daemon (pid {pid}) is only just starting, or about to end")


def _problems(board: Board) -> list[str]:
    try:
        return board.problems_path.read_text("utf-8").splitlines()
    except OSError:
        return ["the reload was refused; see the daemon's log"]


def _waiting_for(run_dir: Path) -> str:
    children = [child for node in nodes(run_dir) if node.is_running for child in node.children]
    jobs = [
        f"{child.slot} runs {child.job_name} ({child.job_id})"
        for child in children
        if child.job_seconds is not None
    ]
    return "; ".join(jobs) or f"{len(children)} children are left"
