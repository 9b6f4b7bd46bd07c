"""The server that a configuration means, or what is wrong with the settings if they mean none."""

import os
from collections.abc import Iterator

from . import directories
from .config import URL_VARIABLE
from .errors import BadAddress, ConfigError
from .settings import Config
from .store import sentinel
from .store.connection import Server


def server_of(config: Config) -> Server:
    """The server that the daemon and the commands of a configuration speak to.

    Raises `ConfigError`, with every problem and its place, for an address that could never be right and for a password
    that cannot be read.
    """
    if problems := list(_problems(config)):
        raise ConfigError(problems)
    url, password = _url(config), config.redis.read_sentinel_password()
    if password is not None:
        url = sentinel.with_password(url, password)
    return Server(url, config.redis.timeout_seconds, config.redis.read_password())


def _problems(config: Config) -> Iterator[str]:
    at = f"{config.path}: " if config.path else ""
    try:
        Server(_url(config), config.redis.timeout_seconds)
    except BadAddress as error:
        yield f"{_place_of_url(config, at)}: {error}"
    for name, read in (
        ("password_file", config.redis.read_password),
        ("sentinel_password_file", config.redis.read_sentinel_password),
    ):
        try:
            read()
        except ValueError as error:
            yield f"{at}redis.{name}: {error}"


def _place_of_url(config: Config, at: str) -> str:
    if config.redis.is_embedded:
        return f"{at}run_dir"
    if os.environ.get(URL_VARIABLE):
        return f"${URL_VARIABLE}"
    return f"{at}redis.sentinels" if config.redis.is_service else f"{at}redis.url"


def _url(config: Config) -> str:
    redis = config.redis
    if redis.is_embedded:
        return directories.socket_url(config.run_dir)
    return sentinel.url_of(redis.sentinels, redis.service) if redis.is_service else redis.url
