"""Small files that are read whole, so that no reader waits for somebody to write, or reads without end."""

import os
import stat
from pathlib import Path


def read_regular(path: Path, max_bytes: int, remedy: str) -> bytes:
    """What the file holds.

    Raises OSError if it cannot be read; ValueError, with the path and the ``remedy``, if it is no regular file, or larger.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path}: is no regular file, but a pipe or a device; {remedy}")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{path}: has more than {max_bytes // 1024:,} KiB; {remedy}")
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Not to wait at a pipe until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
