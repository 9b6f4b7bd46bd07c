"""One daemon per run_dir, one server per state_dir: files that are locked for as long as somebody lives."""

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from .. import clock
from ..errors import AlreadyRunning, BadDirectory, DaemonError

PID_NAME = "pid"
RUN_WAIT_SECONDS = 0.1
STATE_WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.02

logger = logging.getLogger(__name__)


def lock_run_dir(run_dir: Path) -> int:
    """Take the lock of a run_dir and leave our pid in it; raises `AlreadyRunning` at once if it is taken.

    The lock ends when the last descriptor of it is closed: a child must close the one it inherits.
    """
    descriptor = _open(make_private(run_dir))
    # Not only once: whoever looks with `running_pid` holds it for an instant.
    if not _try_for(descriptor, RUN_WAIT_SECONDS):
        os.close(descriptor)
        raise AlreadyRunning(run_dir, _read_pid(run_dir))
    _write_pid(run_dir, f"{os.getpid()}\n")
    return descriptor


def forget_pid(run_dir: Path) -> None:
    """Before the lock is given up: the pid may be another process's soon."""
    with suppress(DaemonError):
        _write_pid(run_dir, "")


def lock_state_dir(state_dir: Path) -> int:
    """Take the lock of a state_dir: a server that is still dying, and has its own copy of it, is waited for.

    The descriptor crosses an exec, for the server to inherit; every other child must close it.
    """
    descriptor = _open(make_private(state_dir))
    if not _try(descriptor):
        logger.warning(
            "daemon waits up to %g s: another embedded server still uses %s", STATE_WAIT_SECONDS, state_dir
        )
    if not _try_for(descriptor, STATE_WAIT_SECONDS):
        os.close(descriptor)
        raise DaemonError(
            f"another embedded server still uses {state_dir} after {STATE_WAIT_SECONDS:g} s; "
            "stop its daemon, or give this one a state_dir of its own"
        )
    os.set_inheritable(descriptor, True)
    return descriptor


def running_pid(run_dir: Path) -> int | None:
    """The pid of the daemon that holds the lock of this run_dir, None if nobody does."""
    try:
        descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DaemonError(f"{run_dir}: {error.strerror}") from None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read_pid(run_dir)
    finally:
        os.close(descriptor)


def make_private(directory: Path) -> Path:
    """Make the directory for this user alone, or check that it is one that nobody else can write to."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise BadDirectory(f"{directory}: cannot be used as a directory: {error.strerror}") from None
    if status.st_uid not in (os.getuid(), 0) or status.st_mode & 0o002:
        raise BadDirectory(
            f"{directory}: belongs to another user or is writable for all; choose another directory"
        )
    return directory


def _open(directory: Path) -> int:
    # The directory itself: a file in it may be cleaned away, and then there would be two locks.
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BadDirectory(f"{directory}: {error.strerror}") from None


def _try_for(descriptor: int, seconds: float) -> bool:
    deadline = clock.deadline_in(seconds)
    while not _try(descriptor):
        if clock.remaining(deadline) == 0:
            return False
        clock.sleep(LOOK_SECONDS)
    return True


def _try(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(run_dir: Path) -> int | None:
    try:
        text = (run_dir / PID_NAME).read_text("ascii", "replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _write_pid(run_dir: Path, text: str) -> None:
    try:
        (run_dir / PID_NAME).write_text(text, "ascii")
    except OSError as error:
        raise DaemonError(f"{run_dir / PID_NAME}: {error.strerror}") from None
