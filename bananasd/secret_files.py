"""Files that hold one secret: what may be one, and how it is read."""

import os
import stat
from pathlib import Path

MAX_BYTES = 64 * 1024
"""More is no secret, but a file that was named by mistake."""


def read_secret(path: Path, what: str) -> str:
    """What the file holds, without the end of its line; ``what`` is the name of it for an error.

    Raises ValueError, with the path and a remedy, for what cannot be read, is no regular file, is too large or holds nothing.
    """
    try:
        secret = _read(path, what).decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: cannot be read: it is not UTF-8") from None
    if not secret:
        raise ValueError(f"{path}: holds no {what}")
    return secret


def _read(path: Path, what: str) -> bytes:
    """Neither waits for somebody to write nor reads without end; it is read again at each reload, which a pipe could not be."""
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(
                f"{path}: is no regular file, but a pipe or a device; put the {what} into a file"
            )
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"{path}: has more than {MAX_BYTES // 1024} KiB; name a file that holds only the {what}"
        )
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Not to wait at a pipe until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
