"""A service: a server that Sentinels know by its name. What its URL says, and how they lead to its primary."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, quote, urlencode

from .. import clock
from ..errors import ConnectionFailed, ServerRefused
from .scripts import Command

DEFAULT_PORT = 26379
URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?:(?P<user>[^/?#]*)@)?(?P<sentinels>[^/?#@]*)"
    r"(?:/(?P<name>[A-Za-z0-9._-]+)(?P<database>/\d*)?)?(?:\?(?P<options>[^#]*))?"
)
"""``redis+sentinel://user:password@host:port,host:port/service/database?options``."""

OF_THE_SERVER = {"username", "password", "db"}
"""Options that do not concern the Sentinels; those of TLS are for both."""


@dataclass(frozen=True, slots=True)
class Service:
    """The name, where to ask for it, and the address of its servers but for their host and port."""

    name: str
    server_url: str = field(repr=False)
    sentinel_urls: tuple[str, ...] = field(repr=False)


def service_of(url: str) -> Service | None:
    """What a URL says of a service; None for one that leads to its server directly, or cannot be right."""
    parts = URL.fullmatch(url)
    if parts is None or parts["name"] is None:
        return None
    user = f"{parts['user']}@" if parts["user"] else ""
    own, theirs = _share_options(parts["options"] or "")
    credentials = (
        f"{quote(theirs.pop('username', ''), safe='')}:{quote(theirs.pop('password', ''), safe='')}@"
    )
    return Service(
        parts["name"],
        f"{parts['scheme']}://{user}{parts['database'] or ''}?{urlencode(own)}",
        tuple(
            f"{parts['scheme']}://{credentials.removeprefix(':@')}{place}?{urlencode(theirs)}"
            for place in places(parts["sentinels"])
        ),
    )


def url_of(sentinels: Sequence[str], name: str, *, is_tls: bool = False) -> str:
    """The URL of a service whose servers need no more than that."""
    return f"redis{'s' * is_tls}+sentinel://{','.join(sentinels)}/{name}"


def advice(address: str, services: Sequence[bytes]) -> str:
    """What to say to somebody who takes the Sentinel at this address for the server of one of its services."""
    scheme, _, place = address.partition("://")
    way = (
        "redis+sentinel://HOST:PORT" if scheme == "unix" else f"{scheme}+sentinel://{place.partition('/')[0]}"
    )
    names = ", ".join(repr(name.decode("utf-8", "replace")) for name in services) or "none"
    return f"{address}: this is a Sentinel, which keeps no jobs; use {way}/SERVICE (services that it knows: {names})"


def places(sentinels: str) -> list[str]:
    """Hosts with their ports, of a list as a URL has it."""
    return [
        place if re.search(r":\d+\Z", place) else f"{place}:{DEFAULT_PORT}"
        for place in filter(None, sentinels.split(","))
    ]


def _share_options(options: str) -> tuple[dict[str, str], dict[str, str]]:
    """Those of the server, and those of its Sentinels."""
    given = dict(parse_qsl(options, keep_blank_values=True))
    own = {name: value for name, value in given.items() if not name.startswith("sentinel_")}
    theirs = {name: value for name, value in own.items() if name not in OF_THE_SERVER}
    named = {name.removeprefix("sentinel_"): value for name, value in given.items() if name not in own}
    return own, theirs | named


class Way(Protocol):
    """A connection to one Sentinel."""

    def trip_until(self, deadline: float, commands: Sequence[Command]) -> list[Any]:
        """See `HeldConnection`."""

    def close(self) -> None:
        """The same."""


class Sentinel(NamedTuple):
    """Where it is, and the way to it."""

    address: str
    way: Way


@dataclass(slots=True)
class LastAnswer:
    """Which Sentinel has answered last, for all connections to a server: one word, which any thread may write."""

    address: str = ""


class Sentinels:
    """Those of a service. The one that last answered, to this connection or another, is asked first."""

    def __init__(self, name: str, known: Sequence[Sentinel], last_answer: LastAnswer) -> None:
        self._name = name
        self._known = known
        self._last_answer = last_answer

    def lead(self, enter: Callable[[str, int, float], None], deadline: float) -> None:
        """Ask one after the other, and try where they lead: until ``enter`` has met the primary.

        One that hangs leaves time for the others. Raises `ConnectionFailed` with what came of each.
        """
        faults: list[ConnectionFailed] = []
        tried: set[tuple[str, int]] = set()
        last = self._last_answer.address
        for i, sentinel in enumerate(sorted(self._known, key=lambda known: known.address != last)):
            left = len(self._known) - i
            try:
                place = self._ask(sentinel, _part(deadline, left + 1))
                # What one has said in vain need not be tried again.
                if place not in tried:
                    tried.add(place)
                    # Half of the time is left for another place, if the next one names another.
                    enter(*place, _part(deadline, min(left, 2)))
                    return
            except ConnectionFailed as error:
                faults.append(error)
        if len(tried) == 1 < len(self._known) and clock.remaining(deadline) > 0:
            # They all name the same: it may only be slow, and has not had the whole time.
            enter(*tried.pop(), deadline)
            return
        are_refusals = all(isinstance(fault, ServerRefused) for fault in faults)
        raise (ServerRefused if are_refusals else ConnectionFailed)("; ".join(map(str, faults)))

    def _ask(self, sentinel: Sentinel, deadline: float) -> tuple[str, int]:
        try:
            (reply,) = sentinel.way.trip_until(
                deadline, [("SENTINEL", "get-master-addr-by-name", self._name)]
            )
        except ConnectionFailed as error:
            raise type(error)(f"Sentinel {error}") from None
        finally:
            sentinel.way.close()
        if isinstance(reply, Exception):
            raise ServerRefused(f"{sentinel.address}: it is no Sentinel, or refuses: {reply}")
        if reply is None:
            raise ServerRefused(f"{sentinel.address}: this Sentinel knows no service {self._name!r}")
        try:
            host, port = reply
            place = host.decode("utf-8", "replace"), int(port)
        except (AttributeError, TypeError, ValueError):
            raise ConnectionFailed(f"{sentinel.address}: its answer is no address: {reply!r}") from None
        self._last_answer.address = sentinel.address
        return place


def _part(deadline: float, parts: int) -> float:
    """A deadline at one of so many equal parts of what is left."""
    return clock.deadline_in(clock.remaining(deadline) / parts)
