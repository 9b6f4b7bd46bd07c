"""From an address to a connection: one held socket with explicit time limits and no hidden repeats.

redis-py's own defaults retry what may not run twice and wait for minutes; every limit is therefore set here.
"""

import select
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, ConnectionPool
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from .. import clock
from ..errors import ConnectionFailed, ServerRefused
from .address import address_of
from .scripts import Command

BLOCK_SECONDS = 1
"""How long the server holds a blocking command: short enough that a token lost with a connection costs little."""

CONNECT_WAITS = 4
MIN_TIMEOUT_SECONDS = 0.001
"""A socket takes 0 for "never block", which is not what a deadline that has just passed means."""


class Transport(Protocol):
    """A way to the server and back: what a `Store` needs, be it one held connection or a pool of them."""

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """Send the commands together and return their replies, errors of the server among them as objects.

        Raises `ConnectionFailed` if there is no telling what the server did.
        """


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is. ``timeout_seconds`` bounds a connect and each wait for a reply."""

    url: str = field(repr=False)
    timeout_seconds: float
    password: str | None = field(default=None, repr=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", address_of(self.url))
        self.make_connection()

    def make_connection(self) -> AbstractConnection:
        """An unconnected connection of redis-py."""
        limits: dict[str, Any] = {
            "socket_timeout": self.timeout_seconds,
            "socket_connect_timeout": self.timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "decode_responses": False,
            "encoding": "utf-8",
            # Two trips less for every connection.
            "driver_info": None,
            "health_check_interval": 0,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        try:
            pool = ConnectionPool.from_url(self.url, **limits)
            # What stands in the URL itself would win over our limits.
            options = pool.connection_kwargs | limits
            if self.password is not None:
                options["password"] = self.password
            if not issubclass(pool.connection_class, Connection):
                del options["maint_notifications_config"]
            connection: AbstractConnection = pool.connection_class(**options)
        except (ValueError, TypeError, RedisError) as error:
            raise ConnectionFailed(f"{self.address}: not a usable address ({error})") from None
        return connection


class HeldConnection:
    """One connection to the server, made at the first trip and again after a failure. For one thread at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        # redis-py's connection, the parts of which that send have no types.
        self._connection: Any = server.make_connection()
        self._asked_until: float | None = None

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """See `Transport`. After a failure the connection is closed, so no late reply can be taken for another."""
        if self._asked_until is not None:
            self.close()
        try:
            self._connection.send_packed_command(self._pack(commands), check_health=False)
            return [self._receive() for _ in commands]
        except (RedisError, OSError) as error:
            raise self._failed(error) from None

    def trip_until(self, deadline: float, commands: Sequence[Command]) -> list[Any]:
        """The same within a time of its own; a connect, if one is needed, counts."""
        connection, seconds = self._connection, max(clock.remaining(deadline), MIN_TIMEOUT_SECONDS)
        sock = connection._get_socket()  # noqa: SLF001 - redis-py has no public way to it
        if sock:
            sock.settimeout(seconds)
        else:
            # A connect and its handshake (AUTH, SELECT, a name) wait up to four times, each for as long as it is told.
            connection.socket_connect_timeout = connection.socket_timeout = seconds / CONNECT_WAITS
        try:
            connection.send_packed_command(self._pack(commands), check_health=False)
            return [self._receive(max(clock.remaining(deadline), MIN_TIMEOUT_SECONDS)) for _ in commands]
        except (RedisError, OSError) as error:
            raise self._failed(error) from None

    def ask(self, command: Command) -> None:
        """Send a blocking command; its reply is for `answer`. Nothing happens while one is under way."""
        if self._asked_until is None:
            try:
                self._connection.send_command(*command, check_health=False)
            except (RedisError, OSError) as error:
                raise self._failed(error) from None
            self._asked_until = clock.deadline_in(BLOCK_SECONDS + self.server.timeout_seconds)

    def answer(self, seconds: float, stop_fd: int) -> Any:
        """The reply to `ask`; None if it did not come in time, or before ``stop_fd`` became readable."""
        if self._asked_until is None:
            return None
        try:
            fd = self._fileno()
            readable = _readable([fd, stop_fd], min(seconds, clock.remaining(self._asked_until)))
            if fd in readable:
                self._asked_until = None
                return self._receive()
        except (RedisError, OSError) as error:
            raise self._failed(error) from None
        if not readable and clock.remaining(self._asked_until) == 0:
            raise self._failed(TimeoutError(f"no answer within {self.server.timeout_seconds:g} s"))
        return None

    def close(self) -> None:
        """Drop the connection; the next trip makes another."""
        self._asked_until = None
        self._connection.disconnect()

    def _pack(self, commands: Sequence[Command]) -> Any:
        try:
            return self._connection.pack_commands(commands)
        except UnicodeEncodeError:
            # An id or a queue that somebody else wrote, not in UTF-8: see store.text.
            return self._connection.pack_commands([_in_bytes(command) for command in commands])

    def _receive(self, timeout_seconds: float | None = None) -> Any:
        try:
            if timeout_seconds is None:
                return self._connection.read_response()
            return self._connection.read_response(timeout=timeout_seconds)
        except ResponseError as error:
            return error

    def _fileno(self) -> int:
        sock = self._connection._get_socket()  # noqa: SLF001
        if sock is None:
            raise OSError("the connection was closed")
        return int(sock.fileno())

    def _failed(self, error: Exception) -> ConnectionFailed:
        self.close()
        # While it connects: a wrong password, a database that there is not.
        is_refusal = isinstance(error, (AuthenticationError, ResponseError))
        return (ServerRefused if is_refusal else ConnectionFailed)(f"{self.server.address}: {error}")


def _in_bytes(command: Command) -> Command:
    return tuple(
        word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word for word in command
    )


def _readable(fds: list[int], seconds: float) -> set[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(seconds * 1000)}
