"""The bytes of a connection of redis.asyncio, for code that `greenlets.run` has called."""

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from inspect import signature
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, SSLConnection
from redis.exceptions import ResponseError

from .. import clock
from .detour import Detour
from .greenlets import wait_for
from .known_addresses import Addresses
from .lookup import LOOKUPS
from .options import OF_TLS
from .scripts import Command
from .wire import Faults, OnRefusal, closed_on_failure, look_for_files

T = TypeVar("T")
LOOK_SECONDS = 0.01
"""How often it looks whether something has come on a detour, which has no descriptor that would tell."""


class StreamWire:
    """The wire whose task waits. See `Wire`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return bool(self._connection.is_connected)

    def lead_to(self, host: str, port: int) -> None:
        """See `Wire`."""
        self._connection.host, self._connection.port = host, port

    def open(self, deadline: float, on_refusal: OnRefusal) -> None:
        """See `Wire`."""
        try:
            addresses = wait_for(_find(self._connection, deadline))
            wait_for(_until(deadline, self._open(addresses, deadline)))
        except ResponseError as error:
            on_refusal(error)
            raise

    def send(self, deadline: float, data: bytes) -> None:
        """See `Wire`."""
        writer = self._connection._writer  # noqa: SLF001 - redis-py has no public way to it
        writer.write(data)
        wait_for(_until(deadline, writer.drain()))

    def receive(self, deadline: float, count: int) -> list[Any]:
        """See `Wire`."""
        return wait_for(_until(deadline, self._read(count)))

    def poll(self, seconds: float, reply_seconds: float, stop_fd: int | None) -> list[Any] | None:  # noqa: ARG002
        """See `Wire`. What has come of a reply stays for the next call, so it needs no time of its own."""
        return wait_for(self._read_within(seconds))

    def close(self) -> None:
        """See `Wire`. Nothing is waited for: what was not sent is not sent any more."""
        connection = self._connection
        writer, connection._reader, connection._writer = connection._writer, None, None  # noqa: SLF001
        connection._parser.on_disconnect()  # noqa: SLF001
        if writer is not None:
            # RuntimeError: its loop has ended, and with it the connection.
            with suppress(RuntimeError):
                writer.transport.abort()

    async def _open(self, addresses: Addresses, deadline: float) -> None:
        if addresses:
            await self._open_by_tcp(addresses, deadline)
        else:
            # Not its public connect, which makes one kind of error of all.
            await self._connection._connect()  # noqa: SLF001
        # Over a unix socket redis-py has done it.
        if not getattr(self._connection._parser, "_connected", False):  # noqa: SLF001
            await self._connection.on_connect()

    async def _open_by_tcp(self, addresses: Addresses, deadline: float) -> None:
        connection = self._connection
        look_for_files(connection)
        # It reads them.
        ssl = connection._connection_arguments().get("ssl")  # noqa: SLF001
        sock = await _connected(addresses, deadline)
        streams = {"sock": sock, "ssl": ssl, "server_hostname": connection.host if ssl else None}
        connection._connection_arguments = lambda: streams  # noqa: SLF001
        try:
            await connection._connect()  # noqa: SLF001
        except BaseException:
            sock.close()
            raise
        finally:
            del connection._connection_arguments  # noqa: SLF001

    async def _read(self, count: int) -> list[Any]:
        read = self._connection._parser.read_response  # noqa: SLF001
        return [await read() for _ in range(count)]

    async def _read_within(self, seconds: float) -> list[Any] | None:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._read(1)
        except TimeoutError:
            if limit.expired():
                return None
            raise


class Awaiting:
    """Waits with the task that calls. See `Waits`."""

    pools = ConnectionPool
    lacking_options = frozenset({*OF_TLS} - {*signature(SSLConnection).parameters})

    def wire(self, connection: Any) -> StreamWire:
        """See `Waits`."""
        return StreamWire(connection)

    def sleep(self, seconds: float) -> None:
        """See `Waits`."""
        wait_for(asyncio.sleep(seconds))

    def block(self, way: Detour, command: Command, seconds: float) -> Any:
        """See `Waits`. Others of the loop have to go on, so that something may come."""
        deadline = clock.deadline_in(seconds)
        while (reply := way.block(command, 0)) is None and clock.remaining(deadline) > 0:
            self.sleep(LOOK_SECONDS)
        return reply


AWAITING = Awaiting()


async def _find(connection: Any, deadline: float) -> Addresses:
    """Those of its host; none if it has only a path.

    The loop's own lookup would occupy one of its few threads, and the end of the loop would wait for it.
    """
    if not hasattr(connection, "host"):
        return []
    host, port = connection.host, connection.port
    try:
        found = asyncio.wrap_future(LOOKUPS.begin(host, port))
        return await _until(LOOKUPS.patience(host, port, deadline), found)
    except TimeoutError:
        return LOOKUPS.last_known(host, port)


async def _connected(addresses: Addresses, deadline: float) -> socket.socket:
    """A socket to the first address of a name that answers; each gets its part of the time.

    The loop's own way would give all of it to the first one.
    """
    loop = asyncio.get_running_loop()
    faults = Faults()
    for i, (family, kind, protocol, _, place) in enumerate(addresses):
        try:
            with closed_on_failure(socket.socket(family, kind, protocol)) as sock:
                sock.setblocking(False)
                part = clock.deadline_in(clock.remaining(deadline) / (len(addresses) - i))
                await _until(part, loop.sock_connect(sock, place))
                return sock
        except OSError as error:
            faults.note(error)
    raise faults.take()


async def _until(deadline: float, awaitable: Awaitable[T]) -> T:
    """Raises TimeoutError with a text."""
    limit = asyncio.timeout(clock.remaining(deadline))
    try:
        async with limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise TimeoutError("the time was over") from None
        raise
