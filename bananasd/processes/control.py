"""What the command line does to a running daemon: it finds it by its run_dir, looks at its board, sends it signals."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import clock
from ..errors import ConfigError, DaemonError, NotRunning, StopTimeout
from . import procfs, stacks
from .board import Board, Head, Phase, boards_in
from .locks import running_pid
from .row import Kind, Word
from .views import ChildView, NodeView, in_order, nodes
from .waiting import what_is_left

LOOK_SECONDS = 0.05
TELL_SECONDS = 1.0
"""What is over sooner is not worth a word; nor is what has changed since the last one so soon."""

STACKS_WAIT_SECONDS = 2.0

BOOT = re.compile(
    r'^  File ".*/processes/(?:spawner\.py", line \d+ in live|daemon\.py", line \d+ in run)$(?:\n  File .*)*',
    re.MULTILINE,
)
"""The outer end of a stack: how the process came to be is the same for all, and nobody asks for it."""

__all__ = ["ChildView", "NodeView", "Stacks", "dump", "nodes", "reload", "running_pid", "stop"]


class Stacks(NamedTuple):
    """What a process was doing. ``text`` is empty if it did not answer, as one that ``is_stopped`` cannot."""

    slot: str
    pid: int
    text: str
    is_stopped: bool


def stop(run_dir: Path, wait_seconds: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Ask the daemon to drain and wait for its end; ``tell`` hears what is being waited for, when that changes.

    Raises `NotRunning`, and `StopTimeout` if it is still there after ``wait_seconds``: it goes on draining.
    """
    pid = _send(run_dir, signal.SIGTERM)
    deadline, tell_at = clock.deadline_in(wait_seconds), clock.deadline_in(TELL_SECONDS)
    told = None
    while running_pid(run_dir) == pid:
        if clock.remaining(deadline) == 0:
            left = what_is_left(nodes(run_dir), pid)
            raise StopTimeout(
                f"the daemon (pid {pid}) still drains after {wait_seconds:g} s, waiting for {left.words}"
            )
        if clock.remaining(tell_at) == 0:
            left, tell_at = what_is_left(nodes(run_dir), pid), clock.deadline_in(TELL_SECONDS)
            if left.what != told:
                told = left.what
                tell(left.words)
        clock.sleep(LOOK_SECONDS)


def reload(run_dir: Path, wait_seconds: float) -> None:
    """Have the daemon reload and wait for the outcome.

    Raises `NotRunning`; `ConfigError` with the problems if it was refused; `StopTimeout` if it was not through after
    ``wait_seconds``: it goes on; other `DaemonError` if the daemon cannot reload.
    """
    board = _board_of(run_dir, running_pid(run_dir))
    begun = board.head[Head.RELOADS_BEGUN]
    # Before it is told, for it would hear of it when it goes on, perhaps days later.
    _check_that_it_is_not_stopped(board)
    pid = _send(run_dir, signal.SIGHUP)
    deadline = clock.deadline_in(wait_seconds)
    while board.head[Head.RELOADS_ENDED] <= begun:
        _check_that_it_goes_on(run_dir, board)
        _check_that_it_is_not_stopped(board)
        if clock.remaining(deadline) == 0:
            raise StopTimeout(f"the daemon (pid {pid}) still reloads after {wait_seconds:g} s; see its log")
        clock.sleep(LOOK_SECONDS)
    if not board.head[Head.IS_RELOADED]:
        _check_that_it_goes_on(run_dir, board)
        raise ConfigError(_problems(board))


def _check_that_it_is_not_stopped(board: Board) -> None:
    if procfs.is_stopped(board.master_pid):
        raise DaemonError(
            f"the daemon (pid {board.master_pid}) is stopped and cannot reload; "
            f"'kill -CONT {board.master_pid}' lets it go on"
        )


def dump(run_dir: Path, slot: str | None = None) -> Iterator[Stacks]:
    """The stacks of the master and its children, or of one slot; the server has none to tell.

    Raises `NotRunning`, and `DaemonError` for a slot that has no child.
    """
    board = _board_of(run_dir, running_pid(run_dir))
    processes = [("master", board.master_pid, stacks.MASTER)] + [
        (row.slot_name, row.words[Word.PID], row.generation)
        for row in in_order(board.used_rows())
        if row.is_living and row.kind is not Kind.REDIS
    ]
    chosen = [process for process in processes if slot in (None, process[0])]
    if not chosen:
        names = ", ".join(dict.fromkeys(name for name, _, _ in processes))
        raise DaemonError(f"{slot!r} is not one of the daemon's processes that have stacks: {names}")
    # All at once, so that they show the same moment.
    for _, pid, generation in chosen:
        if not procfs.is_stopped(pid):
            stacks.ask(pid, board.stacks_path(generation))
    deadline = clock.deadline_in(STACKS_WAIT_SECONDS)
    for name, pid, generation in chosen:
        is_stopped = procfs.is_stopped(pid)
        text = "" if is_stopped else _await_stacks(board.stacks_path(generation), deadline)
        yield Stacks(name, pid, BOOT.sub("", text).rstrip(), is_stopped)


def _await_stacks(path: Path, deadline: float) -> str:
    """What the process writes, once it has written no more for a while."""
    text = stacks.read(path)
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
    if not _is_master(run_dir, pid):
        raise DaemonError(
            f"a daemon runs on {run_dir}, but its pid, {pid}, is another program's here; "
            "call this in the container that it runs in"
        )
    try:
        os.kill(pid, signum)
    except PermissionError:
        raise DaemonError(f"the daemon (pid {pid}) belongs to another user") from None
    except ProcessLookupError:
        pass
    return pid


def _is_master(run_dir: Path, pid: int) -> bool:
    """Whether the process of this pid is the daemon. In another container the number means another process."""
    boards = [board for board in map(Board.open, boards_in(run_dir)) if board and board.master_pid == pid]
    # One that has no board yet has not changed its name either.
    return any(board.has_master for board in boards) or b"bananasd" in procfs.command_line(pid)


def _board_of(run_dir: Path, pid: int | None) -> Board:
    if pid is None:
        raise NotRunning(run_dir)
    for path in boards_in(run_dir):
        board = Board.open(path)
        if board is not None and board.master_pid == pid and not board.is_master_gone:
            return board
    raise DaemonError(f"the daemon (pid {pid}) is only just starting, or about to end")


def _check_that_it_goes_on(run_dir: Path, board: Board) -> None:
    if running_pid(run_dir) != board.master_pid or board.phase is not Phase.RUNNING:
        raise DaemonError(f"the daemon (pid {board.master_pid}) stops; nothing was reloaded")


def _problems(board: Board) -> list[str]:
    try:
        return board.problems_path.read_text("utf-8").splitlines()
    except OSError:
        return ["the reload was refused; see the daemon's log"]
