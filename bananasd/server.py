"""The server that a configuration means, or what is wrong with the settings if they mean none."""

import os
from collections.abc import Iterator

from . import directories
from .config import URL_VARIABLE, Config
from .errors import BadAddress, ConfigError
from .store.connection import Server


def server_of(config: Config) -> Server:
    """The server that the daemon and the commands of a configuration speak to.

    Raises `ConfigError`, with every problem and its place, for an address that could never be right and for a password
    that cannot be read.
    """
    if problems := list(_problems(config)):
        raise ConfigError(problems)
    return Server(_url(config), config.redis.timeout_seconds, config.redis.read_password())


def _problems(config: Config) -> Iterator[str]:
    at = f"{config.path}: " if config.path else ""
    try:
        Server(_url(config), config.redis.timeout_seconds)
    except BadAddress as error:
        if config.redis.is_embedded:
            yield f"{at}run_dir: {error}"
        else:
            yield f"{f'${URL_VARIABLE}' if os.environ.get(URL_VARIABLE) else f'{at}redis.url'}: {error}"
    try:
        config.redis.read_password()
    except ValueError as error:
        yield f"{at}redis.password_file: {error}"


def _url(config: Config) -> str:
    return directories.socket_url(config.run_dir) if config.redis.is_embedded else config.redis.url
