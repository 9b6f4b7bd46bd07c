"""The options of a URL, behind its ``?``: which there are."""

from collections.abc import Collection, Mapping
from functools import cache
from inspect import signature
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlencode

from redis.connection import (
    URL_QUERY_ARGUMENT_PARSERS,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)

from ..errors import BadAddress

USUAL = ("db", "username", "password", "client_name")
OF_TLS = tuple(name for name in signature(SSLConnection).parameters if name.startswith("ssl_"))
OF_SENTINELS = "sentinel_"
"""Options of that beginning are for the Sentinels."""

FOR_OTHERS = frozenset(
    {
        *URL_QUERY_ARGUMENT_PARSERS,
        "encoding",
        "encoding_errors",
        "decode_responses",
        "lib_name",
        "lib_version",
    }
)
"""What redis-py takes from a URL, which other programs may read too. Where it concerns how we speak, we do so as ever."""

_KINDS: dict[str, type[Any]] = {
    "redis": Connection,
    "rediss": SSLConnection,
    "unix": UnixDomainSocketConnection,
}


def with_options(url: str, more: Mapping[str, str]) -> str:
    """The URL with these options behind its own, each of which wins over one of that name before it."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}" if more else url


def check_options(url: str, address: str, lacking: Collection[str] = ()) -> None:
    """Raise `BadAddress` for an option that there is not, or is ``lacking``; ``address`` is what may be shown of the URL."""
    scheme, _, rest = url.partition("://")
    scheme, _, sentinel = scheme.partition("+")
    known = _known(scheme) - {*lacking}
    if sentinel:
        # They have no databases.
        known |= {OF_SENTINELS + name for name in known - {"db"}}
    options = rest.partition("?")[2].partition("#")[0]
    names = [name for name, _ in parse_qsl(options, keep_blank_values=True)]
    for before, name in pairwise(["", *names]):
        if name not in known:
            raise BadAddress(
                f"{address}: not a usable address: {_fault(before, name)}; {_offer(scheme, lacking, is_service=bool(sentinel))}"
            )


@cache
def _known(scheme: str) -> frozenset[str]:
    taken = {name for kind in _KINDS[scheme].__mro__[:-1] for name in signature(kind).parameters}
    return frozenset({*USUAL, *OF_TLS, *FOR_OTHERS} & taken | {"max_connections"})


def _fault(before: str, name: str) -> str:
    if before.endswith("password"):
        # It may be the rest of the password.
        return f"what follows its {before} is none of its options ('&' in a password must be written %26)"
    return f"it has no option {name!r}"


def _offer(scheme: str, lacking: Collection[str], *, is_service: bool) -> str:
    names = [name for name in (*USUAL, *(OF_TLS if scheme == "rediss" else ())) if name not in lacking]
    if is_service:
        names += [f"{OF_SENTINELS}username", f"{OF_SENTINELS}password"]
    tls = f", and those of TLS with rediss{'+sentinel' if is_service else ''}://" if scheme == "redis" else ""
    return f"there are {', '.join(names)}{tls}"
