"""The configuration: every setting with its bounds and default, and how a file becomes one frozen struct."""

import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct, structs

from . import directories
from .cores import usable_cores
from .errors import ConfigError
from .limits import MAX_RETRIES, MAX_SECONDS
from .retry import RetryPolicy
from .schema import Schema, choice, number, seconds, shown, text, whole

DEFAULT_PATHS = (Path("bananas.toml"), Path("/etc/bananasd/bananas.toml"))
URL_VARIABLE = "BANANAS_REDIS_URL"
EMBEDDED = "embedded"
HOUR, DAY = 3600, 86400
MIB = 1024 * 1024

LEFT_OPEN: dict[str, str | int] = {
    "node_name": "",
    "run_dir": "",
    "state_dir": "",
    "redis.service": "",
    "redis.password_file": "",
    "redis.sentinel_password_file": "",
    "log.file": "",
    "workers.count": 0,
}
"""Settings with a value that means "find it out", as if the key were not there."""

SERVICE = ("redis.sentinels", "redis.service")

Flag = Annotated[bool, Meta(description="true or false")]
Directory = Annotated[Path, Meta(description="the path of a directory")]
# It becomes part of file names and of holders' names, which end at the first '/'.
NodeName = Annotated[str, text("[!-.0-~]{1,64}", "1 to 64 printable ASCII characters without '/' and spaces")]
NAME_WANTED = "1 to 64 letters, digits, '_' or '-'"
Name = Annotated[str, text("[A-Za-z0-9_-]{1,64}", f"{NAME_WANTED}, in quotes")]
Queues = Annotated[tuple[Name, ...], Meta(min_length=1, description=f"a list of names of {NAME_WANTED}")]
URL_WANTED = f'"{EMBEDDED}", or a URL that begins with redis://, rediss://, unix:// or redis+sentinel://'
Url = Annotated[str, text(rf"{EMBEDDED}|(?:rediss?(?:\+sentinel)?|unix)://\S+", URL_WANTED, is_secret=True)]
Sentinels = Annotated[
    tuple[Annotated[str, text(r"[^\s/?#@,]+", "an address")], ...],
    Meta(description='a list of addresses "HOST:PORT", without passwords', extra={"is_secret": True}),
]
Service = Annotated[str, text("[A-Za-z0-9._-]+", "a name of letters, digits, '.', '_' or '-', in quotes")]
LogFile = Annotated[Path | None, Meta(description="the path of a file")]
SecretFile = Annotated[Path | None, Meta(description="the path of a file", extra={"is_secret": True})]


class RedisConfig(Struct, frozen=True, kw_only=True):
    """``[redis]``: which server."""

    url: Url = EMBEDDED
    sentinels: Sentinels = ()
    service: Service = ""
    password_file: SecretFile = None
    sentinel_password_file: SecretFile = None
    timeout_seconds: Annotated[float, seconds(0.01, HOUR)] = 5.0

    @property
    def is_embedded(self) -> bool:
        """Whether the daemon runs a private server of its own."""
        return self.url == EMBEDDED and not self.is_service

    @property
    def is_service(self) -> bool:
        """Whether ``sentinels`` and ``service`` say where the server is, instead of ``url``."""
        return bool(self.sentinels and self.service)

    @property
    def asks_sentinels(self) -> bool:
        """Whether Sentinels know where the server is."""
        return self.is_service or "+sentinel://" in self.url

    def read_password(self) -> str | None:
        """What the password file holds, without the end of its line; None if there is no such file to read.

        Raises ValueError if it cannot be read or holds nothing.
        """
        return None if self.is_embedded else _read_secret(self.password_file)

    def read_sentinel_password(self) -> str | None:
        """The same for the file with the password of the Sentinels."""
        return _read_secret(self.sentinel_password_file) if self.asks_sentinels else None


class WorkersConfig(Struct, frozen=True, kw_only=True):
    """``[workers]``: how many, what they run and for how long."""

    count: Annotated[int, whole(0, 1000)]
    handlers: Directory
    queues: Queues = ("default",)
    timeout_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 300.0
    grace_seconds: Annotated[float, seconds(0, DAY)] = 5.0
    start_seconds: Annotated[float, seconds(0, DAY)] = 60.0
    preload: Flag = False
    max_jobs: Annotated[int, whole(0, 1_000_000_000)] = 0
    max_age_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 0.0
    max_rss_mb: Annotated[int, whole(0, 100_000_000)] = 0
    max_recoveries: Annotated[int, whole(1, 1000)] = 3


class MasterConfig(Struct, frozen=True, kw_only=True):
    """``[master]``: how the daemon ends."""

    drain_seconds: Annotated[float, seconds(8, DAY)] = 30.0


class SchedulerConfig(Struct, frozen=True, kw_only=True):
    """``[scheduler]``: how this node proves that it lives."""

    beat_seconds: Annotated[float, seconds(0.01, HOUR)] = 3.0
    lease_seconds: Annotated[float, seconds(0.03, DAY)] = 15.0


class RetryConfig(Struct, frozen=True, kw_only=True):
    """``[retry]``: when a failed job is tried again, where neither it nor its handler says."""

    max_retries: Annotated[int, whole(0, MAX_RETRIES)] = 5
    base_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 2.0
    factor: Annotated[float, number(1, 1000)] = 2.0
    cap_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 3600.0
    jitter: Annotated[float, number(0, 1)] = 0.0

    def policy(self) -> RetryPolicy:
        """The same as the rule that computes delays."""
        return RetryPolicy(**structs.asdict(self))


