"""The blueprint: what a configuration makes of each child, and of the daemon as a whole."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .. import config as configuration
from .. import directories, log
from ..client import Client
from ..contradictions import risks
from ..errors import ConfigError
from ..handlers import Registry, load_directory, submit_through
from ..http.obstacles import http_obstacles
from ..server import server_of
from ..settings import Config, PoolConfig
from ..store.access import Access
from ..store.connection import BLOCK_SECONDS
from ..store.keys import lanes_of
from ..store.store import Retention
from . import offspring
from .beat import About
from .board import Board
from .performance import Rules
from .plan import Limits, Plan
from .recovery import Terms
from .recycling import RecycleLimits
from .redis_server import accepts_connections, become_server
from .restarts import Restarts
from .row import Kind, Row
from .scheduler import Scheduler
from .server_log import ServerLog
from .slots import ROWS_PER_SLOT, Slot
from .worker import Post
from .worker_process import run_worker

SCHEDULER_CAP_SECONDS = 2.0
STALL_EXTRA_SECONDS = 1.0
MIN_STALL_SECONDS = 6.0
CLAIM_TIMEOUTS = 3
"""How many of the server's timeouts an idle worker's claim may take, beside its wait: for the question, and for either answer."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Premises:
    """What stays the same for as long as a daemon lives, whatever its configuration becomes.

    ``binary`` and ``server_log`` are those of the embedded server. ``for_server`` is what every child but that closes,
    ``registry`` holds the handlers that were preloaded.
    """

    board: Board
    binary: str
    server_log: ServerLog | None
    for_server: ExitStack
    registry: Registry | None
    is_watching: bool


