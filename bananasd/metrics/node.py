"""The families of a node: what its own children did, and how they are. Prometheus sums them over nodes."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from .. import clock
from ..processes.board import Board
from ..processes.row import Cause, Kind, Reason
from ..processes.tally import (
    COMPLETED,
    DRAIN,
    ENDS_AT,
    ENDS_PER_KIND,
    FAILED,
    HANDLER,
    INTERRUPTS_AT,
    LAG,
    LANE,
    LEFT,
    OUTCOMES,
    OUTCOMES_AT,
    TRIP,
    WAIT,
    Figure,
)
from .totals import Totals, times

RECOVERED = {
    "requeued": Figure.REQUEUED,
    "retried": Figure.RETRIED,
    "dead": Figure.DEAD,
    "cancelled": Figure.CANCELLED,
}
CAUSES = {"left": LEFT, "ended": int(Cause.NONE)} | {
    cause.name.lower(): int(cause) for cause in Cause if cause is not Cause.NONE
}
"""How a child may end: it was asked to, by itself, or killed by the master for one of these."""


def node_families(board: Board) -> Iterator[Metric]:
    """What was counted since this daemon began."""
    totals = Totals(board.tallies)
    yield from _runs(totals)
    yield from _lanes(totals)
    yield from _server(totals)
    yield from _scheduler(totals)
    yield from _daemon(board, totals)


def _runs(totals: Totals) -> Iterator[Metric]:
    runs = CounterMetricFamily("bananasd_job_runs", "Runs by how they ended; lost: with their worker.",
                               labels=["handler", "outcome"])  # fmt: skip
    interrupts = CounterMetricFamily("bananasd_job_interrupts", "Runs that were broken into.",
                                     labels=["handler", "reason"])  # fmt: skip
    took = HistogramMetricFamily("bananasd_job_run_seconds", "How long runs took; failed: all that did not complete.",
                                 labels=["handler", "outcome"])  # fmt: skip
    for name, words in totals.series(HANDLER):
        completed, failed = times(words, COMPLETED), times(words, FAILED)
        runs.add_metric([name, "completed"], completed.buckets[-1][1])
        for number, outcome in enumerate(OUTCOMES):
            runs.add_metric([name, outcome], words[OUTCOMES_AT + number])
        for reason in Reason:
            interrupts.add_metric([name, reason.name.lower()], words[INTERRUPTS_AT + reason - 1])
        took.add_metric([name, "completed"], *completed)
        took.add_metric([name, "failed"], *failed)
    yield from (runs, interrupts, took)


def _lanes(totals: Totals) -> Iterator[Metric]:
    waits = HistogramMetricFamily("bananasd_job_wait_seconds", "How long jobs had waited when a worker took them; counted when the run, or its batch, has ended, and not if its worker was killed.",
                                  labels=["queue", "priority"])  # fmt: skip
    for name, words in totals.series(LANE):
        queue, _, priority = name.partition(":")
        waits.add_metric([queue, priority], *times(words, WAIT))
    yield waits


def _server(totals: Totals) -> Iterator[Metric]:
    refused = totals.page[Figure.REFUSED] + totals.page[Figure.REFUSED_BY_HELPER]
    errors = totals.page[Figure.REDIS_ERRORS] + totals.page[Figure.REDIS_ERRORS_OF_HELPER]
    yield CounterMetricFamily(
        "bananasd_outcomes_refused", "Outcomes that came when their run had lost its job.", refused
    )
    yield CounterMetricFamily("bananasd_redis_errors", "Trips to the server that failed.", errors)
    trips = times(totals.page, TRIP)
    yield HistogramMetricFamily(
        "bananasd_redis_round_trip_seconds", "How long the scheduler's beats took, there and back.", *trips
    )


def _scheduler(totals: Totals) -> Iterator[Metric]:
    recovered = CounterMetricFamily("bananasd_jobs_recovered", "Jobs that dead workers and nodes had held.",
                                    labels=["outcome"])  # fmt: skip
    for outcome, figure in RECOVERED.items():
        recovered.add_metric([outcome], totals.page[figure])
    yield recovered
    yield HistogramMetricFamily(
        "bananasd_schedule_lag_seconds", "How long after its instant a schedule's slot fired.",
        *times(totals.page, LAG),
    )  # fmt: skip


def _daemon(board: Board, totals: Totals) -> Iterator[Metric]:
    ends = CounterMetricFamily("bananasd_process_ends", "Children that ended, by cause; all but retired ones are replaced.",
                               labels=["kind", "cause"])  # fmt: skip
    for kind in Kind:
        for cause, number in CAUSES.items():
            ends.add_metric([kind.name.lower(), cause], totals.page[ENDS_AT + kind * ENDS_PER_KIND + number])
    yield ends
    yield HistogramMetricFamily(
        "bananasd_worker_drain_seconds", "How long workers took to leave when they were asked to.",
        *times(totals.page, DRAIN),
    )  # fmt: skip
    since_ns = totals.page[Figure.DRAINING_NS]
    drains_for = max(0, clock.monotonic_ns() - since_ns) / 1e9 if since_ns else 0.0
    yield GaugeMetricFamily(
        "bananasd_draining_seconds", "For how long the daemon drains; 0: it does not.", drains_for
    )
    yield GaugeMetricFamily(
        "bananasd_quiet", "1 while the daemon takes no jobs, since it was told so.", board.is_quiet
    )
