"""Connections for many threads, and for the processes that they fork."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import clock
from ..errors import ConnectionFailed, ServerRefused
from . import detour
from .connection import HeldConnection, Server, Transport
from .idle import Idle, are_files_left
from .scripts import Command

RETRY_PAUSE_SECONDS = 0.05


class Pool:
    """Has a connection for each trip that is under way, and keeps a few that have come back for the next.

    Where the process may open no more files, a trip waits for the connection of another.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._idle = Idle()
        self._pid = os.getpid()

    def call(self, seconds: float | None = None) -> Transport:
        """The way for one call, which may run twice: a trip that fails is repeated while there is time.

        All its trips together end within ``seconds``, or else the server's ``timeout_seconds``.
        """
        return _Call(self, self._deadline(seconds), is_patient=True)

    def attempt(self) -> Transport:
        """The same without repeats."""
        return _Call(self, self._deadline(None), is_patient=False)

    def trip(self, deadline: float, commands: Sequence[Command], *, is_patient: bool) -> list[Any]:
        """See `Transport`; ends by the deadline, whatever happens."""
        if detour.current is not None:
            # A handler that is run inline may raise what would be tried again below.
            return detour.current.trip(commands)
        connection = self._here().take() or HeldConnection(self.server)
        while True:
            try:
                replies = connection.trip_until(deadline, commands)
                self._here().put(connection)
                return replies
            except ServerRefused:
                raise
            except ConnectionFailed:
                are_left = are_files_left()
                if (are_left and not is_patient) or clock.remaining(deadline) <= RETRY_PAUSE_SECONDS:
                    raise
            if are_left:
                self.server.waits.sleep(RETRY_PAUSE_SECONDS)
            else:
                connection = self._here().wait(self.server.waits, deadline) or connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        while connection := self._here().take():
            connection.close()

    def _deadline(self, seconds: float | None) -> float:
        return clock.deadline_in(self.server.timeout_seconds if seconds is None else seconds)

    def _here(self) -> Idle:
        # A forked process must not speak over its parent's sockets.
        if self._pid != os.getpid():
            self._idle, self._pid = Idle(), os.getpid()
        return self._idle


@dataclass(slots=True)
class _Call:
    pool: Pool
    deadline: float
    is_patient: bool

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        return self.pool.trip(self.deadline, commands, is_patient=self.is_patient)
