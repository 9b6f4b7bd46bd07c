"""From an address to a connection: one held socket with explicit time limits and no hidden repeats.

redis-py's own defaults retry what may not run twice and wait for minutes; every limit is therefore set here.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, UnixDomainSocketConnection
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from .. import clock
from ..errors import BadAddress, ConnectionFailed, ServerRefused
from . import detour
from .address import address_of
from .options import check_options
from .scripts import Command
from .sentinel import LastAnswer, Sentinel, Sentinels, Service, advice, service_of
from .wire import BLOCKING, Waits

BLOCK_SECONDS = 1
"""How long the server holds a blocking command: short enough that a token lost with a connection costs little."""

FAULTS = (RedisError, OSError, UnicodeError)
"""What a connection may raise; UnicodeError for the name of a host."""


class Transport(Protocol):
    """A way to the server and back: what a `Store` needs, be it one held connection or a pool of them."""

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """Send the commands together and return their replies, errors of the server among them as objects.

        Raises `ConnectionFailed` if there is no telling what the server did.
        """


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is. ``timeout_seconds`` bounds a trip there and back, with the connect that it may take."""

    url: str = field(repr=False)
    timeout_seconds: float
    password: str | None = field(default=None, repr=False)
    waits: Waits = field(default=BLOCKING, repr=False, compare=False)
    """How those wait who use it."""
    address: str = field(init=False)
    connection_class: type[Any] = field(init=False, repr=False)
    connection_options: dict[str, Any] = field(init=False, repr=False, compare=False)
    """Of redis-py's connections to it. Found once, before any fork: a process that does it has a megabyte more of its own."""
    service: Service | None = field(init=False, repr=False)
    """If it is one that Sentinels know: its host and port are asked for at every connect."""
    last_answer: LastAnswer = field(init=False, repr=False, compare=False, default_factory=LastAnswer)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", address_of(self.url))
        object.__setattr__(self, "service", service_of(self.url))
        check_options(self.url, self.address, self.waits.lacking_options)
        try:
            self._find_connection()
            self.make_connection()
        except (ValueError, TypeError, RedisError) as error:
            raise BadAddress(f"{self.address}: not a usable address ({error})") from None
        self.sentinels()

    def sentinels(self) -> "list[Server]":
        """Those to ask for it; none if it is no service."""
        urls = self.service.sentinel_urls if self.service else ()
        return [Server(url, self.timeout_seconds, waits=self.waits) for url in urls]

    def make_connection(self) -> AbstractConnection:
        """An unconnected connection of redis-py; that of a service has no host yet."""
        connection: AbstractConnection = self.connection_class(**self.connection_options)
        return connection

    def _find_connection(self) -> None:
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
        url = self.service.server_url if self.service else self.url
        pool = self.waits.pools.from_url(url, **limits)
        # What stands in the URL itself would win over our limits.
        options = pool.connection_kwargs | limits
        if self.password is not None:
            options["password"] = self.password
        if pool.connection_class is UnixDomainSocketConnection:
            del options["maint_notifications_config"]
        object.__setattr__(self, "connection_class", pool.connection_class)
        object.__setattr__(self, "connection_options", options)


