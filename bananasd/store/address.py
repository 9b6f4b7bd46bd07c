"""The address of a server: the forms that it may have, and as much of it as may be shown."""

import os
import re
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import BadAddress
from . import sentinel

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
DEFAULT_PORT = 6379
MAX_SOCKET_PATH_BYTES = 107

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def address_of(url: Any) -> str:
    """The URL without user, password and options, for messages. Raises `BadAddress` if it cannot be one.

    No message shows a part of it that could belong to a password, and be it a password that was written badly.
    """
    scheme = _checked_scheme(url)
    if scheme.endswith("+sentinel"):
        return _service_address(scheme, url)
    parts = _split(scheme, url)
    return _socket_address(parts) if scheme == "unix" else _network_address(parts)


def is_of_each_host(address: str) -> bool:
    """Whether an address, as `address_of` has it, leads from every host to a server of its own: a socket, or the loopback.

    Never by way of Sentinels: each host may have one, and all of them lead to the same server.
    """
    scheme, _, rest = address.partition("://")
    if scheme.endswith("+sentinel"):
        return False
    return scheme == "unix" or _is_loopback(rest.partition("/")[0].rpartition(":")[0])


def _is_loopback(host: str) -> bool:
    try:
        known = ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    known = getattr(known, "ipv4_mapped", None) or known
    return known.is_loopback or known.is_unspecified


def _checked_scheme(url: Any) -> str:
    wanted = f"it must begin with {'://, '.join(SCHEMES[:-1])}:// or {SCHEMES[-1]}://"
    if not isinstance(url, str):
        raise BadAddress(f"the address is no text but of type {type(url).__name__}; {wanted}")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    if scheme is None:
        raise BadAddress(f"the address is no URL; {wanted}")
    if scheme[1] not in SCHEMES:
        raise BadAddress(f"the address {scheme[0]}… is of no known kind; {wanted}")
    if _CONTROL.search(url) or (" " in url and scheme[1] != "unix"):
        raise BadAddress(f"the address {scheme[0]}… has a space or control character in it")
    return scheme[1]


def _split(scheme: str, url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # its text holds the whole of it
        raise BadAddress(f"the address {scheme}://… has a host that cannot be one") from None


def _service_address(scheme: str, url: str) -> str:
    start = f"{scheme}://"
    _refuse_bare_password(start, re.split(r"[/?#]", url.removeprefix(start), maxsplit=1)[1:])
    parts = sentinel.URL.fullmatch(url)
    places = sentinel.places(parts["sentinels"]) if parts else []
    if parts is None or parts["name"] is None or not places:
        raise BadAddress(
            f"the address {start}… must go on with Sentinels and the name of a service that they know, "
            f"and may end with /N for the database N: {start}host:port,host:port/name"
        )
    addresses = [
        _network_address(_split(scheme, start + place), default_port=sentinel.DEFAULT_PORT)
        for place in places
    ]
    hosts = ",".join(address.removeprefix(start) for address in addresses)
    return f"{start}{hosts}/{parts['name']}{parts['database'] or ''}"


def _refuse_bare_password(start: str, texts: list[str]) -> None:
    if "@" in "".join(texts):
        raise BadAddress(
            f"the address {start}…: '/', '?', '#' and '@' in a password must be written %2F, %3F, %23 and %40"
        )


def _network_address(parts: SplitResult, default_port: int = DEFAULT_PORT) -> str:
    start = f"the address {parts.scheme}://…"
    _refuse_bare_password(f"{parts.scheme}://", [parts.path, parts.query, parts.fragment])
    if not re.fullmatch(r"/?\d*", parts.path):
        raise BadAddress(f"{start} must end with its port, or with /N for the database N")
    _refuse_bare_ipv6(start, parts.netloc.rpartition("@")[2], default_port)
    try:
        port = parts.port or default_port
    except ValueError:
        raise BadAddress(f"{start} has a port that is no number up to 65535") from None
    host = parts.hostname or "localhost"
    if not _can_be_looked_up(unquote(host)):
        raise BadAddress(
            f"{start} has a host that cannot be one: between its dots there must be 1 to 63 characters of a name"
        )
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path}"


def _refuse_bare_ipv6(start: str, place: str, default_port: int) -> None:
    """Without brackets nobody can tell the end of such a host from a port."""
    for host, port in (
        (place.removesuffix(f":{default_port}"), str(default_port)),
        place.rpartition(":")[::2],
    ):
        if _is_ipv6(host):
            raise BadAddress(f"{start} has an IPv6 address without brackets: write [{host}]:{port}")


def _is_ipv6(host: str) -> bool:
    with suppress(ValueError):
        IPv6Address(host)
        # It would take a port for the end of the name of a network interface.
        return ":" not in host.partition("%")[2]
    return False


def _can_be_looked_up(host: str) -> bool:
    """Whether the system's lookup takes it at all: it wants a name for which there is an ASCII form."""
    with suppress(UnicodeError):
        return not re.search(r"[\x00-\x20\x7f]", host) and bool(host.encode("idna"))
    return False


def _socket_address(parts: SplitResult) -> str:
    path = unquote(parts.path)
    if parts.netloc.rpartition("@")[2] or not path:
        raise BadAddress("the address unix://… must go on with an absolute path: unix:///run/redis.sock")
    if _CONTROL.search(path):
        raise BadAddress("the address unix://… has a control character in its path")
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise BadAddress(
            f"unix://{path}: a socket path may have {MAX_SOCKET_PATH_BYTES} bytes, this one has {length}; "
            "choose a shorter directory"
        )
    return f"unix://{path}"
