"""Files that hold one secret: what may be one, and how it is read."""

import re
from pathlib import Path

from .regular_files import read_regular

MAX_BYTES = 64 * 1024
"""More is no secret, but a file that was named by mistake."""


def read_secret(path: Path, what: str) -> str:
    """What the file holds, without the end of its line, or a byte order mark; ``what`` is the name of it for an error.

    Raises ValueError, with the path and a remedy, for what cannot be read, is no regular file, is too large, holds nothing,
    or more than a line of text.
    """
    remedy = f"name a file that holds only the {what}"
    try:
        secret = read_regular(path, MAX_BYTES, remedy).decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: cannot be read: it is not UTF-8") from None
    if not secret:
        raise ValueError(f"{path}: holds no {what}")
    if re.search(r"[\x00-\x1f\x7f]", secret):
        raise ValueError(f"{path}: holds more than one line, or control characters; {remedy}, in one line")
    return secret
