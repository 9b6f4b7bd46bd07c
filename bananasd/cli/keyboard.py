"""The keyboard: keys of the terminal one by one as they are pressed, without showing them."""

import os
import select
import sys
import termios
import tty
from typing import Any, Self

from .. import clock


class Keyboard:
    """Changes the terminal while it is in use, and puts it back as it was. Without a terminal no key is ever pressed."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        if self._descriptor is not None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
            self._forbid_suspending()
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)

    def wait(self, seconds: float) -> str:
        """The key that is pressed within this time; empty if none is."""
        if self._descriptor is None:
            clock.sleep(seconds)
            return ""
        is_pressed, _, _ = select.select([self._descriptor], [], [], seconds)
        return os.read(self._descriptor, 1).decode("ascii", "replace") if is_pressed else ""

    def _forbid_suspending(self) -> None:
        """A Ctrl-Z would leave its shell with our screen and without an echo."""
        attributes = termios.tcgetattr(self._descriptor or 0)
        attributes[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._descriptor or 0, termios.TCSANOW, attributes)
