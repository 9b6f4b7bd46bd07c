"""The server that a configuration means, or what is wrong with the settings if they mean none."""

import os
import ssl
from collections.abc import Iterator

from . import directories
from .config import URL_VARIABLE
from .errors import BadAddress, ConfigError
from .settings import Config, RedisConfig
from .store import sentinel
from .store.connection import Server
from .store.options import with_options


def server_of(config: Config) -> Server:
    """The server that the daemon and the commands of a configuration speak to.

    Raises `ConfigError`, with every problem and its place, for an address that could never be right and for a password
    that cannot be read.
    """
    if problems := list(_problems(config)):
        raise ConfigError(problems)
    url = _url(config)
    # The environment may lead elsewhere than the file, to a server without TLS.
    files = config.redis.tls_files if url.startswith("rediss") else {}
    more = {option: str(path) for option, path in files.items()}
    if (password := config.redis.read_sentinel_password()) is not None:
        more["sentinel_password"] = password
    return Server(with_options(url, more), config.redis.timeout_seconds, config.redis.read_password())


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
    yield from (f"{at}redis.{fault}" for fault in _faults_of_tls(config.redis))


def _faults_of_tls(redis: RedisConfig) -> Iterator[str]:
    """What is wrong with the files; else each process would tell it at every connect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if redis.tls_ca_file is not None:
        try:
            context.load_verify_locations(redis.tls_ca_file)
        except OSError as error:
            yield f"tls_ca_file: {redis.tls_ca_file}: {_said(error, 'a certificate in PEM')}"
    if redis.tls_cert_file is not None:
        try:
            # Without a password of ours a terminal would be asked for that of the key.
            context.load_cert_chain(redis.tls_cert_file, redis.tls_key_file, password=lambda: "")
        except OSError as error:
            key = redis.tls_key_file or redis.tls_cert_file
            wanted = f"a certificate in PEM, with its key, which has no password, in {key}"
            yield f"tls_cert_file: {redis.tls_cert_file}: {_said(error, wanted)}"


def _said(error: OSError, wanted: str) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used: {error.reason or 'it holds nothing of the kind'}; want {wanted}"
    return f"cannot be read: {error.strerror}; want {wanted}"


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
    if redis.is_service:
        return sentinel.url_of(redis.sentinels, redis.service, is_tls=bool(redis.tls_files))
    return redis.url
