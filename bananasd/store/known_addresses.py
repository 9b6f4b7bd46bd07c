"""What name servers have said, for the time in which they say nothing; where there is a file for it, to all who share that."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import get_native_id
from typing import Any

import orjson

Addresses = Sequence[tuple[int, int, int, str, Any]]
"""As the system's lookup has them."""

_MAX_NUMBER = 65535
"""Of a port; a flow and a scope, as a name server's word goes, are 0."""

MAX_SHARED = 100
"""Handlers look up names as well, and may have ever new ones."""


class KnownAddresses:
    """Of a host and a port what was said last. What cannot be read or written of the file is done without."""

    def __init__(self) -> None:
        self._own: dict[str, Addresses] = {}
        self._file: Path | None = None

    def share(self, file: Path) -> None:
        """Let others know what is learnt from now on, and know what they learn: for one that is new all names are."""
        self._file = file

    def get(self, host: str, port: int) -> Addresses | None:
        """None if nobody has found it."""
        place = _place(host, port)
        # What this process was told may be older than what another was.
        return self._shared().get(place) or self._own.get(place)

    def has_found(self, host: str, port: int) -> bool:
        """Whether this process itself has."""
        return _place(host, port) in self._own

    def put(self, host: str, port: int, addresses: Addresses) -> None:
        """It was found."""
        self._own[_place(host, port)] = addresses
        self._tell(_place(host, port), addresses)

    def drop(self, host: str, port: int) -> None:
        """There is no such name."""
        self._own.pop(_place(host, port), None)
        self._tell(_place(host, port), None)

    def _shared(self) -> dict[str, Addresses]:
        if self._file is None:
            return {}
        with suppress(OSError, ValueError, TypeError, AttributeError, IndexError):
            told = orjson.loads(self._file.read_bytes())
            return {place: [_read(each) for each in addresses] for place, addresses in told.items()}
        return {}

    def _tell(self, place: str, addresses: Addresses | None) -> None:
        """Of two who write at once the last one's word stays; the other's is told at the next lookup."""
        shared = self._shared()
        if self._file is None or shared.get(place) == addresses:
            return
        others = [(key, value) for key, value in shared.items() if key != place]
        told = dict([*others[1 - MAX_SHARED :], *([(place, addresses)] if addresses else [])])
        with suppress(OSError):
            unfinished = self._file.with_name(f"{self._file.name}.{get_native_id()}")
            unfinished.write_bytes(orjson.dumps(told))
            unfinished.replace(self._file)


def _place(host: str, port: int) -> str:
    return f"{host}:{port}"


def _read(address: Sequence[Any]) -> tuple[int, int, int, str, Any]:
    """Raises ValueError or TypeError for what is none: with that no socket is to be troubled."""
    family, kind, protocol, name, place = address
    ip_address(place[0].partition("%")[0])
    if protocol not in (0, socket.IPPROTO_TCP) or not all(0 <= number <= _MAX_NUMBER for number in place[1:]):
        raise ValueError(address)
    return socket.AddressFamily(family), socket.SocketKind(kind), protocol, str(name), tuple(place)
