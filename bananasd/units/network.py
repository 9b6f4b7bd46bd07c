"""What a unit lets its daemon reach over the network, and what of the configuration it does not."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple
from urllib.parse import urlsplit

from ..remark import Level
from ..settings import Config, RedisConfig
from .values import is_yes, words_in

FAMILIES = ("AF_INET", "AF_INET6")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCALHOST = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_NAMED_NETWORKS = {
    "any": ("0.0.0.0/0", "::/0"),
    "localhost": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/64"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
}


class Way(NamedTuple):
    """A setting whose address is of one of the ``families``, and what becomes of the daemon without it.

    ``peers``: groups of whom one is enough, but one of each; "" is somebody of whom it is not known who that is.
    """

    setting: str
    families: tuple[str, ...]
    level: Level
    loss: str
    peers: tuple[tuple[str, ...], ...]


def faults_of_network(settings: Mapping[str, str], config: Config) -> Iterator[tuple[Level, str, str]]:
    """Level, what and remedy of each way that is closed."""
    for way in _ways(config):
        if is_yes(settings["PrivateNetwork"]):
            yield way.level, f"PrivateNetwork is yes and {way.setting}: {way.loss}", "set PrivateNetwork=no"
        elif not any(is_allowed(family, settings["RestrictAddressFamilies"]) for family in way.families):
            what = f"RestrictAddressFamilies is without {' and '.join(way.families)} and {way.setting}"
            yield way.level, f"{what}: {way.loss}", f"set RestrictAddressFamilies={' '.join(way.families)}"
        elif _is_denied(way, settings):
            what = f"IPAddressDeny is {settings['IPAddressDeny']} and {way.setting}"
            yield way.level, f"{what}: {way.loss}", f"let that pass with IPAddressAllow={_passes(way)}"
    if not is_allowed("AF_UNIX", settings["RestrictAddressFamilies"]):
        yield (
            Level.ERROR,
            "RestrictAddressFamilies is without AF_UNIX: neither systemd nor an embedded server is reached by the daemon",
            "set RestrictAddressFamilies=AF_UNIX",
        )


def are_addresses_judged(settings: Mapping[str, str], config: Config) -> bool:
    """Whether it is known of each way if ``IPAddressDeny=`` closes it."""
    return all(_is_denied(way, settings) is not None for way in _ways(config))


def is_allowed(family: str, restricted: str) -> bool:
    """By ``RestrictAddressFamilies=``: a list of what is allowed, or of what is not, each with ``~``; "" allows all."""
    words = words_in(restricted)
    for word in reversed(words):
        if word.lstrip("~") == family:
            return not word.startswith("~")
    return not words or words[0].startswith("~")


def is_denied(host: str, allowed: str, denied: str) -> bool | None:
    """By ``IPAddressAllow=``, which goes first, and ``IPAddressDeny=``; None if only the address of a name would tell."""
    allow, deny = _networks(allowed), _networks(denied)
    told = {_is_in(address, deny) and not _is_in(address, allow) for address in _addresses(host)}
    if told:
        return told.pop() if len(told) == 1 else None
    if not deny:
        return False
    return True if not allow and {*_networks("any")} <= {*deny} else None


def _is_denied(way: Way, settings: Mapping[str, str]) -> bool | None:
    told = [_is_each_denied(peers, settings) for peers in way.peers]
    return True if True in told else None if None in told else False


def _is_each_denied(peers: tuple[str, ...], settings: Mapping[str, str]) -> bool | None:
    told = {is_denied(peer, settings["IPAddressAllow"], settings["IPAddressDeny"]) for peer in peers}
    return False if False in told else None if None in told else True


def _passes(way: Way) -> str:
    """What to allow: the addresses, where they are known."""
    return " ".join(" ".join(map(str, _addresses(peer))) or "ITS-ADDRESS" for peer in chain(*way.peers))


def _networks(value: str) -> list[Network]:
    """What is none is passed over, as systemd does."""
    found = []
    for word in words_in(value):
        for network in _NAMED_NETWORKS.get(word, (word,)):
            with suppress(ValueError):
                found.append(ipaddress.ip_network(network, strict=False))
    return found


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _addresses(host: str) -> Sequence[Address]:
    """Those that it has on every machine; none of a name that has to be looked up."""
    if host == "localhost":
        return _LOCALHOST
    try:
        return (ipaddress.ip_address(host),)
    except ValueError:
        return ()


def _ways(config: Config) -> Iterator[Way]:
    """Without what the address does not tell: passwords are in it, too."""
    redis = config.redis
    if not (redis.is_embedded or redis.url.startswith("unix:")):
        hosts = _hosts(redis)
        by_sentinels = redis.asks_sentinels
        setting = "a Redis behind Sentinels is wanted" if by_sentinels else f"redis.url leads to {hosts[0]}"
        # Where the server is only the Sentinels know.
        peers = (hosts, ("",)) if by_sentinels else (hosts,)
        yield Way(setting, _families(hosts), Level.ERROR, "the daemon does not reach it", peers)
    if config.http.listen:
        loss = "nobody reaches the dashboard"
        # At an address of its own a machine meets itself; at others anybody.
        peer = config.http.host if config.http.is_loopback else ""
        families = _families((config.http.host,))
        yield Way(f"http.listen {config.http.listen}", families, Level.WARNING, loss, ((peer,),))


def _hosts(redis: RedisConfig) -> tuple[str, ...]:
    """The server's, or those of its Sentinels."""
    places = redis.sentinels if redis.is_service else _network_part(redis.url).split(",")
    return tuple(urlsplit(f"//{place}").hostname or "localhost" for place in places)


def _network_part(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _families(hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of any of them; a name may lead to both, as localhost does."""
    addresses = chain(*(_addresses(host) or _LOCALHOST for host in hosts))
    return tuple(sorted({FAMILIES[address.version == 6] for address in addresses}))
