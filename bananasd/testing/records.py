"""Records of a `Memory`, and the lanes in which they wait."""

from .. import clock
from .memory import Memory

Record = dict[bytes, bytes]

WAITING = (b"pending", b"scheduled")


def push(memory: Memory, prefix: str, job_id: str, record: Record) -> None:
    """To the end of its lane."""
    lane = record[b"lane"].decode()
    memory.push(f"{prefix}ready:{lane}", job_id)
    memory.sets.setdefault(f"{prefix}queues", set()).add(lane.partition(":")[0])


def to_lane(memory: Memory, prefix: str, job_id: str, record: Record) -> None:
    """It may run from now on."""
    record |= {b"status": b"pending", b"updated_at": now_bytes()}
    push(memory, prefix, job_id, record)


def limit_wait(record: Record, expires_in: int, since_ms: int) -> None:
    """Until when a run may begin."""
    record |= {b"expires_in": b"%d" % expires_in, b"expires_at": b"%d" % (since_ms + expires_in)}


def is_past_its_time(record: Record) -> bool:
    """Whether it waits, and has waited for longer than it may: no run of it will begin."""
    now_ms = clock.now_ms()
    return record.get(b"status") in WAITING and int(record.get(b"expires_at", now_ms)) < now_ms


def job_key(prefix: str, job_id: str) -> str:
    """The key of a record."""
    return f"{prefix}job:{job_id}"


def result_key(prefix: str, job_id: str) -> str:
    """The key of a result."""
    return f"{prefix}result:{job_id}"


def now_bytes() -> bytes:
    """Now, as a record has it."""
    return b"%d" % clock.now_ms()
