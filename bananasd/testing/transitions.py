"""The transitions of jobs in a `Memory`: those of a client answer as their scripts do, those of a worker take an outcome.

Each does to the record what the script of its name in ``store/lua`` does; tests/client/test_contract.py holds both to it.
No record and no result is forgotten here, and there is no holder to refuse: a test has one worker.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from .. import clock
from ..job import Job, Priority
from ..store.claims import Claimed
from ..store.outcomes import Buried, Completed, Outcome, Retried
from .facts import tell_facts
from .mail import await_jobs, leave_failure, tell
from .memory import CallOfScript, Memory, not_known
from .moves import reprioritise, reschedule
from .pauses import is_shut, pause, resume
from .records import (
    WAITING,
    Record,
    is_past_its_time,
    job_key,
    limit_wait,
    now_bytes,
    push,
    result_key,
    to_lane,
)
from .schedules import put_schedules, read_schedules, remove_schedule
from .unique import claim_key, free, give_key, is_taken, owner_of

HOLDER = "testing/1.1"
OPTIONS = {"expires_in", "unique", "unique_ms", "unique_until", "on_duplicate"}
OF_A_LIFE = (b"attempts", b"recoveries", b"finished_at", b"progress", b"has_result", b"waiters", b"cancel")
"""What the record of a dead job loses when it is brought back."""


def submit(memory: Memory, prefix: str, args: Sequence[Any]) -> list[Any]:
    """Accept jobs; an id that is there is left as it is, and one whose key is taken is not accepted."""
    new, duplicates = 0, list[Any]()
    for position, (job_id, spec, lane, due, extra) in enumerate(zip(*[iter(args)] * 5, strict=True)):
        if job_key(prefix, job_id) in memory.hashes:
            continue
        options = _read_extra(extra)
        owner = owner_of(memory, prefix, options["unique"]) if "unique" in options else None
        if owner and not _is_to_be_replaced(memory, prefix, owner, options):
            duplicates += (position, owner.encode())
            continue
        new += 1
        if owner:
            cancel(memory, prefix, [owner])
            memory.arrivals = [arrival for arrival in memory.arrivals if arrival != (prefix, owner)]
        record = {b"spec": spec, b"lane": lane.encode()}
        _accept(memory, prefix, job_id, record, due, options)
        claim_key(memory, prefix, job_id, record, options)
        memory.arrivals.append((prefix, job_id))
    if new:
        memory.count(prefix, "submitted", new)
    return [new, *duplicates]


def cancel(memory: Memory, prefix: str, args: Sequence[Any]) -> list[Any]:
    """End a job that has not started, whose id stays in its lane; or have one that runs be cancelled at its end."""
    record = memory.hashes.get(job_key(prefix, args[0]))
    if record is None:
        return [0, b""]
    status = record[b"status"]
    if status == b"processing" and args[2]:
        record |= {b"cancel": args[2].encode(), b"updated_at": now_bytes()}
        return [1, status]
    if status not in WAITING:
        return [0, status]
    memory.unrank(f"{prefix}scheduled", args[0])
    _end_as_cancelled(memory, prefix, args[0], record)
    tell(memory, prefix, args[0])
    return [1, b"cancelled"]


def requeue_dead(memory: Memory, prefix: str, job_ids: Sequence[str]) -> list[bytes]:
    """Bring dead jobs back to the end of their lanes, attempts at zero."""
    back = []
    for job_id in job_ids:
        record = memory.hashes.get(job_key(prefix, job_id), {})
        if is_taken(memory, prefix, record) or not memory.unrank(f"{prefix}dead", job_id):
            continue
        back.append(job_id)
        for name in OF_A_LIFE:
            record.pop(name, None)
        record[b"due_at"] = now_bytes()
        if b"expires_in" in record:
            limit_wait(record, int(record[b"expires_in"]), clock.now_ms())
        if b"unique" in record:
            give_key(memory, prefix, job_id, record)
        to_lane(memory, prefix, job_id, record)
        memory.arrivals.append((prefix, job_id))
    return [job_id.encode() for job_id in back]


def purge_dead(memory: Memory, prefix: str, job_ids: Sequence[str]) -> int:
    """Delete dead jobs with their records."""
    purged = [job_id for job_id in job_ids if memory.unrank(f"{prefix}dead", job_id)]
    for job_id in purged:
        del memory.hashes[job_key(prefix, job_id)]
    return len(purged)


SCRIPTS: dict[str, CallOfScript] = {
    "submit": submit, "await": await_jobs, "cancel": cancel, "requeue_dead": requeue_dead, "purge_dead": purge_dead,
    "pause": pause, "resume": resume, "reprioritise": reprioritise, "reschedule": reschedule,
    "put_schedules": put_schedules, "remove_schedule": remove_schedule, "read_schedules": read_schedules, "explain": tell_facts,
}  # fmt: skip
"""The scripts that a client calls."""


def take(memory: Memory) -> tuple[str, str] | None:
    """The pending job that is next, High before Normal before Low: its namespace's prefix, its id. Others are dropped."""
    for key in sorted(filter(_is_lane, memory.lists), key=_rank):
        prefix, _, lane = key.partition("ready:")
        while memory.lists[key] and not is_shut(memory, prefix, lane):
            job_id = memory.lists[key][0]
            record = memory.hashes.get(job_key(prefix, job_id), {})
            if (record.get(b"status"), record.get(b"lane")) == (b"pending", lane.encode()):
                return prefix, job_id
            memory.lists[key].pop(0)
    return None


