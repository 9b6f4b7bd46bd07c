"""Where the dashboard has everything from: the board of its daemon, and the server. Calls block, so threads make them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .. import clock
from ..client import Client
from ..errors import ConnectionFailed
from ..job import Job
from ..limits import is_id
from ..processes.board import Board
from ..processes.usage import Usage, usages
from ..processes.views import NodeView, node_view
from ..store.access import Access
from ..store.calls import UNREADABLE, has_answered
from ..store.listing import Listing, NodeReport
from ..store.pool import Pool
from ..store.stats import QueueStats, Stats
from .health import NO_ANSWER, REFUSES
from .shapes import of_other_node, of_own_node, of_queues

MAX_ANSWER_SECONDS = 2.0
"""Nobody looks at a page that stands still for longer."""

LOOK_SECONDS = 1.0
PING_SECONDS = 0.5
"""Less than a probe waits. Tries are repeated meanwhile: after a restart of the server each connection of before fails once."""

USAGE_SECONDS = 5.0
"""To ask the kernel for the memory of a process takes milliseconds."""


class Look(NamedTuple):
    """What was to be seen at one moment; ``queues`` is None, and ``trouble`` says why, if the server did not answer, or refused."""

    at_ms: int
    node: NodeView
    usage: Mapping[int, Usage]
    queues: QueueStats | None
    others: list[NodeReport]
    trouble: str
    has_answered: bool

    def to_dict(self, host: str) -> dict[str, Any]:
        """The same for a page."""
        others = [of_other_node(report) for report in self.others if report.node != self.node.node]
        # The server has them by the end of their lease: on a page they would change places with every beat.
        others.sort(key=lambda other: (other["host"], other["node"]))
        return {
            "at_ms": self.at_ms,
            "trouble": self.trouble,
            "has_answered": self.has_answered,
            "queues": self.queues and of_queues(self.queues),
            "nodes": [of_own_node(self.node, host, self.usage), *others],
        }


class Source:
    """Every call to the server ends within `MAX_ANSWER_SECONDS`, or raises `ConnectionFailed`."""

    def __init__(self, board: Board, access: Access) -> None:
        self.namespace = access.namespace
        self.board, self.access = board, access
        self._server = replace(
            access.server, timeout_seconds=min(access.server.timeout_seconds, MAX_ANSWER_SECONDS)
        )
        self._pool = Pool(self._server)
        self._client: Client | None = None
        self._usage: Mapping[int, Usage] = {}
        self._usage_until = 0.0

    @property
    def client(self) -> Client:
        """Made when it is first asked for and the server answers; it survives all later outages."""
        if self._client is None:
            # Without a lock, for which many would wait while the server hangs. Two at a time make two, and one stays.
            server = self._server
            self._client = Client(
                server.url,
                namespace=self.namespace,
                timeout_seconds=server.timeout_seconds,
                password=server.password,
            )
        return self._client

    @property
    def listing(self) -> Listing:
        """The lists, for one call."""
        return Listing(self._pool.call(), self.namespace)

    def job(self, job_id: str) -> Job:
        """One job. What somebody else has pushed into a lane may be dead as it was written, in capitals or no UUID at all."""
        if not is_id(job_id) and (foreign := Stats(self._pool.call(), self.namespace).job(job_id)):
            return foreign
        return self.client.get_job(job_id)

    @property
    def host(self) -> str:
        """The name of this machine in listings."""
        return self.board.node.rpartition("-")[0]

    def node(self) -> NodeView:
        """The daemon that this belongs to."""
        return node_view(self.board)

    @property
    def silent_seconds(self) -> float:
        """How long ago its master has last turned its loop."""
        return self.board.silent_seconds

    def check_server(self, seconds: float = MAX_ANSWER_SECONDS) -> None:
        """Raise `ConnectionFailed` unless the server answers."""
        Stats(self._pool.call(seconds), self.namespace).ping()

    def server_trouble(self) -> str:
        """What keeps the server from answering, in words that anybody may read; "" if it answers."""
        try:
            self.check_server(PING_SECONDS)
        except ConnectionFailed as error:
            return REFUSES if has_answered(error) else NO_ANSWER
        return ""

    def counters(self) -> dict[str, int] | None:
        """Counts since the namespace began; None if the server does not answer."""
        try:
            return Listing(self._pool.call(LOOK_SECONDS), self.namespace).counters()
        except UNREADABLE:
            return None

    def look(self) -> Look:
        """Everything that changes by itself, whether the server answers or not."""
        node = self.node()
        usage = self._usages(node)
        try:
            way = self._pool.call(LOOK_SECONDS)
            queues = Stats(way, self.namespace).queues()
            others = Listing(way, self.namespace).nodes()
        except UNREADABLE as error:
            return Look(clock.now_ms(), node, usage, None, [], str(error), has_answered(error))
        return Look(clock.now_ms(), node, usage, queues, others, "", True)

    def _usages(self, node: NodeView) -> Mapping[int, Usage]:
        """For a thread at a time."""
        if clock.remaining(self._usage_until) == 0:
            pids = [node.master_pid, *(child.pid for child in node.children if child.pid)]
            self._usage, self._usage_until = usages(pids), clock.deadline_in(USAGE_SECONDS)
        return self._usage
