"""Who waits for a job of a `Memory` is told of it, as the scripts tell it."""

from collections.abc import Sequence
from typing import Any

from .. import clock
from ..job import Status
from .memory import Memory

FINAL = {status.value.encode() for status in Status if status.is_final}


def await_jobs(memory: Memory, prefix: str, args: Sequence[str]) -> list[Any]:
    """How jobs stand; from now on the mailbox is told of those that go on."""
    box, *job_ids = args
    records = [memory.hashes.get(f"{prefix}job:{job_id}", {}) for job_id in job_ids]
    for record in records:
        boxes = record.get(b"waiters", b"").decode().split()
        if record and record[b"status"] not in FINAL and box not in boxes:
            record[b"waiters"] = " ".join([*boxes, box]).encode()
    return [clock.now_ms(), *(record.get(b"status", b"") for record in records)]


def tell(memory: Memory, prefix: str, job_id: str) -> None:
    """Tell those who wait for the job's end, if it has ended, and those who want to know of every change."""
    record = memory.hashes[f"{prefix}job:{job_id}"]
    for box in record.get(b"waiters", b"").decode().split():
        if record[b"status"] in FINAL or box.startswith("+"):
            memory.push(f"{prefix}mail:{box.removeprefix('+')}", job_id)


def leave_failure(memory: Memory, prefix: str, job_id: str) -> None:
    """Keep the failure of a job for those who wait for it, whatever becomes of its record."""
    record = memory.hashes[f"{prefix}job:{job_id}"]
    if b"waiters" in record:
        memory.strings[f"{prefix}result:{job_id}"] = b"!%b %b" % (record[b"finished_at"], record[b"error"])
