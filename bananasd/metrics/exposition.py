"""The text that Prometheus reads."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .. import clock
from ..processes.board import Board
from ..store.access import Access
from ..store.calls import UNREADABLE, has_answered
from ..store.held import Held
from ..store.pool import Pool
from ..store.stats import Stats
from .namespace import Namespace, Origin
from .node import node_families
from .processes import Processes

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
ASK_SECONDS = 1.0
"""Well below the ten seconds after which a scrape is given up."""

KEEP_SECONDS = 1.0
"""Two servers that scrape at one time cost the Redis server no more than one."""


class Answer(NamedTuple):
    """What came of asking the server: the namespace, None if it could not be read, and whether there was an answer at all."""

    namespace: Namespace | None
    is_up: bool


class Metrics(Collector):
    """What ``/metrics`` says; calls may come from several threads, and block for a second at most where the server hangs."""

    def __init__(self, board: Board, access: Access) -> None:
        self._board = board
        self._access = access
        self._pool = Pool(replace(access.server, timeout_seconds=ASK_SECONDS))
        self._processes = Processes(board)
        self._lock = threading.Lock()
        host = board.node.rpartition("-")[0]
        self._origin = Origin(access.server.address, access.namespace).seen_from(host)
        self._answer = Answer(None, is_up=False)
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
            "bananasd_info", "1; what this daemon is.", labels=["version", "node", *Origin._fields]
        )
        info.add_metric([version("bananasd"), self._board.node, *self._origin], 1)
        yield info
        yield from node_families(self._board)
        yield from self._processes.families()
        namespace, is_up = self._ask()
        yield GaugeMetricFamily("bananasd_redis_up", "1 if the server has answered, be it a refusal.", is_up)
        text = "1 if the server has answered, but what it holds of the namespace could not be read."
        yield GaugeMetricFamily("bananasd_redis_unreadable", text, is_up and namespace is None)
        if namespace is not None:
            yield from namespace.families()

    def _ask(self) -> Answer:
        if clock.remaining(self._until) == 0:
            self._answer = self._read()
            self._until = clock.deadline_in(KEEP_SECONDS)
        return self._answer

    def _read(self) -> Answer:
        way = self._pool.call(ASK_SECONDS)
        try:
            queues = Stats(way, self._access.namespace).queues()
            processing = Held(way, self._access.namespace).by_lane()
        except UNREADABLE as error:
            return Answer(None, has_answered(error))
        return Answer(Namespace(self._origin, queues, processing), is_up=True)