def begin(memory: Memory, prefix: str, job_id: str) -> Claimed | None:
    """Begin a run of this job, wherever it waits; None if it has just been cancelled, or waited too long and ends."""
    record, now_ms = memory.hashes[job_key(prefix, job_id)], clock.now_ms()
    if record[b"status"] not in WAITING:
        return None
    ready = memory.lists.get(f"{prefix}ready:{record[b'lane'].decode()}", [])
    if job_id in ready:
        ready.remove(job_id)
    memory.unrank(f"{prefix}scheduled", job_id)
    if is_past_its_time(record):
        record |= {b"status": b"expired", b"finished_at": b"%d" % now_ms, b"updated_at": b"%d" % now_ms}
        memory.count(prefix, "expired")
        free(memory, prefix, job_id, record)
        tell(memory, prefix, job_id)
        return None
    record |= {
        b"status": b"processing", b"started_at": b"%d" % now_ms, b"holder": HOLDER.encode(),
        b"run": b"%d" % (int(record.get(b"run", 0)) + 1),
    }  # fmt: skip
    memory.push(f"{prefix}held:{HOLDER}", job_id)
    free(memory, prefix, job_id, record, only_until_start=True)
    tell(memory, prefix, job_id)
    memory.sets.setdefault(f"{prefix}holders", set()).add(HOLDER)
    due_ms = int(record[b"due_at"]) if b"due_at" in record else None
    return Claimed(record[b"lane"].decode(), job_id, int(record[b"run"]), record[b"spec"],
                   int(record.get(b"attempts", 0)), 0, due_ms, now_ms)  # fmt: skip


def settle(memory: Memory, prefix: str, outcome: Outcome) -> None:
    """Report how a run ended."""
    record = memory.hashes[job_key(prefix, outcome.job_id)]
    memory.lists[f"{prefix}held:{HOLDER}"].remove(outcome.job_id)
    if b"cancel" in record:
        del record[b"holder"]
        _end_as_cancelled(memory, prefix, outcome.job_id, record)
    else:
        record[b"attempts"] = b"%d" % (int(record.get(b"attempts", 0)) + 1)
        _settle(memory, prefix, record, outcome)
    tell(memory, prefix, outcome.job_id)


def progress(memory: Memory, prefix: str, job_id: str, told: bytes) -> None:
    """Keep how far a running job is."""
    record = memory.hashes[job_key(prefix, job_id)]
    if record[b"status"] == b"processing":
        record |= {b"progress": told, b"updated_at": now_bytes()}
        tell(memory, prefix, job_id)


def is_cancelled(memory: Memory, prefix: str, job_id: str) -> bool:
    """Whether a job that runs has been told to end."""
    return b"cancel" in memory.hashes[job_key(prefix, job_id)]


