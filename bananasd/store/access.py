"""How a process gets at a namespace: it is told once, and opens connections of its own when it needs them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .calls import checked
from .connection import BLOCK_SECONDS, HeldConnection, Server
from .keys import Keys, Lane
from .schedules import ScheduleStore
from .store import Retention, Store

LONG_SECONDS = 3600.0
"""Longer than the server lets any blocking command wait."""


@dataclass(frozen=True, slots=True)
class Access:
    """Server, namespace and retention; holds no connection, so it may cross a fork."""

    server: Server
    namespace: str
    retention: Retention

    def connect(self) -> HeldConnection:
        """A new connection, made at its first trip."""
        return HeldConnection(self.server)

    def store(self, connection: HeldConnection | None = None) -> Store:
        """The transitions, over this connection or one of their own."""
        return Store(connection or self.connect(), self.namespace, self.retention)

    def schedules(self, connection: HeldConnection) -> ScheduleStore:
        """The schedules, over this connection."""
        return ScheduleStore(connection, self.namespace)


class WakeUp:
    """Waits for the tokens that say "there is work"; a trip over the same connection gives the wait up."""

    def __init__(self, connection: HeldConnection, namespace: str) -> None:
        self._connection = connection
        self._keys = Keys(namespace)

    def wait_for_work(self, lanes: Sequence[Lane], stop_fd: int) -> bool:
        """Until one of the lanes has a token, which is taken; False after a second or when stop_fd is readable."""
        return self._wait([self._keys.wake(lane) for lane in lanes], LONG_SECONDS, stop_fd)

    def wait_for_schedule(self, seconds: float, stop_fd: int, node: str) -> bool:
        """Until there is a due time earlier than all others were, or an order for the node; False after ``seconds``, or as above.

        The time is kept here, not by the server, which looks at its clock only ten times a second.
        """
        return self._wait([self._keys.wake_scheduled, self._keys.bell(node)], seconds, stop_fd)

    def close(self) -> None:
        """Drop the connection; the next wait makes another."""
        self._connection.close()

    def _wait(self, keys: list[str], seconds: float, stop_fd: int) -> bool:
        self._connection.ask(("BLPOP", *keys, BLOCK_SECONDS))
        (token,) = checked([self._connection.answer(seconds, stop_fd)])
        return bool(token)
