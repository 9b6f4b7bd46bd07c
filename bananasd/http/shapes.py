"""What the pages are told, as JSON has it. Payloads and results are told as text: a browser's numbers have 53 bits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from ..job import Job
from ..masking import mask_error
from ..processes.usage import Usage
from ..processes.views import ChildView, NodeView
from ..schedule import Schedule
from ..store.keys import Lane
from ..store.listing import Entry, Found, NodeReport, Page, is_tombstone
from ..store.stats import QueueStats

MAX_ERROR_LINE = 300
MAX_TEXT_CHARACTERS = 256 * 1024
"""More of a payload or a result helps nobody on a page."""


def of_queues(stats: QueueStats) -> dict[str, Any]:
    """Lanes, totals, pauses."""
    return {
        "lanes": [
            {
                "queue": lane.queue,
                "priority": lane.priority,
                "ready": lane.ready,
                "oldest_seconds": lane.oldest_seconds,
                "runs_per_second": lane.runs_per_second,
                "workers": lane.workers,
                "is_unserved": lane.is_unserved,
                "why_unserved": lane.why_unserved,
            }
            for lane in stats.lanes
        ],
        "ready": stats.ready,
        "processing": stats.processing,
        "scheduled": stats.scheduled,
        "dead": stats.dead,
        "counters": stats.counters,
        "paused": {queue: until and _iso(until) for queue, until in stats.paused.items()},
    }


def of_own_node(node: NodeView, host: str, usage: Mapping[int, Usage]) -> dict[str, Any]:
    """This daemon, as its board shows it."""
    return {
        "node": node.node,
        "host": host,
        "is_here": True,
        "phase": "stopped" if node.is_stopped else node.phase,
        "master_pid": node.master_pid,
        "up_seconds": node.up_seconds,
        "beat_seconds": None,
        "lease_seconds": None,
        "pss_bytes": _sum_of_pss(usage),
        "children": [_of_child(child, usage) for child in node.children],
    }


def of_other_node(report: NodeReport) -> dict[str, Any]:
    """Another daemon, as it told at its last beat."""
    children = report.about.get("children")
    return {
        "node": report.node,
        "host": _text(report.about.get("host")),
        "is_here": False,
        "phase": "running" if report.lease_seconds > 0 else "lost",
        "master_pid": report.about.get("master_pid"),
        "up_seconds": None,
        "beat_seconds": report.beat_seconds,
        "lease_seconds": report.lease_seconds,
        "pss_bytes": None,
        "children": [_of_told_child(child) for child in children or () if isinstance(child, dict)],
    }


def of_page(page: Page) -> dict[str, Any]:
    """Part of a list."""
    return {"total": page.total, "jobs": [of_entry(entry) for entry in page.entries]}


def of_lane(page: Page, lane: Lane) -> dict[str, Any]:
    """The same of a lane, where something may be no job any more."""
    return {
        "total": page.total,
        "jobs": [of_entry(entry) | {"is_tombstone": is_tombstone(entry, lane)} for entry in page.entries],
    }


def of_found(found: Found) -> dict[str, Any]:
    """Dead jobs that were looked for."""
    return {
        "total": found.total,
        "looked_at": found.looked_at,
        "mark": found.mark,
        "jobs": [of_entry(entry) for entry in found.entries],
    }


def of_entry(entry: Entry) -> dict[str, Any]:
    """A job in a list."""
    job = entry.job
    told = {"id": entry.job_id, "is_large": entry.is_large, "is_gone": job is None, "at_ms": entry.at_ms}
    if job is None:
        return told
    return told | {
        "name": job.name,
        "description": job.description[:MAX_ERROR_LINE],
        "status": job.status,
        "queue": job.queue,
        "priority": job.priority,
        "attempts": job.attempts,
        "recoveries": job.recoveries,
        "created_ms": job.created_ms,
        "due_ms": job.due_ms,
        "error": last_line(mask_error(job.error or "")),
    }


def of_job(job: Job) -> dict[str, Any]:
    """Everything that its record says, but the secrets of URLs in its error, which the log does not show, either."""
    error = job.error and mask_error(job.error)
    return job.to_dict() | {
        "error": error,
        "payload": as_text(job.payload),
        "result": as_text(job.result) if job.has_result and job.result is not None else None,
        "has_result": job.has_result,
        "run": job.run,
        "holder": job.holder,
        "error_line": last_line(error),
    }


def of_schedule(schedule: Schedule) -> dict[str, Any]:
    """A schedule, with its slots."""
    return schedule.to_dict() | {"when": schedule.when, "payload": as_text(schedule.payload)}


def as_text(value: Any) -> str:
    """JSON for people."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # it reads what is deeper than it writes
        return "(nested too deeply to be shown)"
    if len(written) <= MAX_TEXT_CHARACTERS:
        return written
    return f"{written[:MAX_TEXT_CHARACTERS]}\n… and {len(written) - MAX_TEXT_CHARACTERS:,} characters more"


def last_line(error: str | None) -> str:
    """What a traceback comes to."""
    return (error or "").rstrip().rpartition("\n")[2][:MAX_ERROR_LINE]


def _of_child(child: ChildView, usage: Mapping[int, Usage]) -> dict[str, Any]:
    taken = usage.get(child.pid)
    return {
        "slot": child.slot,
        "pool": child.pool,
        "kind": child.kind,
        "pid": child.pid,
        "state": "stopped" if child.is_stopped else child.state,
        "up_seconds": child.up_seconds,
        "job": child.job_id and {"id": child.job_id, "name": child.job_name, "seconds": child.job_seconds},
        "done": child.done,
        "failed": child.failed,
        "restarts": child.restarts,
        "last_end": child.last_end,
        "pss_bytes": taken and taken.pss_bytes,
    }


def _of_told_child(child: dict[str, Any]) -> dict[str, Any]:
    """What another daemon says may be anything."""
    job = child.get("job")
    slot = _text(child.get("slot"))
    return {
        "slot": slot,
        "pool": _text(child.get("pool")),
        "kind": slot.partition(" ")[0],
        "pid": child.get("pid"),
        "state": _text(child.get("state")),
        "job": {"id": _text(job.get("id")), "name": _text(job.get("name")), "seconds": None}
        if isinstance(job, dict)
        else None,
    }


def _sum_of_pss(usage: Mapping[int, Usage]) -> int | None:
    known = [taken.pss_bytes for taken in usage.values() if taken.pss_bytes is not None]
    return sum(known) if known else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