class RetentionConfig(Struct, frozen=True, kw_only=True):
    """``[retention]``: what is kept of jobs that have ended."""

    # A client repeats a submit for up to a minute, and must still meet the job it made.
    completed_seconds: Annotated[float, seconds(60, MAX_SECONDS)] = 86400.0
    dead_seconds: Annotated[float, seconds(0.01, MAX_SECONDS)] = 604800.0
    dead_count: Annotated[int, whole(1, 1_000_000_000)] = 1_000_000
    result_bytes: Annotated[int, whole(1, 64 * MIB)] = MIB


class LogConfig(Struct, frozen=True, kw_only=True):
    """``[log]``: see `bananasd.log.configure`."""

    level: Annotated[str, choice("debug", "info", "warning", "error", "critical")] = "info"
    format: Annotated[str, choice("auto", "text", "json")] = "auto"
    file: LogFile = None


class Config(Struct, frozen=True, kw_only=True):
    """Everything that can be set; directories are absolute, ``workers.count`` is at least 1."""

    path: Path | None
    """The file it was read from; None: the defaults."""
    namespace: Name = "default"
    node_name: NodeName
    run_dir: Directory
    state_dir: Directory
    redis: RedisConfig
    workers: WorkersConfig
    master: MasterConfig
    scheduler: SchedulerConfig
    retry: RetryConfig
    retention: RetentionConfig
    log: LogConfig


class Draft(NamedTuple):
    """What became of a file: good values, with the default in place of each that was ``rejected``, and the problems."""

    config: Config
    problems: list[str]
    rejected: frozenset[str]


_SCHEMA = Schema(Config, apart_from="path")


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
    given = {} if path is None else dict(_SCHEMA.flatten(_parse(path)))
    values = _surroundings(environ, directory)
    problems: list[str] = []
    rejected: set[str] = set()
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
    config = _build(path, values)
    for names, advice in _contradictions(config, given):
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


def _build(path: Path | None, values: Mapping[str, Any]) -> Config:
    """The struct of good values; where one was rejected its default stands in."""
    sections = {section: _SCHEMA.section(section, values) for section in _SCHEMA.sections}
    return Config(path=path, **sections, **{name: value for name, value in values.items() if "." not in name})


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
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
        "workers.count": usable_cores(),
        "workers.handlers": directory / "handlers",
    }


def _credential(environ: Mapping[str, str], name: str) -> Path | None:
    """A password as systemd hands it over (LoadCredential=redis_password:…)."""
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", ""), name)
    return credential if credential.is_absolute() and _exists(credential) else None


def _read_secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: cannot be read: it is not UTF-8") from None
    if not secret:
        raise ValueError(f"{path}: holds no password")
    return secret


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a directory may not be looked into


def _is_left_open(name: str, value: Any) -> bool:
    # False == 0, but a count of false is a mistake.
    return name in LEFT_OPEN and type(value) is type(LEFT_OPEN[name]) and value == LEFT_OPEN[name]


def _contradictions(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Settings that are fine one by one but not together: their names, and what to do about it."""
    lease, beat = config.scheduler.lease_seconds, config.scheduler.beat_seconds
    if round(lease / beat, 6) < 3:
        yield (
            ("scheduler.lease_seconds", "scheduler.beat_seconds"),
            f"{lease:g}: must be at least 3 times beat_seconds ({beat:g}), or one late beat loses the lease",
        )
    grace, drain = config.workers.grace_seconds, config.master.drain_seconds
    if grace >= drain:
        yield (
            ("workers.grace_seconds", "master.drain_seconds"),
            f"{grace:g}: must be below master.drain_seconds ({drain:g}), which ends every job",
        )
    base, cap = config.retry.base_seconds, config.retry.cap_seconds
    if cap < base:
        yield (
            ("retry.cap_seconds", "retry.base_seconds"),
            f"{cap:g}: must not be below base_seconds ({base:g}), the first delay",
        )
    queues = config.workers.queues
    if len(set(queues)) < len(queues):
        yield ("workers.queues",), f"{shown(queues)}: must not name a queue twice"
    if config.run_dir == config.state_dir:
        yield (
            ("state_dir", "run_dir"),
            f"{shown(str(config.state_dir))}: must not be run_dir, which holds what does not outlive the daemon",
        )
    yield from _contradictions_of_redis(config, given)


def _contradictions_of_redis(
    config: Config, given: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same for the server. What the environment puts in the place of the file's is no contradiction to it."""
    has_url = given.get("redis.url", EMBEDDED) != EMBEDDED
    sentinels, service = given.get("redis.sentinels"), given.get("redis.service")
    if has_url and sentinels:
        yield (
            ("redis.sentinels", "redis.url"),
            "redis.url says where the server is, too; leave one of them out",
        )
    if sentinels and not service:
        yield (
            ("redis.service", *SERVICE),
            "the Sentinels know servers by name; set it to the name of the one that is wanted",
        )
    if service and not sentinels:
        yield (
            ("redis.service", *SERVICE),
            "it is the name of a server to Sentinels; set redis.sentinels, or leave this out",
        )
    if config.redis.is_embedded and not (has_url or sentinels) and given.get("redis.password_file"):
        yield (
            ("redis.password_file", "redis.url"),
            "the embedded server has no password; set redis.url, or leave this out",
        )
    asks_sentinels = config.redis.asks_sentinels or sentinels or "+sentinel://" in str(given.get("redis.url"))
    if given.get("redis.sentinel_password_file") and not asks_sentinels:
        yield (
            ("redis.sentinel_password_file", "redis.sentinels", "redis.url"),
            "no Sentinel is asked; set redis.sentinels, or leave this out",
        )
