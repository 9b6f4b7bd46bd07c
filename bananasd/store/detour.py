"""A way that leads past every server, for tests: `bananasd.testing` enters it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from .scripts import Command


class Detour(Protocol):
    """What answers in place of every server."""

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to these commands."""

    def block(self, command: Command, seconds: float) -> Any:
        """The reply to a blocking command; None if there is none within so many seconds."""


current: Detour | None = None
"""What every connection of this process asks, in all threads; None: its server."""


@contextmanager
def enter(detour: Detour) -> Iterator[None]:
    """Let every connection go this way meanwhile. One within another takes over until it ends."""
    global current  # noqa: PLW0603 - clients are made anywhere, before and after
    before, current = current, detour
    try:
        yield
    finally:
        current = before
