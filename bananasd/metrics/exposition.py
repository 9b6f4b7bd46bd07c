"""The text that Prometheus reads."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .. import clock
from ..errors import ConnectionFailed
from ..processes.board import Board
from ..store.access import Access
from ..store.held import Held
from ..store.pool import Pool
from ..store.stats import Stats
from .namespace import Namespace
from .node import node_families
from .processes import Processes

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
ASK_SECONDS = 1.0
"""Well below the ten seconds after which a scrape is given up."""

KEEP_SECONDS = 1.0
"""Two servers that scrape at one time cost the Redis server no more than one."""

UNANSWERED = (ConnectionFailed, ValueError)
"""The latter where somebody has written words for a number."""


class Metrics(Collector):
    """What ``/metrics`` says; calls may come from several threads, and block for a second at most where the server hangs."""

    def __init__(self, board: Board, access: Access) -> None:
        self._board = board
        self._access = access
        self._pool = Pool(replace(access.server, timeout_seconds=ASK_SECONDS))
        self._processes = Processes(board)
        self._lock = threading.Lock()
        self._namespace: Namespace | None = None
        self._until = 0.0

    def text(self) -> bytes:
        """The exposition, whether the server answers or not."""
        with self._lock:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        info = GaugeMetricFamily(
            "bananasd_info", "1; what this daemon is.", labels=["version", "node", "namespace"]
        )
        info.add_metric([version("bananasd"), self._board.node, self._access.namespace], 1)
        yield info
        yield from node_families(self._board)
        yield from self._processes.families()
        namespace = self._ask()
        yield GaugeMetricFamily("bananasd_redis_up", "1 if the server has answered.", namespace is not None)
        if namespace is not None:
            yield from namespace.families()

    def _ask(self) -> Namespace | None:
        if clock.remaining(self._until) == 0:
            self._namespace = self._read()
            self._until = clock.deadline_in(KEEP_SECONDS)
        return self._namespace

    def _read(self) -> Namespace | None:
        way = self._pool.call(ASK_SECONDS)
        try:
            return Namespace(
                self._access.namespace,
                Stats(way, self._access.namespace).queues(),
                Held(way, self._access.namespace).by_lane(),
            )
        except UNANSWERED:
            return None
