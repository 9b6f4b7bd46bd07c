"""Scheduled jobs of a `Memory` are moved to their lanes, by the clock or because a test says so."""

from collections.abc import Callable

from .. import clock
from .mail import tell
from .memory import Memory
from .records import Record, job_key, to_lane


def promote_due(memory: Memory) -> None:
    """Move the jobs to their lanes that were submitted for a time that has come."""
    now_ms = clock.now_ms()
    _promote(memory, lambda record: b"attempts" not in record and int(record[b"due_at"]) <= now_ms)


def promote(memory: Memory, *, all_of_them: bool) -> int:
    """Move scheduled jobs to their lanes, whatever the clock says; how many.

    Those that have failed and wait for their next try, or all of them.
    """
    return _promote(memory, lambda record: all_of_them or b"attempts" in record)


def _promote(memory: Memory, is_meant: Callable[[Record], bool]) -> int:
    """Move some of the scheduled jobs, in the order of their times."""
    moved = 0
    for key in [key for key in memory.sorted_sets if key.endswith(":scheduled")]:
        prefix = key.removesuffix("scheduled")
        for job_id in memory.ranked(key):
            record = memory.hashes[job_key(prefix, job_id)]
            if is_meant(record):
                memory.unrank(key, job_id)
                to_lane(memory, prefix, job_id, record)
                tell(memory, prefix, job_id)
                moved += 1
    return moved
