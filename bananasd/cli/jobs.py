"""``bananasd job`` and ``bananasd queues``: what Redis holds of one job, and of all."""

from collections.abc import Iterable
from typing import Any

import click

from ..client import Client
from ..job import Job
from ..store.stats import LaneStats, QueueStats
from .output import compact_json, echo_fields, echo_json, echo_table, json_option
from .server import takes_client
from .times import brief

LANES_HEADER = ("QUEUE", "PRIORITY", "READY", "OLDEST")


@click.command()
@click.argument("job_id", metavar="ID")
@json_option
@takes_client
def job(client: Client, job_id: str, as_json: bool) -> None:
    """Show one job: where it stands, its result, its error."""
    found = client.get_job(job_id)
    echo_json(found.to_dict()) if as_json else echo_job(found)


@click.command()
@json_option
@takes_client
def queues(client: Client, as_json: bool) -> None:
    """Show how many jobs wait, run, are scheduled, are dead.

    A lane is one priority of one queue; OLDEST is how long its next job has been waiting.
    """
    stats = client.queue_stats()
    echo_json(_queues_to_dict(stats)) if as_json else _echo_queues(stats)


def echo_job(job: Job) -> None:
    """Print everything that is known of a job."""
    told = job.to_dict()
    for name in ("payload", "result"):
        told[name] = None if told[name] is None else compact_json(told[name])
    told["progress"] = job.progress and show_progress(job.progress)
    told["queue"] = f"{job.queue}, priority {told.pop('priority')}"
    error = told.pop("error")
    echo_fields((name, value if value != "" else None) for name, value in [*told.items(), ("error", error)])


def show_progress(progress: dict[str, Any]) -> str:
    """``3 of 5: sums``."""
    of_total = "" if progress["total"] is None else f" of {progress['total']:g}"
    note = f": {progress['note']}" if progress["note"] else ""
    return f"{progress['done']:g}{of_total}{note}"


def lane_rows(lanes: Iterable[LaneStats]) -> list[tuple[object, ...]]:
    """Rows for a table of lanes."""
    return [
        (lane.queue, lane.priority, lane.ready, None if lane.oldest_seconds is None else brief(lane.oldest_seconds))
        for lane in lanes
    ]  # fmt: skip


def _echo_queues(stats: QueueStats) -> None:
    echo_table(LANES_HEADER, lane_rows(stats.lanes))
    click.echo()
    echo_fields((name, f"{getattr(stats, name):,}") for name in ("processing", "scheduled", "dead"))


def _queues_to_dict(stats: QueueStats) -> dict[str, Any]:
    return stats._asdict() | {"lanes": [lane._asdict() for lane in stats.lanes]}
