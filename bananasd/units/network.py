"""What a unit lets its daemon reach over the network, and what of the configuration it does not."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from ..remark import Level
from ..settings import Config
from .values import is_yes, words_in

FAMILIES = ("AF_INET", "AF_INET6")


class Way(NamedTuple):
    """A setting whose address is of one of the ``families``, and what becomes of the daemon without it."""

    setting: str
    families: tuple[str, ...]
    level: Level
    loss: str


def faults_of_network(settings: Mapping[str, str], config: Config) -> Iterator[tuple[Level, str, str]]:
    """Level, what and remedy of each way that is closed."""
    for way in _ways(config):
        if is_yes(settings["PrivateNetwork"]):
            yield way.level, f"PrivateNetwork is yes and {way.setting}: {way.loss}", "set PrivateNetwork=no"
        elif not any(is_allowed(family, settings["RestrictAddressFamilies"]) for family in way.families):
            what = f"RestrictAddressFamilies is without {' and '.join(way.families)} and {way.setting}"
            yield way.level, f"{what}: {way.loss}", f"set RestrictAddressFamilies={' '.join(way.families)}"
    if not is_allowed("AF_UNIX", settings["RestrictAddressFamilies"]):
        yield (
            Level.ERROR,
            "RestrictAddressFamilies is without AF_UNIX: neither systemd nor an embedded server is reached by the daemon",
            "set RestrictAddressFamilies=AF_UNIX",
        )


def is_allowed(family: str, restricted: str) -> bool:
    """By ``RestrictAddressFamilies=``: a list of what is allowed, or of what is not, each with ``~``; "" allows all."""
    words = words_in(restricted)
    for word in reversed(words):
        if word.lstrip("~") == family:
            return not word.startswith("~")
    return not words or words[0].startswith("~")


def _ways(config: Config) -> Iterator[Way]:
    """Without what the address does not tell: passwords are in it, too."""
    redis = config.redis
    if not (redis.is_embedded or redis.url.startswith("unix:")):
        by_sentinels = redis.asks_sentinels
        host = "" if by_sentinels else urlsplit(redis.url).hostname or ""
        setting = "a Redis behind Sentinels is wanted" if by_sentinels else f"redis.url leads to {host}"
        yield Way(setting, _families(host), Level.ERROR, "the daemon does not reach it")
    if config.http.listen:
        loss = "nobody reaches the dashboard"
        yield Way(f"http.listen {config.http.listen}", _families(config.http.host), Level.WARNING, loss)


def _families(host: str) -> tuple[str, ...]:
    """A name may lead to both."""
    try:
        return (FAMILIES[ipaddress.ip_address(host).version == 6],)
    except ValueError:
        return FAMILIES
