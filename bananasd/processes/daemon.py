"""The boot: from a configuration to a running master, whose slots know what their children shall run."""

import gc
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack

from .. import directories, log
from ..client import Client
from ..config import Config
from ..handlers import Registry, load_directory, submit_through
from ..store.access import Access
from ..store.connection import Server
from ..store.keys import lanes_of
from ..store.store import Retention
from .board import Board
from .locks import lock_run_dir, lock_state_dir
from .master import Limits, Master
from .notify import Notifier
from .performance import Rules
from .recovery import Terms
from .redis_server import accepts_connections, become_server, find_server_binary
from .restarts import Restarts
from .row import Kind, Row
from .scheduler import Scheduler
from .slots import Fleet, Slot
from .worker import Post, run_worker

ROWS_PER_SLOT = 4
"""A dead child keeps its row until its jobs are recovered: an outage of Redis must not stop the restarts at once."""

SPARE_ROWS = 16
SCHEDULER_CAP_SECONDS = 2.0
STALL_EXTRA_SECONDS = 1.0
MIN_STALL_SECONDS = 6.0

logger = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Run the daemon in this process until it is told to stop; return the exit status.

    Raises `AlreadyRunning` and other `DaemonError`, `ConfigError`, `HandlersError`, `ConnectionFailed` for what
    can be seen before anything is started.
    """
    log.configure(config.log.level, config.log.format)
    log.set_process("master")
    boot = Boot(config)
    try:
        return boot.run()
    finally:
        boot.unlock()


class Boot:
    """Locks, board and slots of a daemon that is about to run."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._access = access_of(config)
        self._binary = find_server_binary(os.environ) if config.redis.is_embedded else ""
        self._registry = load_directory(config.workers.handlers) if config.workers.preload else None
        self._run_lock, self._state_lock = ExitStack(), ExitStack()

    def run(self) -> int:
        """Take the locks, fork the children and supervise them."""
        self._lock()
        slots = self._slots()
        node = f"{self._config.node_name}-{secrets.token_hex(4)}"
        rows = len(slots) * ROWS_PER_SLOT + SPARE_ROWS
        self._board = Board.create(self._config.run_dir, node, rows, len(slots))
        logger.info("daemon starting pid=%d node=%s redis=%s", os.getpid(), node, self._access.server.address)
        master = Master(Fleet(slots, self._board), self._limits(), Notifier(os.environ), self._run_lock.close)
        # What is there now is shared with every child for as long as nobody writes to it.
        gc.collect()
        gc.freeze()
        return master.run()

    def unlock(self) -> None:
        """Give up the locks."""
        self._state_lock.close()
        self._run_lock.close()

    def _lock(self) -> None:
        self._run_lock.callback(os.close, lock_run_dir(self._config.run_dir))
        if self._config.redis.is_embedded:
            self._state_lock.callback(os.close, lock_state_dir(self._config.state_dir))

    def _limits(self) -> Limits:
        stall_seconds = max(self._config.redis.timeout_seconds + STALL_EXTRA_SECONDS, MIN_STALL_SECONDS)
        return Limits(self._config.master.drain_seconds, self._config.workers.grace_seconds, stall_seconds)

    def _slots(self) -> list[Slot]:
        slots = []
        if self._config.redis.is_embedded:
            socket_path = self._config.run_dir / directories.SOCKET_NAME
            slots.append(
                Slot(Kind.REDIS, 0, self._run_server, Restarts(), lambda: accepts_connections(socket_path))
            )
        slots.append(
            Slot(Kind.SCHEDULER, 0, self._run_scheduler, Restarts(SCHEDULER_CAP_SECONDS, limit=None))
        )
        slots += (
            Slot(Kind.WORKER, i, self._run_worker, Restarts()) for i in range(self._config.workers.count)
        )
        return slots

    # What the children run. All but the server close their copy of state_dir's lock first thing.

    def _run_server(self, _row: Row) -> int:
        become_server(self._binary, self._config.run_dir / directories.SOCKET_NAME, self._config.state_dir)

    def _run_scheduler(self, row: Row) -> int:
        self._state_lock.close()
        config = self._config
        terms = Terms(self._lease_ms, config.workers.max_recoveries)
        about = {"host": config.node_name, "master_pid": os.getppid(), "queues": config.workers.queues}
        beat_seconds = config.scheduler.beat_seconds
        return Scheduler(row, self._board, self._access, beat_seconds, terms, about).run()

    def _run_worker(self, row: Row) -> int:
        self._state_lock.close()
        config = self._config
        post = Post(
            self._board.node,
            lanes_of(config.workers.queues),
            self._lease_ms,
            Rules(config.workers.timeout_seconds, config.retry.policy(), config.retention.result_bytes),
        )
        submit_through(self._make_client)
        return run_worker(row, post, self._load_handlers(), self._access)

    @property
    def _lease_ms(self) -> int:
        return int(self._config.scheduler.lease_seconds * 1000)

    def _load_handlers(self) -> Callable[[], Registry]:
        registry = self._registry
        return (lambda: registry) if registry else (lambda: load_directory(self._config.workers.handlers))

    def _make_client(self) -> Client:
        """What a handler's own ``.submit`` goes through: the server and namespace that it works for."""
        server = self._access.server
        return Client(server.url, namespace=self._access.namespace, password=server.password)


def access_of(config: Config) -> Access:
    """The way to the server of a configuration."""
    url = directories.socket_url(config.run_dir) if config.redis.is_embedded else config.redis.url
    server = Server(url, config.redis.timeout_seconds, config.redis.read_password())
    keep = config.retention
    retention = Retention(int(keep.completed_seconds * 1000), int(keep.dead_seconds * 1000), keep.dead_count)
    return Access(server, config.namespace, retention)
