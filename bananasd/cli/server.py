"""Which configuration, server and namespace a command is for."""

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import click

from .. import config as configuration
from .. import directories
from ..client import Client
from ..errors import ConfigError, ConnectionFailed
from ..server import server_of
from ..settings import Config
from ..store.connection import HeldConnection, Server

Command = Callable[..., Any]

LOOK_SECONDS = 10.0
"""How long a trip may take when no configuration says it."""

MAX_ANSWER_SECONDS = 1.0
"""Nobody looks at a picture that stands still for longer."""

_config_option = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The configuration; by default ./bananas.toml, else /etc/bananasd/bananas.toml.",
)


def takes_config(command: Command) -> Command:
    """Add --config, and call the command with the configuration that it leads to."""

    @_config_option
    @wraps(command)
    def call(config_path: Path | None, **options: Any) -> Any:
        return command(load_config(config_path), **options)

    return call


def takes_config_path(command: Command) -> Command:
    """Add --config, and call the command with the file that it names, which may be broken; None for no option."""
    return _config_option(command)


_url_option = click.option(
    "--url",
    metavar="URL",
    help="The server (redis://, rediss://, unix://, redis+sentinel://), instead of the configuration's.",
)
_namespace_option = click.option(
    "--namespace", metavar="NAME", help="The namespace, instead of the configuration's."
)


class Place(NamedTuple):
    """Where the options lead, for a command that looks deeper than a client does; nothing is asked yet.

    ``config`` is None if the options say all that there is to know of the server.
    """

    config: Config | None
    url: str | None
    namespace: str

    @contextmanager
    def connect(self) -> Iterator[HeldConnection]:
        """A connection that works. Raises `ConnectionFailed` as a client does."""
        if self.config is None or self.url:
            Client(self.url, namespace=self.namespace).close()
        else:
            _client_of_embedded(self.config, self.namespace).close()
        connection = HeldConnection(self._server())
        try:
            yield connection
        finally:
            connection.close()

    @property
    def address(self) -> str:
        """The server's, without its password."""
        return self._server().address

    def _server(self) -> Server:
        if self.config is None or self.url:
            return Server(str(self.url), LOOK_SECONDS)
        return server_of(self.config)


def takes_place(command: Command) -> Command:
    """Add --config, --url and --namespace, and call the command with the place that they lead to."""

    @_config_option
    @_url_option
    @_namespace_option
    @wraps(command)
    def call(config_path: Path | None, url: str | None, namespace: str | None, **options: Any) -> Any:
        needs_none = url and namespace and config_path is None
        config = None if needs_none else load_config(config_path)
        return command(Place(config, url, namespace or (config.namespace if config else "")), **options)

    return call


def takes_client(command: Command) -> Command:
    """Add --config, --url and --namespace, and call the command with the client that they lead to."""

    @_config_option
    @_url_option
    @_namespace_option
    @wraps(command)
    def call(config_path: Path | None, url: str | None, namespace: str | None, **options: Any) -> Any:
        with open_client(config_path, url, namespace) as client:
            return command(client, **options)

    return call


def load_config(path: Path | None) -> Config:
    """The configuration of this file, or of the first default place that has one. Raises `ConfigError`."""
    return configuration.load(configuration.find(path), os.environ)


def find_run_dir(path: Path | None) -> Path:
    """Where the daemon of a configuration is, even if that cannot be loaded: as its run_dir says, if one can be read."""
    found = configuration.find(path)
    said = _read_run_dir(found) if found else ""
    return found.absolute().parent / said if found and said else directories.run_dir(os.environ)


def _read_run_dir(path: Path) -> str:
    """Each line is read by itself: what is wrong with another one is no matter."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    before_sections = takewhile(lambda line: not line.startswith("["), map(str.strip, lines))
    for line in before_sections:
        with suppress(tomllib.TOMLDecodeError):
            said = tomllib.loads(line).get("run_dir")
            if isinstance(said, str):
                return said
    return ""


def open_client(config_path: Path | None, url: str | None, namespace: str | None) -> Client:
    """Connect to where the options lead; with both a URL and a namespace no configuration is read."""
    if url and namespace:
        return Client(url, namespace=namespace)
    config = load_config(config_path)
    if url:
        return Client(url, namespace=config.namespace)
    return _client_of_embedded(config, namespace)


def _client_of_embedded(config: Config, namespace: str | None) -> Client:
    """The same as `client_of`; one whose embedded server is not there is told when that runs."""
    try:
        return client_of(config, namespace)
    except ConnectionFailed as error:
        if not config.redis.is_embedded:
            raise
        raise ConnectionFailed(f"{error} {_state_of_embedded(config.run_dir)}") from None


def _state_of_embedded(run_dir: Path) -> str:
    # Not at the top: what submits to a server that is there needs nothing of the processes.
    from ..processes.locks import running_pid  # noqa: PLC0415

    pid = running_pid(run_dir)
    if pid is None:
        return "(the embedded server runs while 'bananasd start' does)"
    return (
        f"(the daemon runs, pid {pid}, but its embedded server does not answer; 'bananasd status' shows why)"
    )


def trouble_with(config: Config) -> str:
    """Why the server of a configuration does not answer now, within `MAX_ANSWER_SECONDS`; "" if it does."""
    try:
        quick_client(config).close()
    except (ConnectionFailed, ConfigError) as error:
        return str(error)
    return ""


def quick_client(config: Config) -> Client:
    """As `client_of`, for those who rather tell that there is no answer than wait for it."""
    server = server_of(config)
    return Client(
        server.url,
        namespace=config.namespace,
        timeout_seconds=min(server.timeout_seconds, MAX_ANSWER_SECONDS),
        password=server.password,
    )


def client_of(config: Config, namespace: str | None = None) -> Client:
    """Connect to the server of a configuration, in another namespace if one is given."""
    server = server_of(config)
    return Client(
        server.url,
        namespace=namespace or config.namespace,
        timeout_seconds=server.timeout_seconds,
        password=server.password,
    )
