"""The life of the process that serves the dashboard; its signals, its row, and the end of both."""

import logging
import signal

from ..http.dashboard import Dashboard
from ..http.server import WebServer, listen
from ..http.source import Source
from ..settings import HttpConfig
from ..store.access import Access
from . import exits
from .board import Board
from .inbox import Inbox
from .row import Row, State, Word

LOOK_SECONDS = 0.5

logger = logging.getLogger(__name__)


def run_http(row: Row, config: HttpConfig, board: Board, access: Access) -> int:
    """Serve until told to end; return the exit status. What does not work now may later: the master tries again."""
    inbox = Inbox([signal.SIGTERM])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        dashboard = Dashboard(config, config.read_token(), Source(board, access))
        server = WebServer(dashboard, listen(config.host, config.port))
    except (OSError, ValueError) as error:
        _tell(row, config, error)
        return exits.SOFTWARE
    server.start()
    # What happens from the moment at which somebody is told that it is up is in the charts.
    while server.is_running and not dashboard.live.has_begun.wait(LOOK_SECONDS):
        pass
    row.state = State.UP
    logger.info("http serves address=%s", config.listen)
    return _serve(row, server, inbox)


def _serve(row: Row, server: WebServer, inbox: Inbox) -> int:
    """Until its end; a server that ends by itself has failed, and has logged why."""
    is_told = False
    while server.is_running:
        if signal.SIGTERM in inbox.wait(LOOK_SECONDS if not is_told else 0.02) and not is_told:
            is_told = True
            server.stop()
    row.state = State.LEFT
    return 0 if is_told else exits.SOFTWARE


def _tell(row: Row, config: HttpConfig, error: OSError | ValueError) -> None:
    """Of tries that go on failing the 1st, 2nd, 4th, 8th … are worth a line."""
    crashes = row.words[Word.CRASHES]
    if crashes & (crashes - 1) == 0:
        why = error.strerror if isinstance(error, OSError) else error
        logger.error(
            "http cannot serve address=%s: %s; it is tried again, jobs go on meanwhile", config.listen, why
        )
