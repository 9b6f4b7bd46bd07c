"""The families of a namespace, which every node tells alike: of these one takes the maximum, not the sum."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from ..job import Priority
from ..store.stats import LaneStats, QueueStats

COUNTERS = {
    "submitted": ("bananasd_namespace_jobs_submitted", "Jobs that were accepted."),
    "completed": ("bananasd_namespace_jobs_completed", "Jobs that completed."),
    "retried": ("bananasd_namespace_jobs_retried", "Failed attempts that another one follows."),
    "dead": ("bananasd_namespace_jobs_dead", "Jobs that went to the dead letters."),
    "cancelled": ("bananasd_namespace_jobs_cancelled", "Jobs that were cancelled."),
    "expired": ("bananasd_namespace_jobs_expired", "Jobs whose time was over before they began."),
    "lost": ("bananasd_namespace_runs_lost", "Runs that were lost with their worker or node."),
    "trimmed": ("bananasd_namespace_dead_trimmed", "Dead letters that were deleted for age or number."),
}
FAILED = ("retried", "dead")
LANE = ("queue", "priority")


class Namespace(NamedTuple):
    """What the server says of it."""

    queues: QueueStats
    processing: Mapping[str, int]

    def families(self) -> Iterator[Metric]:
        """All of it."""
        yield from self._counters()
        yield from self._lanes()
        yield GaugeMetricFamily(
            "bananasd_namespace_scheduled", "Jobs that are due later.", self.queues.scheduled
        )
        yield GaugeMetricFamily("bananasd_namespace_dead", "Dead letters that are kept.", self.queues.dead)

    def _counters(self) -> Iterator[Metric]:
        counted = self.queues.counters
        for name, (family, text) in COUNTERS.items():
            yield CounterMetricFamily(family, text, counted.get(name, 0))
        yield CounterMetricFamily(
            "bananasd_namespace_attempts_failed", "Attempts that failed, retried or not.",
            sum(counted.get(name, 0) for name in FAILED),
        )  # fmt: skip

    def _lanes(self) -> Iterator[Metric]:
        known = self.queues.lanes
        yield _by_lane(
            "ready", "Jobs that wait, those cancelled there perhaps included.", known, lambda lane: lane.ready
        )
        yield _by_lane("oldest_seconds", "How long the next job has been ready; 0 if none is.", known,
                       lambda lane: lane.oldest_seconds or 0.0)  # fmt: skip
        yield _by_lane(
            "workers", "Workers that take jobs there, on all nodes.", known, lambda lane: lane.workers
        )
        yield self._processing()
        paused = GaugeMetricFamily(
            "bananasd_namespace_paused", "1 for a queue that is paused; *: all are.", labels=["queue"]
        )
        for queue in self.queues.paused:
            paused.add_metric([queue], 1)
        yield paused

    def _processing(self) -> Metric:
        family = GaugeMetricFamily(
            "bananasd_namespace_processing", "Jobs that workers hold, on all nodes.", labels=LANE
        )
        idle = {f"{lane.queue}:{lane.priority}": 0 for lane in self.queues.lanes}
        for lane, number in sorted((idle | dict(self.processing)).items()):
            queue, _, priority = lane.partition(":")
            family.add_metric([queue, priority], number)
        return family


def _by_lane(
    name: str, text: str, lanes: list[LaneStats], value: Callable[[LaneStats], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"bananasd_namespace_{name}", text, labels=LANE)
    for lane in lanes:
        family.add_metric([lane.queue, Priority(lane.priority).value], value(lane))
    return family