def job(memory: Memory, prefix: str, job_id: str) -> Job:
    """A job as it is now."""
    result = memory.strings.get(result_key(prefix, job_id))
    return Job.from_record(job_id, memory.hashes[job_key(prefix, job_id)], result)


def jobs(memory: Memory) -> Iterator[Job]:
    """Every job as it is now, in the order of submission."""
    for key in list(memory.hashes):
        prefix, is_job, job_id = key.partition("job:")
        if is_job:
            yield job(memory, prefix, job_id)


def _is_lane(key: str) -> bool:
    return key.partition("}:")[2].startswith("ready:")


def _rank(key: str) -> int:
    """High before Normal before Low; sorting keeps the order in which the queues came up."""
    return list(Priority).index(Priority(key.rpartition(":")[2]))


def _settle(memory: Memory, prefix: str, record: Record, outcome: Outcome) -> None:
    if isinstance(outcome, Completed):
        _complete(memory, prefix, record, outcome)
    elif isinstance(outcome, Retried):
        _retry(memory, prefix, record, outcome)
    elif isinstance(outcome, Buried):
        _bury(memory, prefix, record, outcome)
    if isinstance(outcome, (Completed, Buried)):
        free(memory, prefix, outcome.job_id, record)


def _end_as_cancelled(memory: Memory, prefix: str, job_id: str, record: Record) -> None:
    now = now_bytes()
    record |= {b"status": b"cancelled", b"finished_at": now, b"updated_at": now}
    memory.count(prefix, "cancelled")
    free(memory, prefix, job_id, record)


def _complete(memory: Memory, prefix: str, record: Record, outcome: Completed) -> None:
    record |= {b"status": b"completed", b"finished_at": now_bytes()}
    if outcome.result:
        record[b"has_result"] = b"1"
        memory.strings[result_key(prefix, outcome.job_id)] = outcome.result
    memory.count(prefix, "completed")


def _retry(memory: Memory, prefix: str, record: Record, outcome: Retried) -> None:
    del record[b"holder"]
    due_ms = clock.now_ms() + outcome.delay_ms
    record |= {
        b"status": b"scheduled", b"due_at": b"%d" % due_ms, b"updated_at": now_bytes(), b"error": outcome.error.encode(),
    }  # fmt: skip
    memory.rank(f"{prefix}scheduled", outcome.job_id, due_ms)
    memory.count(prefix, "retried")


def _bury(memory: Memory, prefix: str, record: Record, outcome: Buried) -> None:
    del record[b"holder"]
    now = now_bytes()
    record |= {
        b"status": b"failed",
        b"finished_at": now,
        b"updated_at": now,
        b"error": outcome.error.encode(),
    }
    memory.rank(f"{prefix}dead", outcome.job_id, int(now))
    leave_failure(memory, prefix, outcome.job_id)
    memory.count(prefix, "dead")


def _read_extra(extra: bytes) -> dict[str, Any]:
    """What the script must know of a job besides its spec."""
    options: dict[str, Any] = orjson.loads(extra or b"{}")
    if unknown := options.keys() - OPTIONS:
        raise not_known(f"the options {', '.join(sorted(unknown))}")
    return options


def _is_to_be_replaced(memory: Memory, prefix: str, owner: str, options: dict[str, Any]) -> bool:
    status = memory.hashes[job_key(prefix, owner)][b"status"]
    return options.get("on_duplicate") == "replace" and status in WAITING


def _accept(
    memory: Memory, prefix: str, job_id: str, record: Record, due: str, options: dict[str, Any]
) -> None:
    memory.hashes[job_key(prefix, job_id)] = record
    now_ms = due_ms = clock.now_ms()
    if due:
        due_ms = int(due) + (now_ms if due.startswith("+") else 0)
        record[b"due_at"] = b"%d" % due_ms
    if "expires_in" in options:
        limit_wait(record, options["expires_in"], max(now_ms, due_ms))
    if due_ms > now_ms:
        record[b"status"] = b"scheduled"
        memory.rank(f"{prefix}scheduled", job_id, due_ms)
    else:
        record[b"status"] = b"pending"
        push(memory, prefix, job_id, record)
