"""``bananasd job`` and ``bananasd queues``: what Redis holds of one job, and of all."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from ..client import Client
from ..durations import brief
from ..job import Job, Status
from ..store.keys import EVERYTHING
from ..store.stats import LaneStats, QueueStats
from .errors import FAILED
from .output import compact_json, echo_fields, echo_json, echo_table, json_option, one_line, told_of
from .server import takes_client
from .waiting import WaitingCommand, show_progress, wait_for, wait_option, warn_if_unserved
from .words import id_argument

LANES_HEADER = ("QUEUE", "PRIORITY", "READY", "OLDEST", "RATE", "WORKERS")
UNSERVED = "unserved"


@click.command(cls=WaitingCommand)
@id_argument
@wait_option
@json_option
@takes_client
def job(client: Client, job_id: str, wait: float | None, as_json: bool) -> None:
    """Show one job: where it stands, its result, its error; a warning if it waits where no live worker is.

    With --wait it exits with 1 if the job failed, expired or was cancelled, and with 75 if it had not ended in time.
    """
    found = client.get_job(job_id) if wait is None else wait_for(client, job_id, wait)
    echo_json(told_of(found)) if as_json else echo_job(found)
    if wait is None and not as_json:
        warn_if_unserved(client, found)
    if wait is not None and found.status is not Status.COMPLETED:
        raise click.exceptions.Exit(FAILED)


@click.command()
@json_option
@takes_client
def queues(client: Client, as_json: bool) -> None:
    """Show how many jobs wait, run, are scheduled, are dead.

    A lane is one priority of one queue; OLDEST is how long its next job has been waiting, RATE how many runs of its jobs
    ended a second in the last 10 to 25 s. WORKERS is how many take jobs from it, on all nodes; 'unserved' if none does and
    jobs wait; which daemons would, but are quiet or drain, stands below. What is paused is told too, and while a daemon is
    live how many jobs a second were submitted, completed, and failed (for good or not) in that time.
    """
    stats = client.queue_stats()
    echo_json(_queues_to_dict(stats)) if as_json else _echo_queues(stats)


def echo_job(job: Job) -> None:
    """Print everything that is known of a job."""
    told = told_of(job)
    for name in ("payload", "result"):
        told[name] = None if told[name] is None else compact_json(told[name])
    told["headers"] = compact_json(job.headers) if job.headers else None
    told["progress"] = job.progress and show_progress(job.progress)
    told["queue"] = f"{job.queue}, priority {told.pop('priority')}"
    error = told.pop("error")
    echo_fields((name, value if value != "" else None) for name, value in [*told.items(), ("error", error)])


def lane_rows(lanes: Iterable[LaneStats]) -> list[tuple[object, ...]]:
    """Rows for a table of lanes."""
    return [
        (
            lane.queue,
            lane.priority,
            lane.ready,
            None if lane.oldest_seconds is None else brief(lane.oldest_seconds),
            None if lane.runs_per_second is None else f"{lane.runs_per_second:,.1f}",
            UNSERVED if lane.is_unserved else lane.workers,
        )
        for lane in lanes
    ]


def _echo_queues(stats: QueueStats) -> None:
    echo_table(LANES_HEADER, lane_rows(stats.lanes))
    click.echo()
    counts = [(name, f"{getattr(stats, name):,}") for name in ("processing", "scheduled", "dead")]
    expired = stats.counters.get("expired")
    also = [
        ("a second", show_rates(stats.rates) or None),
        ("expired", f"{expired:,} so far" if expired else None),
        ("paused", show_pauses(stats.paused) or None),
        ("unserved", _show_idle(stats.lanes) or None),
    ]
    echo_fields([*counts, *also])


def _show_idle(lanes: Iterable[LaneStats]) -> str:
    """Who would serve lanes that are unserved, and does not; a line for each group of lanes with the same reason."""
    named: dict[str, list[str]] = {}
    for lane in lanes:
        if lane.is_unserved and lane.why_unserved:
            named.setdefault(lane.why_unserved, []).append(f"{lane.queue} {lane.priority}")
    return "\n".join(one_line(f"{', '.join(names)}: {why}") for why, names in named.items())


def show_rates(rates: Mapping[str, float]) -> str:
    """``12.0 submitted, 11.5 completed, 0.3 failed``; nothing where nothing is known."""
    if not rates:
        return ""
    failed = rates.get("retried", 0.0) + rates.get("dead", 0.0)
    told = {
        "submitted": rates.get("submitted", 0.0),
        "completed": rates.get("completed", 0.0),
        "failed": failed,
    }
    return ", ".join(f"{rate:,.1f} {name}" for name, rate in told.items())


def show_pauses(paused: Mapping[str, datetime | None]) -> str:
    """A line for each: ``everything until 2030-01-31T09:00:00+00:00``, ``queue mail until it is resumed``."""
    return "\n".join(
        f"{name_pausable(name)} until {end.isoformat(timespec='seconds') if end else 'it is resumed'}"
        for name, end in paused.items()
    )


def name_pausable(name: str) -> str:
    """What can be paused, in words."""
    return "everything" if name == EVERYTHING else f"queue {one_line(name)}"


def _queues_to_dict(stats: QueueStats) -> dict[str, Any]:
    paused = {name: end and end.isoformat(timespec="milliseconds") for name, end in stats.paused.items()}
    lanes = [lane._asdict() for lane in stats.lanes]
    return stats._asdict() | {"lanes": lanes, "paused": paused, "rates": dict(stats.rates)}
