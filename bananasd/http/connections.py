"""The connections of the web server: how many there may be, and which one has to go when there is one more."""

import asyncio
import logging
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

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
        self._open: list[H11Protocol] = []
        self._dropped = 0

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """For uvicorn, which calls it once for each connection, as it would its own class."""
        return cast("type[asyncio.Protocol]", self._take)

    def _take(self, **given: Any) -> H11Protocol:
        self._open = [each for each in self._open if not _is_gone(each)]
        surplus = len(self._open) + 1 - MAX_CONNECTIONS
        if surplus > 0:
            self._drop(surplus)
        self._open.append(H11Protocol(**given))
        return self._open[-1]

    def _drop(self, count: int) -> None:
        # What was accepted in this turn of the loop has no socket yet: it is counted at the next one.
        for connection in sorted(filter(_is_made, self._open), key=_is_asking)[:count]:
            # Not close: that would wait until a peer that does not read has read what there is.
            connection.transport.abort()
            self._note_drop()

    def _note_drop(self) -> None:
        """The 1st, 2nd, 4th, 8th … in the log: a flood must not fill it."""
        self._dropped += 1
        if self._dropped & (self._dropped - 1) == 0:
            logger.warning(
                "http connections full limit=%d: the oldest made room; dropped=%d since the start",
                MAX_CONNECTIONS, self._dropped,
            )  # fmt: skip


def _is_made(connection: H11Protocol) -> bool:
    return cast("object", connection.transport) is not None


def _is_gone(connection: H11Protocol) -> bool:
    return _is_made(connection) and connection.transport.is_closing()


def _is_asking(connection: H11Protocol) -> bool:
    """Whether it is being answered."""
    cycle = cast("Any", connection.cycle)
    return cycle is not None and not cycle.response_complete
