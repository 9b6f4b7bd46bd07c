"""Keys of a `Memory` that one job alone may have while it lives, as the scripts give and take them."""

from math import inf
from typing import Any

from .. import clock
from ..job import Status
from .memory import Memory
from .records import Record, is_past_its_time, job_key

HAS_ENDED = {status.value.encode() for status in Status if status.is_final}


def owner_of(memory: Memory, prefix: str, key: str) -> str | None:
    """The id of the living job that has the key; one that has waited for longer than it may does not keep it."""
    lock = f"{prefix}unique:{key}"
    if memory.lock_ends.get(lock, inf) <= clock.now_ms():
        return None
    job_id = memory.strings.get(lock, b"").decode()
    record = memory.hashes.get(job_key(prefix, job_id), {})
    is_over = record.get(b"status", b"completed") in HAS_ENDED or is_past_its_time(record)
    return None if is_over else job_id


def claim_key(memory: Memory, prefix: str, job_id: str, record: Record, options: dict[str, Any]) -> None:
    """Give a job that has just been accepted the key that its options name."""
    if "unique" in options:
        record[b"unique"] = f"{options.get('unique_until', 'end')} {options['unique']}".encode()
        if "unique_ms" in options:
            record[b"unique_ms"] = b"%d" % options["unique_ms"]
        give_key(memory, prefix, job_id, record)


def give_key(memory: Memory, prefix: str, job_id: str, record: Record) -> None:
    """Give a job the key that its record names."""
    lock = _lock_of(prefix, record)
    memory.strings[lock] = job_id.encode()
    memory.lock_ends[lock] = clock.now_ms() + int(record[b"unique_ms"]) if b"unique_ms" in record else inf


def is_taken(memory: Memory, prefix: str, record: Record) -> bool:
    """Whether a living job has the key that this record names."""
    return b"unique" in record and owner_of(memory, prefix, key_of(record)) is not None


def free(memory: Memory, prefix: str, job_id: str, record: Record, *, only_until_start: bool = False) -> None:
    """Take its key from a job that has ended, or has begun and wanted it until then."""
    if b"unique" not in record or (only_until_start and not record[b"unique"].startswith(b"start ")):
        return
    lock = _lock_of(prefix, record)
    if memory.strings.get(lock) == job_id.encode():
        del memory.strings[lock]


def key_of(record: Record) -> str:
    """The key that a record names."""
    return record[b"unique"].decode().partition(" ")[2]


def _lock_of(prefix: str, record: Record) -> str:
    return f"{prefix}unique:{key_of(record)}"
