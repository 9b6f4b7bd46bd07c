"""How a process gets at a namespace: it is told once, and opens connections of its own when it needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError

from .calls import Call, checked
from .claims import Claim, read_claim
from .connection import BLOCK_SECONDS, HeldConnection, Server
from .keys import Keys, Lane
from .schedules import ScheduleStore
from .scripts import Command
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

    @property
    def is_waiting(self) -> bool:
        """Whether a wait was broken off by stop_fd: with the next one it goes on. Until then it may bring jobs nobody sees."""
        return self._connection.is_asking

    def wait_and_claim(self, claim: Call, lanes: Sequence[Lane], stop_fd: int) -> Claim | None:
        """What ``claim`` brings, once one of its lanes has a token, which is taken, or after a second.

        None if stop_fd is readable before. The server claims by itself, at the end of the wait: that saves a way there
        and back, which is most of what an idle worker's job waits for.
        """
        by_digest = claim.script.by_digest(claim.keys, claim.args)
        replies = self._wait([self._keys.wake(lane) for lane in lanes], LONG_SECONDS, stop_fd, by_digest)
        if not replies:
            return None
        if isinstance(replies[1], NoScriptError):
            return Claim([], is_cut=True)
        return read_claim(checked(replies)[1], lanes)

    def wait_for_schedule(self, seconds: float, stop_fd: int, node: str) -> bool:
        """Until there is a due time earlier than all others were, or an order for the node; False after ``seconds``, or as above.

        The time is kept here, not by the server, which looks at its clock only ten times a second.
        """
        keys = [self._keys.wake_scheduled, self._keys.bell(node)]
        return any(checked(self._wait(keys, seconds, stop_fd)))

    def close(self) -> None:
        """Drop the connection; the next wait makes another."""
        self._connection.close()

    def _wait(self, keys: list[str], seconds: float, stop_fd: int, *then: Command) -> list[Any]:
        self._connection.ask(("BLPOP", *keys, BLOCK_SECONDS), *then)
        return self._connection.answer(seconds, stop_fd)