class HeldConnection:
    """One connection to the server, made at the first trip and again after a failure. For one thread, or task, at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.wire = server.waits.wire(server.make_connection())
        self._sentinels = _sentinels_of(server)
        self._asked_until: float | None = None
        self._asked: Sequence[Command] = ()

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """See `Transport`. After a failure the connection is closed, so no late reply can be taken for another."""
        return self.trip_until(clock.deadline_in(self.server.timeout_seconds), commands)

    def trip_until(self, deadline: float, commands: Sequence[Command]) -> list[Any]:
        """The same within a time of its own, whatever the peer does; a connect, if one is needed, counts."""
        if detour.current is not None:
            return detour.current.trip(commands)
        if self._asked_until is not None:
            self.close()
        try:
            self._send(deadline, commands)
            return self._heed(deadline, self.wire.receive(deadline, len(commands)))
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise self._failed(error) from None

    @property
    def is_asking(self) -> bool:
        """Whether the reply to `ask` is still to come."""
        return self._asked_until is not None

    def ask(self, command: Command, *then: Command) -> None:
        """Send a blocking command, and what the server shall do as soon as it has ended; the replies are for `answer`.

        Nothing happens while one is under way.
        """
        if self._asked_until is None:
            self._asked = (command, *then)
            if detour.current is not None:
                return
            try:
                self._send(clock.deadline_in(self.server.timeout_seconds), self._asked)
            except BaseException as error:  # noqa: BLE001 - it is raised again
                raise self._failed(error) from None
            self._asked_until = clock.deadline_in(BLOCK_SECONDS + self.server.timeout_seconds)

    def answer(self, seconds: float, stop_fd: int | None = None) -> list[Any]:
        """The replies to `ask`; none if they did not come in time, or before ``stop_fd`` became readable."""
        if detour.current is not None:
            return [self.server.waits.block(detour.current, self._asked[0], seconds)]
        if self._asked_until is None:
            return []
        try:
            limit = min(seconds, clock.remaining(self._asked_until))
            replies = self.wire.poll(limit, self.server.timeout_seconds, stop_fd)
            if replies:
                self._asked_until = None
                deadline = clock.deadline_in(self.server.timeout_seconds)
                if more := len(self._asked) - 1:
                    replies += self.wire.receive(deadline, more)
                return self._heed(deadline, replies)
        except BaseException as error:  # noqa: BLE001 - it is raised again
            raise self._failed(error) from None
        if replies is None and clock.remaining(self._asked_until) == 0:
            raise self._failed(TimeoutError(f"no answer within {self.server.timeout_seconds:g} s"))
        return []

    def _heed(self, deadline: float, replies: list[Any]) -> list[Any]:
        """Leave a server that refuses: its name may lead to another by now, as after a failover."""
        for reply in replies:
            if isinstance(reply, ResponseError) and not isinstance(reply, NoScriptError):
                self._tell_if_sentinel(deadline, reply)
                self.close()
                break
        return replies

    def _tell_if_sentinel(self, deadline: float, refusal: ResponseError) -> None:
        """Raise if what refuses is a Sentinel that was taken for the server to which it leads."""
        if "unknown command" not in str(refusal) or self.server.service:
            return
        role: Any = None
        with suppress(*FAULTS):
            self._send(deadline, [("ROLE",)])
            (role,) = self.wire.receive(deadline, 1)
        if isinstance(role, list) and role[:1] == [b"sentinel"]:
            raise ServerRefused(advice(self.server.address, role[1]))

    def close(self) -> None:
        """Drop the connection; the next trip makes another."""
        self._asked_until = None
        self.wire.close()

    def _send(self, deadline: float, commands: Sequence[Command]) -> None:
        try:
            # In one piece, for which one limit holds however slowly it goes out. Redis-py's own way to this function looks
            # at every word before, which takes longer than the packing.
            packed = b"".join(map(pack_command, commands))
        except UnicodeEncodeError:
            # An id or a queue that somebody else wrote, not in UTF-8: see store.text.
            packed = b"".join([pack_command(_in_bytes(command)) for command in commands])
        if not self.wire.is_open:
            self._connect(deadline)
        self.wire.send(deadline, packed)

    def _connect(self, deadline: float) -> None:
        if self._sentinels is None:
            self._open(deadline)
            return
        try:
            self._sentinels.lead(self._enter, deadline)
        except ConnectionFailed as error:
            raise type(error)(f"{self.server.address}: {error}") from None

    def _enter(self, host: str, port: int, deadline: float) -> None:
        """Connect to what a Sentinel says is the primary; it may be demoted since, or not promoted yet."""
        self.wire.lead_to(host, port)
        try:
            self._open(deadline)
            self._send(deadline, [("ROLE",)])
            _check_role(*self.wire.receive(deadline, 1))
        except FAULTS as error:
            raise self._failed(error, f"{host}:{port}") from None

    def _open(self, deadline: float) -> None:
        self.wire.open(deadline, lambda refusal: self._tell_if_sentinel(deadline, refusal))

    def _failed(self, error: BaseException, place: str = "") -> BaseException:
        """What to raise. Whatever has broken in, a signal's handler too, may have left a command or a reply half done."""
        self.close()
        if not isinstance(error, FAULTS):
            return error
        # While it connects: a wrong password, a database that there is not.
        is_refusal = isinstance(error, (AuthenticationError, ResponseError))
        return (ServerRefused if is_refusal else ConnectionFailed)(f"{place or self.server.address}: {error}")


def _sentinels_of(server: Server) -> Sentinels | None:
    if server.service is None:
        return None
    known = [Sentinel(sentinel.address, HeldConnection(sentinel)) for sentinel in server.sentinels()]
    return Sentinels(server.service.name, known, server.last_answer)


def _check_role(reply: Any) -> None:
    """Raise if a server says that it is no primary. One that does not let us ask is taken at its Sentinel's word."""
    if isinstance(reply, NoPermissionError):
        return
    if isinstance(reply, ResponseError):
        raise reply
    if not isinstance(reply, list) or reply[:1] != [b"master"]:
        raise OSError("it is no primary")


def _in_bytes(command: Command) -> Command:
    return tuple(
        word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word for word in command
    )
