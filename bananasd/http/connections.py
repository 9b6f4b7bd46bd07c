"""The connections of the web server: how many there may be, and which one has to go when there is one more."""

import asyncio
import logging
from typing import Any, cast

from .protocol import Protocol
from .seldom import Seldom

MAX_CONNECTIONS = 256
"""A flood must take neither the memory of the jobs nor all files of the process."""

BACKLOG = 128
"""As many are accepted at once, in one turn of the loop, before any of them is counted."""

logger = logging.getLogger(__name__)


class Connections:
    """Those that are open, the oldest first.

    Whoever comes is let in, a health check above all: room is made at the cost of the oldest one that asks for nothing at the
    moment, or has not said yet what it wants; if all are being answered, of the oldest.
    """

    def __init__(self) -> None:
        self._open: list[Protocol] = []
        self._dropped, self._broken = Seldom(), Seldom()

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """For uvicorn, which calls it once for each connection, as it would its own class."""
        return cast("type[asyncio.Protocol]", self._take)

    def _take(self, **given: Any) -> Protocol:
        self._open = [each for each in self._open if not each.is_gone]
        surplus = len(self._open) + 1 - MAX_CONNECTIONS
        if surplus > 0:
            self._drop(surplus)
        self._open.append(Protocol(self._note_broken, **given))
        return self._open[-1]

    def _drop(self, count: int) -> None:
        # What was accepted in this turn of the loop has no socket yet: it is counted at the next one.
        made = [each for each in self._open if each.is_made]
        for connection in sorted(made, key=lambda each: each.is_asking)[:count]:
            # Not close: that would wait until a peer that does not read has read what there is.
            connection.transport.abort()
            self._note_drop()

    def _note_drop(self) -> None:
        if self._dropped.is_worth_a_line():
            logger.warning(
                "http connections full limit=%d: the oldest made room; dropped=%d since the start",
                MAX_CONNECTIONS, self._dropped.times,
            )  # fmt: skip

    def _note_broken(self) -> None:
        if self._broken.is_worth_a_line():
            logger.warning(
                "http request broken: it is no HTTP, and was refused; broken=%d since the start",
                self._broken.times,
            )
