"""Every setting, with its bounds and its default."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from .job import Priority
from .limits import MAX_FACTOR, MAX_RETRIES, MAX_SECONDS
from .retry import Retry, RetryPolicy
from .schedule import Schedule
from .schema import choice, number, seconds, text, whole
from .secret_files import read_secret

EMBEDDED = "embedded"
HOUR, DAY = 3600, 86400
MIB = 1024 * 1024
MIN_TOKEN_CHARACTERS = 16

Flag = Annotated[bool, Meta(description="true or false")]
Directory = Annotated[Path, Meta(description="the path of a directory")]
# It becomes part of file names and of holders' names, which end at the first '/'.
NodeName = Annotated[str, text("[!-.0-~]{1,64}", "1 to 64 printable ASCII characters without '/' and spaces")]
NAME_WANTED = "1 to 64 letters, digits, '_' or '-'"
Name = Annotated[str, text("[A-Za-z0-9_-]{1,64}", f"{NAME_WANTED}, in quotes")]
Queues = Annotated[tuple[Name, ...], Meta(min_length=1, description=f"a list of names of {NAME_WANTED}")]
Priorities = Annotated[
    tuple[Priority, ...],
    Meta(min_length=1, description='a list with one or more of "high", "normal", "low"'),
]
Fairness = Annotated[int, whole(0, 1000)]
URL_WANTED = f'"{EMBEDDED}", or a URL that begins with redis://, rediss://, unix:// or redis+sentinel://'
Url = Annotated[str, text(rf"{EMBEDDED}|(?:rediss?(?:\+sentinel)?|unix)://\S+", URL_WANTED, is_secret=True)]
Sentinels = Annotated[
    tuple[Annotated[str, text(r"[^\s/?#@,]+", "an address")], ...],
    Meta(description='a list of addresses "HOST:PORT", without passwords', extra={"is_secret": True}),
]
Service = Annotated[str, text("[A-Za-z0-9._-]+", "a name of letters, digits, '.', '_' or '-', in quotes")]
PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]"
Listen = Annotated[
    str,
    text(
        rf"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?:{PORT})",
        'an address "HOST:PORT" such as "127.0.0.1:8580", or "" for none',
    ),
]
LogFile = Annotated[Path | None, Meta(description="the path of a file")]
TlsFile = Annotated[Path | None, Meta(description="the path of a PEM file")]
SecretFile = Annotated[Path | None, Meta(description="the path of a file", extra={"is_secret": True})]


class RedisConfig(Struct, frozen=True, kw_only=True):
    """``[redis]``: which server."""

    url: Url = EMBEDDED
    sentinels: Sentinels = ()
    service: Service = ""
    password_file: SecretFile = None
    sentinel_password_file: SecretFile = None
    tls_ca_file: TlsFile = None
    tls_cert_file: TlsFile = None
    tls_key_file: TlsFile = None
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

    @property
    def tls_files(self) -> dict[str, Path]:
        """The files of TLS that are set, by the option of a URL that says the same."""
        given = {
            "ssl_ca_certs": self.tls_ca_file,
            "ssl_certfile": self.tls_cert_file,
            "ssl_keyfile": self.tls_key_file,
        }
        return {option: path for option, path in given.items() if path is not None}

    def read_password(self) -> str | None:
        """What the password file holds, without the end of its line; None if there is no such file to read.

        Raises ValueError if it cannot be read or holds nothing.
        """
        return None if self.is_embedded else _secret_in(self.password_file)

    def read_sentinel_password(self) -> str | None:
        """The same for the file with the password of the Sentinels."""
        return _secret_in(self.sentinel_password_file) if self.asks_sentinels else None


class WorkersConfig(Struct, frozen=True, kw_only=True):
    """``[workers]``: how many, what they run and for how long."""

    count: Annotated[int, whole(0, 1000)]
    handlers: Directory
    queues: Queues = ("default",)
    priorities: Priorities = tuple(Priority)
    fairness: Fairness = 0
    timeout_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 300.0
    grace_seconds: Annotated[float, seconds(0, DAY)] = 5.0
    start_seconds: Annotated[float, seconds(0, DAY)] = 60.0
    preload: Flag = False
    max_jobs: Annotated[int, whole(0, 1_000_000_000)] = 0
    max_age_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 0.0
    max_rss_mb: Annotated[int, whole(0, 100_000_000)] = 0
    max_recoveries: Annotated[int, whole(1, 1000)] = 3


class PoolConfig(Struct, frozen=True, kw_only=True):
    """``[[pools]]``: workers that serve other lanes than those of ``[workers]``, which is a pool without a name."""

    name: Name = ""
    workers: Annotated[int, whole(1, 1000)] = 1
    queues: Queues = ("default",)
    priorities: Priorities = tuple(Priority)
    fairness: Fairness = 0


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
    factor: Annotated[float, number(1, MAX_FACTOR)] = 2.0
    cap_seconds: Annotated[float, seconds(0, MAX_SECONDS)] = 3600.0
    jitter: Annotated[float, number(0, 1)] = 0.0

    def policy(self) -> RetryPolicy:
        """The same as the rule that computes delays."""
        pauses = structs.asdict(self)
        return RetryPolicy(pauses.pop("max_retries"), Retry(**pauses))


class RetentionConfig(Struct, frozen=True, kw_only=True):
    """``[retention]``: what is kept of jobs that have ended."""

    # A client repeats a submit for up to a minute, and must still meet the job it made.
    completed_seconds: Annotated[float, seconds(60, MAX_SECONDS)] = 86400.0
    dead_seconds: Annotated[float, seconds(0.01, MAX_SECONDS)] = 604800.0
    dead_count: Annotated[int, whole(1, 1_000_000_000)] = 1_000_000
    result_seconds: Annotated[float, seconds(0.01, MAX_SECONDS)] = 3600.0
    failure_seconds: Annotated[float, seconds(0.01, MAX_SECONDS)] = 86400.0
    result_bytes: Annotated[int, whole(1, 64 * MIB)] = MIB


class HttpConfig(Struct, frozen=True, kw_only=True):
    """``[http]``: the dashboard and what health checks ask."""

    listen: Listen = ""
    token_file: SecretFile = None
    read_only: Flag = False

    @property
    def host(self) -> str:
        """Of ``listen``, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Of ``listen``."""
        return int(self.listen.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def read_token(self) -> str | None:
        """What the token file holds, without the end of its line; None if there is none, or nothing listens.

        Raises ValueError if it cannot be read, or holds what could be guessed or no header could carry.
        """
        token = _secret_in(self.token_file, "token") if self.listen else None
        if token is not None and not re.fullmatch(rf"[!-~]{{{MIN_TOKEN_CHARACTERS},}}", token):
            raise ValueError(
                f"{self.token_file}: the token must have at least {MIN_TOKEN_CHARACTERS} characters, letters, digits and signs "
                "without spaces; 'openssl rand -hex 32' makes one"
            )
        return token


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
    pools: tuple[PoolConfig, ...] = ()
    master: MasterConfig
    scheduler: SchedulerConfig
    retry: RetryConfig
    retention: RetentionConfig
    http: HttpConfig
    log: LogConfig
    schedules: tuple[Schedule, ...] | None = None
    """``[[schedules]]``; None: the file says nothing of them."""

    @property
    def all_pools(self) -> tuple[PoolConfig, ...]:
        """The workers of ``[workers]`` as the pool whose name is empty, and the other pools."""
        own = self.workers
        default = PoolConfig(
            workers=own.count, queues=own.queues, priorities=own.priorities, fairness=own.fairness
        )
        return (default, *self.pools)

    @property
    def worker_count(self) -> int:
        """How many workers there are in all pools together."""
        return sum(pool.workers for pool in self.all_pools)


def _secret_in(path: Path | None, what: str = "password") -> str | None:
    return None if path is None else read_secret(path, what)
