"""The families of a namespace, which every node tells alike: of these one takes the maximum, not the sum."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ..store.address import is_of_each_host
from ..store.stats import LaneStats, QueueStats

COUNTERS = {
    "submitted": ("jobs_submitted", "Jobs that were accepted."),
    "completed": ("jobs_completed", "Jobs that completed."),
    "retried": ("jobs_retried", "Failed attempts that another one follows."),
    "dead": ("jobs_dead", "Jobs that went to the dead letters."),
    "cancelled": ("jobs_cancelled", "Jobs that were cancelled."),
    "expired": ("jobs_expired", "Jobs whose time was over before they began."),
    "lost": ("runs_lost", "Runs that were lost with their worker or node."),
    "trimmed": ("dead_trimmed", "Dead letters that were deleted for age or number."),
}
PREFIX = "bananasd_namespace_"
FAILED = ("retried", "dead")


class Origin(NamedTuple):
    """Of what a series tells: ``default`` is a namespace on many servers."""

    server: str
    namespace: str

    def seen_from(self, host: str) -> "Origin":
        """The same with the name of the host, if on another one the address would be that of another server."""
        return self._replace(server=f"{self.server} on {host}") if is_of_each_host(self.server) else self


LANE = (*Origin._fields, "queue", "priority")


class Namespace(NamedTuple):
    """What the server says of it."""

    origin: Origin
    queues: QueueStats
    processing: Mapping[str, int]

    def families(self) -> Iterator[Metric]:
        """All of it."""
        yield from self._counters()
        yield from self._lanes()
        yield self._paused()
        yield self._gauge("scheduled", "Jobs that are due later.", self.queues.scheduled)
        yield self._gauge("dead", "Dead letters that are kept.", self.queues.dead)

    def _counters(self) -> Iterator[Metric]:
        counted = self.queues.counters
        for name, (family, text) in COUNTERS.items():
            yield self._counter(family, text, counted.get(name, 0))
        failed = sum(counted.get(name, 0) for name in FAILED)
        yield self._counter("attempts_failed", "Attempts that failed, retried or not.", failed)

    def _lanes(self) -> Iterator[Metric]:
        text = "Jobs that wait, those cancelled there perhaps included."
        yield self._by_lane("ready", text, lambda lane: lane.ready)
        text = (
            "How long the next job has been ready, since it was made or was due; 0 if none is, absent if too many that were "
            "cancelled lie before it."
        )
        yield self._by_lane("oldest_seconds", text, _oldest_seconds)
        text = "Workers that take jobs there, on all nodes."
        yield self._by_lane("workers", text, lambda lane: lane.workers)
        yield self._processing()

    def _by_lane(self, name: str, text: str, value: Callable[[LaneStats], float | None]) -> Metric:
        family = GaugeMetricFamily(PREFIX + name, text, labels=LANE)
        for lane in self.queues.lanes:
            if (known := value(lane)) is not None:
                family.add_metric([*self.origin, printable(lane.queue), lane.priority.value], known)
        return family

    def _processing(self) -> Metric:
        family = GaugeMetricFamily(
            f"{PREFIX}processing", "Jobs that workers hold, on all nodes.", labels=LANE
        )
        idle = {f"{lane.queue}:{lane.priority}": 0 for lane in self.queues.lanes}
        for lane, number in sorted((idle | dict(self.processing)).items()):
            queue, _, priority = lane.partition(":")
            family.add_metric([*self.origin, printable(queue), printable(priority)], number)
        return family

    def _paused(self) -> Metric:
        text = "1 for a queue that is paused; * stands for all."
        family = GaugeMetricFamily(f"{PREFIX}paused", text, labels=(*Origin._fields, "queue"))
        for queue in self.queues.paused:
            family.add_metric([*self.origin, printable(queue)], 1)
        return family

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(PREFIX + name, text, labels=Origin._fields)
        family.add_metric(self.origin, value)
        return family

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(PREFIX + name, text, labels=Origin._fields)
        family.add_metric(self.origin, value)
        return family


def printable(name: str) -> str:
    """As a label: others may have written bytes that are no UTF-8, of which halves of characters have become."""
    return name.encode("utf-8", "backslashreplace").decode()


def _oldest_seconds(lane: LaneStats) -> float | None:
    return lane.oldest_seconds if lane.ready else 0.0
