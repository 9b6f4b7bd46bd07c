"""The life of a forked child: drop what was the master's, stand alone, run, end without ceremony."""

import ctypes
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from setproctitle import setproctitle

from .. import log
from . import exits

PR_SET_PDEATHSIG = 1
ATTENTION = signal.SIGRTMIN
"""Master to worker: look at the board. Master to scheduler: a child has died."""

CAUGHT = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""Signals for the master that any child may get as well."""

logger = logging.getLogger(__name__)
_libc = ctypes.CDLL(None, use_errno=True)


def spawn(
    title: str,
    body: Callable[[], int],
    drop_inheritance: Callable[[], None],
    *,
    death_signal: signal.Signals,
    oom_score: int,
) -> int:
    """Fork a child that runs ``body`` and ends with its result; return its pid.

    Signals stay blocked until the child has dropped the parent's handlers: none can run the wrong one. To be
    called from the main thread, since the death signal follows the thread that forked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            _live(title, body, drop_inheritance, parent, death_signal, oom_score)
        _own_group(pid)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(
    title: str,
    body: Callable[[], int],
    drop_inheritance: Callable[[], None],
    parent: int,
    death_signal: signal.Signals,
    oom_score: int,
) -> NoReturn:
    status = exits.SOFTWARE
    try:
        drop_inheritance()
        _take_signals()
        _stand_alone(parent, death_signal, oom_score)
        _name_process(title)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        status = body()
    except SystemExit as request:
        status = request.code if isinstance(request.code, int) else exits.SOFTWARE
    except BaseException:
        logger.exception("child failed")
    finally:
        # Not the interpreter's own end: its atexit functions and buffers are the master's.
        try:
            _flush()
        finally:
            os._exit(status)


def _stand_alone(parent: int, death_signal: signal.Signals, oom_score: int) -> None:
    _own_group(0)
    _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        # The parent died before the line above took effect.
        os._exit(exits.SOFTWARE)
    _prefer_for_oom_killer(oom_score)
    _close_stdin()
    random.seed()


def _take_signals() -> None:
    """What is meant for the master must not end a child that gets it too, as when it is sent by name.

    Not ignored: programs that a handler starts would inherit that. The terminal's own are, for to catch one that
    the kernel sends at each try to write would be to try for ever.
    """
    for signum in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2):
        signal.signal(signum, _do_nothing)
    signal.signal(signal.SIGUSR1, _reopen_log)
    for signum in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(signum, signal.SIG_IGN)


def _do_nothing(_signum: int, _frame: FrameType | None) -> None:
    """Nothing, but not by SIG_IGN."""


def _reopen_log(_signum: int, _frame: FrameType | None) -> None:
    log.reopen()


def _own_group(pid: int) -> None:
    """So that a child can be killed with all that it started. Both sides do it: whoever comes first."""
    with suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, 0)


def _prefer_for_oom_killer(score: int) -> None:
    """A child is to be killed for memory before its master is; raising the score needs no privilege."""
    try:
        with Path("/proc/self/oom_score_adj").open("r+", encoding="ascii") as file:
            if int(file.read()) < score:
                file.write(str(score))
    except OSError:
        pass


def _close_stdin() -> None:
    """A child is not in the terminal's foreground group: reading from it would stop it."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null == 0:  # there was none
        os.set_inheritable(null, True)
    else:
        os.dup2(null, 0)
        os.close(null)


def _name_process(title: str) -> None:
    log.set_process(title)
    setproctitle(f"bananasd: {title}")


def _flush() -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
