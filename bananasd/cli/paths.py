"""Whether a daemon could use the paths of its configuration, as far as it can be seen without making anything."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..settings import Config

_KERNELS_OWN = ("/proc", "/sys")
"""Nobody makes directories there, but a look would tell root that it may."""


def path_obstacles(config: Config) -> Iterator[str]:
    """Why a daemon could not start, or one that this user starts could not write to its log."""
    for name, directory in _directories(config):
        if fault := _fault_of(directory):
            yield f"{_at(config)}{name}: {directory}: {fault}; choose another directory"
    path = config.log.file
    try:
        if path is not None:
            _try_to_write(path)
    except OSError as error:
        yield (
            f"{_at(config)}log.file: {path}: cannot be written to: {error.strerror}; name a file in a directory that is "
            "there and that the daemon may write to"
        )


def path_risks(config: Config) -> Iterator[str]:
    """What keeps the daemon of this user from its directories, and perhaps not the one of another."""
    for name, directory in _directories(config):
        if risk := _risk_of(directory):
            yield f"{_at(config)}{name}: {directory}: {risk}"


def _at(config: Config) -> str:
    return f"{config.path}: " if config.path else ""


def _directories(config: Config) -> Iterator[tuple[str, Path]]:
    """Those that a start makes, or takes as they are."""
    yield "run_dir", config.run_dir
    if config.redis.is_embedded:
        yield "state_dir", config.state_dir


def _fault_of(directory: Path) -> str:
    """Why no daemon would take it; "" for one that is not there yet, or where this user may not look."""
    try:
        status = directory.stat()
    except FileNotFoundError:
        if directory.is_symlink():
            return "cannot be made: a link that leads nowhere is in its place"
        return "cannot be made there" if any(map(directory.is_relative_to, _KERNELS_OWN)) else ""
    except PermissionError:
        # The daemon's user may well pass where this one may not.
        return ""
    except OSError as error:
        return f"cannot be used as a directory: {error.strerror}"
    if not stat.S_ISDIR(status.st_mode):
        return f"cannot be used as a directory: {os.strerror(errno.ENOTDIR)}"
    return "is writable for all" if status.st_mode & stat.S_IWOTH else ""


def _risk_of(directory: Path) -> str:
    """Why the daemon of this user would not take it, or could not use it, where no fault was found."""
    try:
        owner = directory.stat().st_uid
    except PermissionError:
        return "this user may not look there: run 'bananasd check' as the daemon's user, or as root"
    except FileNotFoundError:
        if os.access(_nearest(directory), os.W_OK | os.X_OK):
            return ""
        remedy = "make it before the start, as systemd does by RuntimeDirectory= and StateDirectory="
        return f"is not there, and this user may not make it; {remedy}"
    # Root's directories are taken by a start; and root may be looking for whoever the daemon is.
    if owner and os.getuid() not in (owner, 0):
        return "belongs to another user, and is for the daemon of that one alone"
    if not os.access(directory, os.W_OK | os.X_OK):
        return "this user may not write there; let the daemon's, or choose another directory"
    return ""


def _nearest(directory: Path) -> Path:
    """The directory in which it, or the first of those above it, is to be made."""
    return next(path for path in directory.parents if path.exists())


def _try_to_write(path: Path) -> None:
    """Without making it: a file that root has made here would be closed to the daemon."""
    try:
        # Nor does a pipe that nobody reads hold it up.
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY))
    except FileNotFoundError:
        directory = path.resolve().parent
        directory.stat()
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
