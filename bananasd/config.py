"""The configuration: how a file becomes one frozen struct."""

import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import directories
from .contradictions import SERVICE, contradictions
from .cores import usable_cores
from .errors import ConfigError
from .schedule import Schedule
from .schedule_tables import read_schedules
from .schema import Schema
from .settings import Config

DEFAULT_PATHS = (Path("bananas.toml"), Path("/etc/bananasd/bananas.toml"))
URL_VARIABLE = "BANANAS_REDIS_URL"
LEFT_OPEN: dict[str, str | int] = {
    "node_name": "",
    "run_dir": "",
    "state_dir": "",
    "redis.service": "",
    "redis.password_file": "",
    "redis.sentinel_password_file": "",
    "redis.tls_ca_file": "",
    "redis.tls_cert_file": "",
    "redis.tls_key_file": "",
    "http.listen": "",
    "http.token_file": "",
    "log.file": "",
    "workers.count": 0,
}
"""Settings with a value that means "find it out", as if the key were not there."""


class Draft(NamedTuple):
    """What became of a file: good values, with the default in place of each that was ``rejected``, and the problems."""

    config: Config
    problems: list[str]
    rejected: frozenset[str]


_SCHEMA = Schema(
    Config, apart_from=("path", "schedules"), required=("pools[].name", "pools[].workers", "pools[].queues")
)


def find(explicit: Path | None) -> Path | None:
    """The file to load: the one that was named, else the first default one that exists, else None."""
    return explicit or next((path for path in DEFAULT_PATHS if _exists(path)), None)


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read and check a file; None gives the defaults. Raises `ConfigError` with every problem that there is."""
    draft = examine(path, environ)
    if draft.problems:
        raise ConfigError(draft.problems)
    return draft.config


def examine(path: Path | None, environ: Mapping[str, str]) -> Draft:
    """The same, with the problems beside what could be read. Raises `ConfigError` only if nothing could."""
    directory = Path.cwd() if path is None else path.absolute().parent
    tables = {} if path is None else _parse(path)
    schedules, faults = read_schedules(tables.pop("schedules", None))
    given = dict(_SCHEMA.flatten(tables))
    values = _surroundings(environ, directory)
    problems = [f"{path}: {fault}" for fault in faults]
    rejected = {"schedules"} if faults else set()
    for place, name, value in _sources(path, given, environ):
        try:
            if not _is_left_open(name, value):
                values[name] = _SCHEMA.check(name, value, directory)
        except ValueError as problem:
            problems.append(f"{place}: {problem}")
            rejected.add(name)
    if environ.get(URL_VARIABLE):
        # It takes the place of everything that says where the server is.
        values = {name: value for name, value in values.items() if name not in SERVICE}
    config = _build(path, schedules, values, given)
    for names, advice in contradictions(config, given):
        if rejected.isdisjoint(names):
            problems.append(f"{path}: {names[0]}: {advice}")
    return Draft(config, problems, frozenset(rejected))


def _sources(
    path: Path | None, given: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, str, Any]]:
    """Everything that is set, as place, name and value; what comes later wins."""
    yield from ((f"{path}: {name}", name, value) for name, value in given.items())
    if url := environ.get(URL_VARIABLE):
        yield f"${URL_VARIABLE}", "redis.url", url


def _build(
    path: Path | None,
    schedules: tuple[Schedule, ...] | None,
    values: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Config:
    """The struct of good values; where one was rejected its default stands in."""
    sections = {
        section: _SCHEMA.section(section, values) for section in _SCHEMA.sections if "[" not in section
    }
    lists: dict[str, Any] = {
        name: tuple(_SCHEMA.section(section, values) for section in _SCHEMA.sections_of(name, given))
        for name in _SCHEMA.lists
    }
    top = {name: value for name, value in values.items() if "." not in name}
    return Config(path=path, schedules=schedules, **sections, **lists, **top)


def _parse(path: Path) -> dict[str, Any]:
    try:
        # Some editors begin a file with a mark that is none of TOML's.
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    # Bytes that are not UTF-8, numbers of too many digits and deep nesting do not end in tomllib's own error.
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from None


def _surroundings(environ: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """The defaults that depend on where the daemon runs and where its file lies."""
    return {
        "node_name": socket.gethostname(),
        "run_dir": directories.run_dir(environ),
        "state_dir": directories.state_dir(environ),
        "redis.password_file": _credential(environ, "redis_password"),
        "redis.sentinel_password_file": _credential(environ, "redis_sentinel_password"),
        "http.token_file": _credential(environ, "http_token"),
        "workers.count": usable_cores(),
        "workers.handlers": directory / "handlers",
    }


def _credential(environ: Mapping[str, str], name: str) -> Path | None:
    """A secret as systemd hands it over (LoadCredential=redis_password:…)."""
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", ""), name)
    return credential if credential.is_absolute() and _exists(credential) else None


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a directory may not be looked into


def _is_left_open(name: str, value: Any) -> bool:
    # False == 0, but a count of false is a mistake.
    return name in LEFT_OPEN and type(value) is type(LEFT_OPEN[name]) and value == LEFT_OPEN[name]
