"""Where the dashboard has everything from: the board of its daemon, and the server. Calls block, so threads make them."""

import threading
from dataclasses import replace

from ..client import Client
from ..errors import ConnectionFailed
from ..processes.board import Board
from ..processes.views import NodeView, node_view
from ..store.access import Access
from ..store.pool import Pool
from ..store.stats import Stats

MAX_ANSWER_SECONDS = 2.0
"""Nobody looks at a page that stands still for longer."""

PING_SECONDS = 1.0


class Source:
    """Every call to the server ends within `MAX_ANSWER_SECONDS`, or raises `ConnectionFailed`."""

    def __init__(self, board: Board, access: Access) -> None:
        self._board = board
        self._namespace = access.namespace
        self._server = replace(
            access.server, timeout_seconds=min(access.server.timeout_seconds, MAX_ANSWER_SECONDS)
        )
        self._pings = Pool(replace(access.server, timeout_seconds=PING_SECONDS))
        self._lock = threading.Lock()
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Made when it is first asked for and the server answers; it survives all later outages."""
        with self._lock:
            if self._client is None:
                server = self._server
                self._client = Client(
                    server.url,
                    namespace=self._namespace,
                    timeout_seconds=server.timeout_seconds,
                    password=server.password,
                )
            return self._client

    def node(self) -> NodeView:
        """The daemon that this belongs to."""
        return node_view(self._board)

    @property
    def silent_seconds(self) -> float:
        """How long ago its master has last turned its loop."""
        return self._board.silent_seconds

    def is_server_there(self) -> bool:
        """Whether the server answers."""
        try:
            Stats(self._pings.attempt(), self._namespace).ping()
        except ConnectionFailed:
            return False
        return True
