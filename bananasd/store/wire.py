"""The bytes of a connection: how they go, and how who waits for them waits."""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.exceptions import ResponseError

from .. import clock
from . import lookup
from .detour import Detour
from .known_addresses import Addresses
from .scripts import Command
from .timed_socket import TimedSocket

MIN_TIMEOUT_SECONDS = 0.001
"""A socket takes 0 for "never block", which is not what a deadline that has just passed means."""

NO_WAY = (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EAFNOSUPPORT)
"""What a host without IPv6, or without IPv4, says of such an address."""

OnRefusal = Callable[[ResponseError], None]


class Wire(Protocol):
    """What a `HeldConnection` asks of redis-py's connection. Whatever fails raises one of its ``FAULTS``."""

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""

    def lead_to(self, host: str, port: int) -> None:
        """Where the next `open` shall lead."""

    def open(self, deadline: float, on_refusal: OnRefusal) -> None:
        """Connect, and say who we are; ``on_refusal`` is told if the server does not want to hear it."""

    def send(self, deadline: float, data: bytes) -> None:
        """Send everything."""

    def receive(self, deadline: float, count: int) -> list[Any]:
        """So many replies."""

    def poll(self, seconds: float, reply_seconds: float, stop_fd: int | None) -> list[Any] | None:
        """The next reply; None if none came in time, an empty list if ``stop_fd`` became readable before."""

    def close(self) -> None:
        """Drop the connection."""


class Waits(Protocol):
    """How all that a client does waits: with its thread, or with a task of an event loop."""

    pools: type[Any]
    """Redis-py's pool, which knows what connection a URL means."""
    lacking_options: frozenset[str]
    """Those of a URL that its connections do not have."""

    def wire(self, connection: Any) -> Wire:
        """The wire of an unconnected connection."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def block(self, way: Detour, command: Command, seconds: float) -> Any:
        """See `Detour.block`."""


class SocketWire:
    """The wire whose thread waits."""

    def __init__(self, connection: Any) -> None:
        # The parts of redis-py's connection that send have no types.
        self._connection = connection

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._connection._sock is not None  # noqa: SLF001 - redis-py has no public way to it

    @property
    def sock(self) -> TimedSocket:
        """The socket, if it is open."""
        sock: TimedSocket | None = self._connection._sock  # noqa: SLF001 - the same
        if sock is None:
            raise OSError("the connection was closed")
        return sock

    def lead_to(self, host: str, port: int) -> None:
        """See `Wire`."""
        self._connection.host, self._connection.port = host, port

    def open(self, deadline: float, on_refusal: OnRefusal) -> None:
        """See `Wire`."""
        connection = self._connection
        look_for_files(connection)
        if addresses := _addresses(connection, deadline):
            # Its own would look the name up once more, for as long as the system likes.
            connection._connect = partial(_connect, connection, addresses, deadline)  # noqa: SLF001
        connection.socket_connect_timeout = connection.socket_timeout = _left(deadline)
        connection.redis_connect_func = partial(_greet, deadline, on_refusal)
        try:
            connection.connect()
        finally:
            # Without these circles a connection that is dropped is closed at once.
            connection.redis_connect_func = None
            vars(connection).pop("_connect", None)

    def send(self, deadline: float, data: bytes) -> None:
        """See `Wire`."""
        self._connection._sock.send_until(deadline, data)  # noqa: SLF001

    def receive(self, deadline: float, count: int) -> list[Any]:
        """See `Wire`."""
        self._connection._sock.receive_until(deadline)  # noqa: SLF001
        # Not the connection's own, which takes twice as long and raises what the server says.
        read = self._connection._parser.read_response  # noqa: SLF001
        return [read() for _ in range(count)]

    def poll(self, seconds: float, reply_seconds: float, stop_fd: int | None) -> list[Any] | None:
        """See `Wire`. A reply whose first byte has come has ``reply_seconds`` to be whole."""
        fd = self.sock.fileno()
        readable = _readable([fd] if stop_fd is None else [fd, stop_fd], seconds)
        if fd in readable:
            return self.receive(clock.deadline_in(reply_seconds), 1)
        return [] if readable else None

    def close(self) -> None:
        """See `Wire`."""
        self._connection.disconnect()


class Blocking:
    """Waits with the thread that calls."""

    pools = ConnectionPool
    lacking_options = frozenset[str]()

    def wire(self, connection: Any) -> SocketWire:
        """See `Waits`."""
        return SocketWire(connection)

    def sleep(self, seconds: float) -> None:
        """See `Waits`."""
        clock.sleep(seconds)

    def block(self, way: Detour, command: Command, seconds: float) -> Any:
        """See `Waits`."""
        return way.block(command, seconds)


BLOCKING = Blocking()


class Faults:
    """Of several addresses of a name, none of which was reached, the fault that tells most."""

    def __init__(self) -> None:
        self._fault: OSError | None = None

    def note(self, error: OSError) -> None:
        """Of one more. That this host has no way to such addresses is no news where another one was tried."""
        if self._fault is None or error.errno not in NO_WAY:
            self._fault = error

    def take(self) -> OSError:
        """To be raised, and not kept: its traceback leads to whoever has it."""
        fault, self._fault = self._fault, None
        return fault or OSError(errno.EHOSTUNREACH, "the name has no address")


@contextmanager
def closed_on_failure(sock: socket.socket) -> Iterator[socket.socket]:
    """Close it if what is done with it fails."""
    try:
        yield sock
    except BaseException:
        sock.close()
        raise


def _addresses(connection: Any, deadline: float) -> Addresses:
    """Those of its host; none if it has only a path."""
    is_tcp = isinstance(connection, Connection)
    return lookup.find(connection.host, connection.port, deadline) if is_tcp else []


def _connect(connection: Any, addresses: Addresses, deadline: float) -> socket.socket:
    """A socket to the first address that answers, and the exchange of keys."""
    is_tls = isinstance(connection, SSLConnection)
    sock = _reach(connection, addresses, deadline)
    sock.settimeout(_left(deadline))
    if not is_tls:
        return sock
    with closed_on_failure(sock):
        wrapped: socket.socket = connection._wrap_socket_with_ssl(sock)  # noqa: SLF001
        return wrapped


def look_for_files(connection: Any) -> None:
    """Those of TLS that a URL names. What OpenSSL says of one that it cannot read does not tell which."""
    for name in ("ca_certs", "certfile", "keyfile"):
        if path := getattr(connection, name, None):
            Path(path).open("rb").close()


def _reach(connection: Connection, addresses: Addresses, deadline: float) -> socket.socket:
    """Each gets its part of the time."""
    faults = Faults()
    for i, (family, kind, protocol, _, place) in enumerate(addresses):
        try:
            with closed_on_failure(socket.socket(family, kind, protocol)) as sock:
                _set_options(sock, connection)
                sock.settimeout(_left(deadline) / (len(addresses) - i))
                sock.connect(place)
                return sock
        except OSError as error:
            faults.note(error)
    raise faults.take()


def _set_options(sock: socket.socket, connection: Connection) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in connection.socket_keepalive_options.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _left(deadline: float) -> float:
    return max(clock.remaining(deadline), MIN_TIMEOUT_SECONDS)


def _greet(deadline: float, on_refusal: OnRefusal, connection: Any) -> None:
    """Over a new socket: AUTH, SELECT, a name. Called by redis-py."""
    connection._sock = TimedSocket(connection._sock, deadline)  # noqa: SLF001
    try:
        connection.on_connect()
    except ResponseError as error:
        on_refusal(error)
        raise


def _readable(fds: list[int], seconds: float) -> set[int]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(seconds * 1000)}