class Blueprint:
    """One configuration on its premises."""

    def __init__(self, config: Config, premises: Premises) -> None:
        self._config = config
        self._premises = premises
        self._access = access_of(config)

    def plan(self) -> Plan:
        """The same, as the master follows it."""
        config = self._config
        watched = (config.workers.handlers, *([config.path] if config.path else []))
        return Plan(
            {pool.name: pool.workers for pool in config.all_pools},
            self._make_slot,
            self._limits(),
            lambda: apply_log(config),
            self._renew,
            check_command(config),
            config.workers.start_seconds,
            watched if self._premises.is_watching else (),
            bool(config.http.listen),
        )

    def slots(self) -> Iterator[Slot]:
        """Everything that is to run, in the order in which it starts."""
        if self._config.redis.is_embedded:
            yield self._make_slot(Kind.REDIS, 0)
        yield self._make_slot(Kind.SCHEDULER, 0)
        if self._config.http.listen:
            yield self._make_slot(Kind.HTTP, 0)
        pools = [pool.name for pool in self._config.all_pools for _ in range(pool.workers)]
        yield from (self._make_slot(Kind.WORKER, number, pool) for number, pool in enumerate(pools))

    def _make_slot(self, kind: Kind, number: int, pool_name: str = "") -> Slot:
        start_seconds = self._config.workers.start_seconds
        if kind is Kind.REDIS:
            is_ready = lambda: accepts_connections(self._config.run_dir / directories.SOCKET_NAME)  # noqa: E731
            return Slot(kind, number, self._run_server, Restarts(), is_ready, start_seconds)
        if kind is Kind.SCHEDULER:
            restarts = Restarts(SCHEDULER_CAP_SECONDS, limit=None)
            return Slot(kind, number, self._run_scheduler, restarts, start_seconds=start_seconds)
        if kind is Kind.HTTP:
            return Slot(kind, number, self._run_http, Restarts(limit=None), start_seconds=start_seconds)
        pool = next(pool for pool in self._config.all_pools if pool.name == pool_name)
        body = partial(self._run_worker, pool)
        return Slot(kind, number, body, Restarts(), start_seconds=start_seconds, pool=pool_name)

    def _limits(self) -> Limits:
        workers = self._config.workers
        timeout_seconds = self._config.redis.timeout_seconds
        return Limits(
            self._config.master.drain_seconds,
            workers.grace_seconds,
            max(timeout_seconds + STALL_EXTRA_SECONDS, MIN_STALL_SECONDS),
            max(CLAIM_TIMEOUTS * timeout_seconds + BLOCK_SECONDS + STALL_EXTRA_SECONDS, MIN_STALL_SECONDS),
            RecycleLimits(workers.max_jobs, workers.max_age_seconds, workers.max_rss_mb),
        )

    def _renew(self) -> Plan:
        """The plan of the configuration as its file is now."""
        config = configuration.load(configuration.find(self._config.path), os.environ)
        if problems := [*self._obstacles(config), *http_obstacles(config)]:
            raise ConfigError(problems)
        warn_of_risks(config)
        if config.workers.preload:
            logger.warning("handlers are preloaded: a reload changes settings, their code needs a restart")
        return Blueprint(config, self._premises).plan()

    def _obstacles(self, new: Config) -> Iterator[str]:
        """What cannot change while the daemon runs."""
        old, place = self._config, new.path or "defaults"
        fixed = {
            "namespace": old.namespace == new.namespace,
            "node_name": old.node_name == new.node_name,
            "run_dir": old.run_dir == new.run_dir,
            "state_dir": old.state_dir == new.state_dir,
            "redis.url": old.redis.url == new.redis.url,
            "redis.sentinels": old.redis.sentinels == new.redis.sentinels,
            "redis.service": old.redis.service == new.redis.service,
            "workers.preload": old.workers.preload == new.workers.preload,
            "workers.handlers": old.workers.handlers == new.workers.handlers or not old.workers.preload,
            "log.file": bool(old.log.file) <= bool(new.log.file),
        }
        yield from (
            f"{place}: {name}: cannot change without a restart of the daemon"
            for name, is_same in fixed.items()
            if not is_same
        )
        most = len(self._premises.board.rows) // ROWS_PER_SLOT - 2 - bool(new.http.listen)
        if new.worker_count > most:
            name = "workers.count with all pools" if new.pools else "workers.count"
            yield (
                f"{place}: {name}: {new.worker_count}: more than {most} need a restart of the daemon, "
                "which has made room for so many at its start"
            )
        if new.log.file and new.log.file != old.log.file and not _is_writable(new.log.file):
            yield f"{place}: log.file: {new.log.file}: cannot be written to"

    # What the children run. All but the server close first thing what they have of it: a copy of state_dir's lock, a pipe.

    def _run_server(self, _row: Row) -> int:
        config = self._config
        socket_path = config.run_dir / directories.SOCKET_NAME
        server_log = self._premises.server_log
        assert server_log is not None  # noqa: S101 - there is one where there is such a slot
        become_server(self._premises.binary, socket_path, config.state_dir, server_log.writer)

    def _run_scheduler(self, row: Row) -> int:
        self._enter()
        config, board = self._config, self._premises.board
        terms = Terms(self._lease_ms, config.workers.max_recoveries)
        lanes = {pool.name: lanes_of(pool.queues, pool.priorities) for pool in config.all_pools}
        about = About(config.node_name, os.getppid(), lanes, config.retry.max_retries)
        beat_seconds = config.scheduler.beat_seconds
        return Scheduler(row, board, self._access, beat_seconds, terms, about, config.schedules).run()

    def _run_worker(self, pool: PoolConfig, row: Row) -> int:
        self._enter()
        config = self._config
        post = Post(
            self._premises.board.node,
            lanes_of(pool.queues, pool.priorities),
            self._lease_ms,
            Rules(config.workers.timeout_seconds, config.retry.policy(), config.retention.result_bytes),
            config.workers.max_jobs,
            config.workers.max_rss_mb,
            pool.fairness,
        )
        submit_through(self._make_client)
        offspring.provide(config.workers.handlers, row)
        return run_worker(row, post, self._load_handlers(), self._access, self._premises.board.tallies)

    def _run_http(self, row: Row) -> int:
        self._enter()
        # Not at the top: what it imports is large, and no other process has a use for it.
        from .http_process import run_http  # noqa: PLC0415

        return run_http(row, self._config.http, self._premises.board, self._access)

    def _enter(self) -> None:
        self._premises.for_server.close()
        try:
            apply_log(self._config)
        except ConfigError as error:
            # The master's is as good: a directory that was cleaned away is no reason to do no work.
            log.configure(self._config.log.level, self._config.log.format)
            logger.warning("log file not opened, the old one is kept: %s", error)

    @property
    def _lease_ms(self) -> int:
        return int(self._config.scheduler.lease_seconds * 1000)

    def _load_handlers(self) -> Callable[[], Registry]:
        registry = self._premises.registry
        return (lambda: registry) if registry else (lambda: load_directory(self._config.workers.handlers))

    def _make_client(self) -> Client:
        """What a handler's own ``.submit`` goes through: the server and namespace that it works for."""
        server = self._access.server
        return Client(server.url, namespace=self._access.namespace, password=server.password)


def access_of(config: Config) -> Access:
    """The way to the server of a configuration. Raises `ConfigError` for settings that lead to none."""
    keep = config.retention
    retention = Retention(
        completed_ms=int(keep.completed_seconds * 1000),
        dead_ms=int(keep.dead_seconds * 1000),
        dead_count=keep.dead_count,
        result_ms=int(keep.result_seconds * 1000),
        failure_ms=int(keep.failure_seconds * 1000),
    )
    return Access(server_of(config), config.namespace, retention)


def apply_log(config: Config) -> None:
    """Log as the configuration says. Raises `ConfigError` if there is a file that cannot be written to."""
    try:
        log.to_file(str(config.log.file or ""))
    except OSError as error:
        raise ConfigError([f"log.file: {config.log.file}: {error.strerror}"]) from None
    log.configure(config.log.level, config.log.format)


def warn_of_risks(config: Config) -> None:
    """Log what in a configuration asks for trouble."""
    for risk in risks(config):
        logger.warning("configuration risky: %s", risk)


def check_command(config: Config) -> list[str]:
    """The program that tries configuration and handlers; -P: what lies in the present directory must not be imported."""
    command = [sys.executable, "-P", "-m", "bananasd", "check"]
    return command + (["--config", str(config.path)] if config.path else [])


def _is_writable(path: Path) -> bool:
    try:
        with path.open("ab"):
            return True
    except OSError:
        return False
