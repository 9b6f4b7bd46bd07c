"""The boot: from a configuration to a running master, whose slots know what their children shall run."""

import gc
import logging
import os
import secrets
import signal
from contextlib import ExitStack

# Payloads only to be there before the fork: each worker needs them, and would have a copy of its own.
from .. import log, payloads  # noqa: F401
from ..errors import ConfigError
from ..handlers import load_directory
from ..http.obstacles import http_obstacles
from ..settings import Config
from ..store.lookup import LOOKUPS
from .blueprint import Blueprint, Premises, access_of, apply_log, warn_of_risks
from .board import Board
from .locks import forget_pid, lock_run_dir, lock_state_dir
from .master import HELD_BACK, Master
from .notify import Notifier
from .redis_server import find_server_binary
from .server_log import ServerLog
from .slots import Fleet

ROWS_PER_WORKER = 4
"""A dead child keeps its row until its jobs are recovered: an outage of Redis must not stop the restarts at once."""

MIN_ROWS = 128

logger = logging.getLogger(__name__)


def run(config: Config, *, is_watching: bool = False) -> int:
    """Run the daemon in this process until it is told to stop; return the exit status.

    ``is_watching``: reload when a handler or the configuration changes. Raises `AlreadyRunning` and other
    `DaemonError`, `ConfigError`, `HandlersError` for what can be seen before anything is started.
    """
    # As TERM and QUIT have it, until there is an inbox: a KeyboardInterrupt may be raised where it is swallowed.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    apply_log(config)
    log.capture()
    log.set_process("master")
    boot = Boot(config)
    try:
        return boot.run(is_watching=is_watching)
    finally:
        boot.unlock()


class Boot:
    """Locks, board and slots of a daemon that is about to run."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._address = access_of(config).server.address
        if problems := list(http_obstacles(config)):
            raise ConfigError(problems)
        self._binary = find_server_binary(os.environ) if config.redis.is_embedded else ""
        self._registry = load_directory(config.workers.handlers) if config.workers.preload else None
        self._server_log = ServerLog() if config.redis.is_embedded else None
        self._run_lock, self._for_server = ExitStack(), ExitStack()
        self._is_locked = False

    def run(self, *, is_watching: bool) -> int:
        """Take the locks, fork the children and supervise them."""
        self._lock()
        board = self._create_board()
        LOOKUPS.known.share(board.addresses_path)
        blueprint = Blueprint(
            self._config,
            Premises(board, self._binary, self._server_log, self._for_server, self._registry, is_watching),
        )
        logger.info("daemon starting pid=%d node=%s redis=%s", os.getpid(), board.node, self._address)
        warn_of_risks(self._config)
        fleet = Fleet(list(blueprint.slots()), board)
        take_output = self._server_log.take if self._server_log else None
        master = Master(fleet, blueprint.plan(), Notifier(os.environ), self._run_lock.close, take_output)
        # What is there now is shared with every child for as long as nobody writes to it.
        gc.collect()
        gc.freeze()
        return master.run()

    def unlock(self) -> None:
        """Give up the locks."""
        self._for_server.close()
        if self._is_locked:
            forget_pid(self._config.run_dir)
        self._run_lock.close()

    def _lock(self) -> None:
        self._run_lock.callback(os.close, lock_run_dir(self._config.run_dir))
        self._is_locked = True
        if self._server_log:
            self._for_server.callback(self._server_log.close)
            self._for_server.callback(os.close, lock_state_dir(self._config.state_dir))

    def _create_board(self) -> Board:
        node = f"{self._config.node_name}-{secrets.token_hex(4)}"
        rows = max(self._config.worker_count * ROWS_PER_WORKER, MIN_ROWS)
        return Board.create(self._config.run_dir, node, rows)
