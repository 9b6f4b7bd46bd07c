"""Jobs of a `Memory` that wait are moved to another lane or another time, as the scripts move them."""

from collections.abc import Sequence
from typing import Any

from .. import clock
from .mail import tell
from .memory import Memory
from .records import WAITING, is_past_its_time, job_key, limit_wait, now_bytes, push


def reprioritise(memory: Memory, prefix: str, args: Sequence[str]) -> list[Any]:
    """Let a job that waits go on in another lane; its id stays in the one that it leaves."""
    job_id, priority, queue = args
    record = memory.hashes.get(job_key(prefix, job_id), {})
    status, old = record.get(b"status", b""), record.get(b"lane", b"").decode()
    lane = f"{queue or old.partition(':')[0]}:{priority}"
    if status not in WAITING or lane == old:
        return [0, status]
    record |= {b"lane": lane.encode(), b"updated_at": now_bytes()}
    if status == b"pending":
        push(memory, prefix, job_id, record)
    tell(memory, prefix, job_id)
    return [1, status]


def reschedule(memory: Memory, prefix: str, args: Sequence[str]) -> list[Any]:
    """Give a job that waits another due time; one that was pending leaves its id in its lane."""
    job_id, due = args
    record = memory.hashes.get(job_key(prefix, job_id), {})
    status, now_ms = record.get(b"status", b""), clock.now_ms()
    due_ms = max(0, int(due) + (now_ms if due.startswith("+") else 0))
    is_due = due_ms <= now_ms
    if is_past_its_time(record):
        return [0, b"expired"]
    if status not in WAITING or (is_due and status == b"pending"):
        return [0, status]
    record |= {b"status": b"pending" if is_due else b"scheduled", b"due_at": b"%d" % due_ms,
               b"updated_at": now_bytes()}  # fmt: skip
    if b"expires_in" in record:
        limit_wait(record, int(record[b"expires_in"]), max(now_ms, due_ms))
    memory.unrank(f"{prefix}scheduled", job_id)
    if is_due:
        push(memory, prefix, job_id, record)
        memory.arrivals.append((prefix, job_id))
    else:
        memory.rank(f"{prefix}scheduled", job_id, due_ms)
    tell(memory, prefix, job_id)
    return [1, record[b"status"]]
