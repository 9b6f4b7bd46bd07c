"""Stacks: what every process is doing right now, told even by one that is stuck in C code.

Each process has a file for it in run_dir; a signal makes it write its stacks there, without any Python code but in the dashboard's.
"""

import ctypes
import faulthandler
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

from .. import clock
from .row import Kind
from .slots import Fleet

DUMP = signal.SIGRTMIN + 1
MASTER = 0
"""Takes the place of a generation in the master's own file."""

WAIT_SECONDS = 0.3
"""Writing takes a millisecond; a busy machine may take longer to let the process do it."""

SS_DISABLE = 2

logger = logging.getLogger(__name__)
_libc = ctypes.CDLL(None)


class _StackT(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def register(path: Path) -> None:
    """From now on this process writes its stacks to the file when it gets the signal."""
    descriptor = _open(path)
    if descriptor is None:
        return
    faulthandler.register(DUMP, file=descriptor, all_threads=True)
    # faulthandler has made a small stack for signal handlers, and Python's own run on it as well: five signals at a
    # time would overflow it.
    _libc.sigaltstack(ctypes.byref(_StackT(flags=SS_DISABLE)), None)


def tell_by_python(path: Path) -> None:
    """Instead of that, for a process whose main thread only waits while others work: that of the dashboard.

    Told from outside Python, the frames of a thread that runs change while they are read: it has ended such processes with
    a SIGSEGV. A handler in Python holds the interpreter's lock, so nobody runs meanwhile.
    """
    descriptor = _open(path)
    if descriptor is not None:
        signal.signal(DUMP, lambda _signum, _frame: faulthandler.dump_traceback(descriptor, all_threads=True))


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        logger.warning("no stacks to be had of this process: %s: %s", path, error.strerror)
        return None


def ask(pid: int, path: Path) -> None:
    """Tell a process to write its stacks. One that has no file yet is not ready for the signal."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.truncate(path, 0)
        os.kill(pid, DUMP)


class StackDump:
    """Asks every process of the daemon, and logs what they have written a moment later."""

    def __init__(self, fleet: Fleet) -> None:
        board = fleet.board
        self._asked = [("master", os.getpid(), board.stacks_path(MASTER))] + [
            (slot.name, slot.pid, board.stacks_path(slot.row.generation))
            for slot in fleet.running(Kind.WORKER, Kind.SCHEDULER, Kind.HTTP)
            if slot.row is not None
        ]
        self._collect_at = clock.deadline_in(WAIT_SECONDS)
        for _, pid, path in self._asked:
            ask(pid, path)

    def step(self) -> bool:
        """Whether everything has been logged."""
        if clock.remaining(self._collect_at):
            return False
        for name, pid, path in self._asked:
            logger.warning("stacks slot=%r pid=%d\n%s", name, pid, read(path) or "no answer")
        return True


def read(path: Path) -> str:
    """What a process has written since it was asked; empty if it has not, or is gone."""
    try:
        return path.read_text("utf-8", "replace").rstrip()
    except OSError:
        return ""
