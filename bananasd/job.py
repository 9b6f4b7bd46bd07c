"""What a job is: as it is kept, shown and run."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from . import clock
from .errors import InvalidJob
from .limits import ON_LOST, check_progress, encode_valid, shown
from .record import RULES, encode_result, json_in, number_of, pauses_of, policy_of, read_spec, text_of
from .retry import Pauses, RetryPolicy

__all__ = ["Job", "Priority", "RunContext", "Status", "encode_result", "read_spec"]


class Priority(StrEnum):
    """``HIGH`` before ``NORMAL`` before ``LOW``, whatever the order of submission."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Status(StrEnum):
    """Where a job stands.

    ``SCHEDULED`` for later, or for its next try; ``PENDING`` in its lane, for a worker to take; ``PROCESSING``. And the ends: ``COMPLETED``,
    ``FAILED`` for good, which means that it is in the dead letters, ``CANCELLED``, and ``EXPIRED``, for it was not begun in time.
    """

    SCHEDULED = "scheduled"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended: nothing but an operator changes it now."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.EXPIRED)


_PRIORITIES = {priority.value: priority for priority in Priority}
_STATUSES = {status.value: status for status in Status}


class RunContext(Protocol):
    """What a running job may ask of, and tell, the worker that runs it."""

    def set_progress(self, job: "Job", progress: bytes) -> None:
        """Store the progress, if this run still holds the job."""

    def should_stop(self, job: "Job") -> bool:
        """Whether the handler had better come to an end."""


class Job:
    """A job as it was when it was read; to a handler, the job that it runs.

    ``id``, ``status``, and ``attempts`` and ``recoveries``: how many tries have come to their end, good or bad, and how
    many runs were lost with their worker. ``error`` is the end of the last failure's traceback, ``result`` what the handler returned
    (None once it has expired, though ``has_result`` says that there was one), ``unique_key`` the key under which it was
    submitted (a handler is not told), ``progress`` what it last told: None, or a dict of ``done``, ``total`` and ``note``.
    ``run`` is how often the job was claimed, ``holder`` the worker that has it ("" if none does).
    Instants are aware datetimes in UTC, or None; ``due_ms``, ``started_ms``, ``finished_ms``, ``updated_ms`` and ``expires_ms`` are those of the
    record, milliseconds since the epoch. ``lane`` is queue and priority with a colon between them. What is odd in a record that someone else wrote reads as if it were not there.
    """

    __slots__ = (
        "_context", "_spec", "attempts", "due_ms", "error", "expires_ms", "finished_ms", "has_result", "holder", "id",
        "lane", "progress", "recoveries", "result", "run", "started_ms", "status", "unique_key", "updated_ms",
    )  # fmt: skip

    def __init__(self, job_id: str, spec: dict[str, Any], lane: str) -> None:
        self.id = job_id
        self.lane = lane
        self.status = Status.PENDING
        self.run = self.attempts = self.recoveries = 0
        self.due_ms: int | None = None
        self.started_ms: int | None = None
        self.finished_ms: int | None = None
        self.updated_ms: int | None = None
        self.expires_ms: int | None = None
        self.holder = ""
        self.unique_key: str | None = None
        self.error: str | None = None
        self.has_result = False
        self.result: Any = None
        self.progress: dict[str, Any] | None = None
        self._spec = spec
        self._context: RunContext | None = None

    @classmethod
    def from_record(cls, job_id: str, record: Mapping[bytes, bytes], result: bytes | None = None) -> "Job":
        """The job of a record as Redis keeps it (docs/protocol.md), however odd that is; ``result`` is kept beside it."""
        job = cls(job_id, read_spec(record.get(b"spec"), strict=False), text_of(record, b"lane") or ":")
        # A status that only a newer bananasd knows is not known to be an end; a record with none will never run.
        job.status = _STATUSES.get(text_of(record, b"status") or Status.FAILED, Status.PENDING)
        job.run, job.attempts, job.recoveries = (
            number_of(record, field) or 0 for field in (b"run", b"attempts", b"recoveries")
        )
        job.due_ms, job.started_ms, job.finished_ms, job.updated_ms = (
            number_of(record, field) for field in (b"due_at", b"started_at", b"finished_at", b"updated_at")
        )
        job.expires_ms = number_of(record, b"expires_at")
        job.holder = text_of(record, b"holder") or ""
        job.error = text_of(record, b"error")
        job.unique_key = (text_of(record, b"unique") or "").partition(" ")[2] or None
        # What is kept for a job without one is that of an earlier job with its id, or the failure of its earlier life.
        job.has_result = b"has_result" in record
        job.result = json_in(result) if job.has_result else None
        progress = json_in(record.get(b"progress"))
        job.progress = progress if isinstance(progress, dict) else None
        return job

    @classmethod
    def claimed(
        cls,
        job_id: str,
        spec: dict[str, Any],
        lane: str,
        counts: tuple[int, int, int],
        due_ms: int | None,
        started_ms: int,
    ) -> "Job":
        """The job as a worker has just claimed it; ``counts`` are run, attempts and recoveries."""
        job = cls(job_id, spec, lane)
        job.status = Status.PROCESSING
        job.run, job.attempts, job.recoveries = counts
        job.due_ms, job.started_ms = due_ms, started_ms
        return job

    def bind(self, context: RunContext) -> None:
        """Connect the job with the worker that is about to run it."""
        self._context = context

    @property
    def name(self) -> str:
        """The name of the handler that it is for; "" if the record has none."""
        name = self._spec.get("name")
        return name if isinstance(name, str) else ""

    @property
    def payload(self) -> Any:
        """What the client submitted."""
        return self._spec.get("payload")

    @property
    def description(self) -> str:
        """A few words for people."""
        description = self._spec.get("description")
        return description if isinstance(description, str) else ""

    @property
    def has_rules(self) -> bool:
        """Whether it says something itself of its retries, its time limit or what becomes of a lost run. Few do."""
        return not RULES.isdisjoint(self._spec)

    @property
    def max_retries(self) -> int | None:
        """The job's own limit of tries after the first; None: the handler's."""
        value = self._spec.get("max_retries")
        return value if type(value) is int else None

    @property
    def timeout_seconds(self) -> float | None:
        """The job's own limit of run time, 0 for none; None: the handler's."""
        value = self._spec.get("timeout_seconds")
        return value if type(value) in (int, float) else None

    @property
    def schedule(self) -> str | None:
        """The name of the schedule that made it; None if a client submitted it."""
        name = self._made_by.get("name")
        return name if isinstance(name, str) else None

    @property
    def slot_at(self) -> datetime | None:
        """The instant for which its schedule made it, however late it runs and is tried again."""
        slot = self._made_by.get("slot")
        return _instant(slot if type(slot) is int else None)

    @property
    def _made_by(self) -> dict[str, Any]:
        made_by = self._spec.get("schedule")
        return made_by if isinstance(made_by, dict) else {}

    @property
    def retry(self) -> Pauses | None:
        """The job's own pauses between tries; None: the handler's."""
        return pauses_of(self._spec)

    @property
    def retry_policy(self) -> RetryPolicy:
        """What the job itself says of its retries."""
        return policy_of(self._spec)

    @property
    def on_lost(self) -> str | None:
        """The job's own "retry" or "dead", for a run that is lost with its worker; None: the handler's."""
        value = self._spec.get("on_lost")
        return value if value in ON_LOST else None

    @property
    def headers(self) -> dict[str, str]:
        """What the client sent along, text by name: a trace's ``traceparent``, for one. Empty if it sent nothing."""
        headers = self._spec.get("headers")
        if not isinstance(headers, dict):
            return {}
        return {name: value for name, value in headers.items() if isinstance(value, str)}

    @property
    def queue(self) -> str:
        """The queue it was submitted to."""
        return self.lane.partition(":")[0]

    @property
    def priority(self) -> Priority:
        """Its priority within the queue."""
        return _PRIORITIES.get(self.lane.partition(":")[2], Priority.NORMAL)

    @property
    def attempt(self) -> int:
        """To a handler, the number of this try: 1 for the first."""
        return self.attempts + 1

    @property
    def created_ms(self) -> int | None:
        """Milliseconds since the epoch when the request was made, by the client's clock."""
        value = self._spec.get("created_at")
        return value if type(value) is int else None

    @property
    def created_at(self) -> datetime | None:
        """When the request was made, by the client's clock."""
        return _instant(self.created_ms)

    @property
    def updated_at(self) -> datetime | None:
        """When the record last changed, by the server's clock if it ever did."""
        changes = (self.started_ms, self.finished_ms, self.updated_ms)
        return _instant(max((ms for ms in changes if ms is not None), default=self.created_ms))

    @property
    def scheduled_for(self) -> datetime | None:
        """When it is, or was last, due: its schedule or its next retry."""
        return _instant(self.due_ms)

    @property
    def expires_at(self) -> datetime | None:
        """Until when a run of it may begin; None: for good. A handler is not told."""
        return _instant(self.expires_ms)

    @property
    def started_at(self) -> datetime | None:
        """When its latest run was claimed."""
        return _instant(self.started_ms)

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return _instant(self.finished_ms)

    @property
    def should_stop(self) -> bool:
        """True once the handler had better come to an end: the job was cancelled, the daemon drains, or the time is over."""
        return self._context is not None and self._context.should_stop(self)

    def set_progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how far the job is; shown by ``get_job``, ``watch`` and ``wait``. Best effort: never fails because of Redis.

        Call it as often as you like: after the first 8 of a run, 4 a second are stored and the others passed over, unless
        ``done`` has reached ``total``. A note is cut after 1,000 characters. Raises `InvalidJob` for what are no numbers.
        """
        progress = check_progress(done, total, note)
        encoded = encode_valid(progress, "progress")
        self.progress = progress
        if self._context is not None:
            self._context.set_progress(self, encoded)

    def to_dict(self) -> dict[str, Any]:
        """Everything that is known, ready for JSON; instants in ISO 8601."""
        plain = ("id", "name", "description", "payload", "priority", "queue", "status", "attempts", "recoveries",
                 "max_retries", "timeout_seconds", "on_lost", "unique_key", "error", "result", "progress", "schedule",
                 "headers")  # fmt: skip
        instants = (
            "created_at", "updated_at", "scheduled_for", "expires_at", "started_at", "finished_at", "slot_at"
        )  # fmt: skip
        known = {name: getattr(self, name) for name in plain}
        known["retry"] = self.retry and self.retry.to_wire()
        return known | {
            name: instant and instant.isoformat(timespec="milliseconds")
            for name in instants
            for instant in [getattr(self, name)]
        }

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r} {self.status}>"


def check_priority(priority: Any) -> Priority:
    """A priority, or its name."""
    if type(priority) is Priority:
        return priority
    try:
        return Priority(priority)
    except ValueError:
        raise InvalidJob(f"priority {shown(priority)}: want high, normal or low") from None


def _instant(ms: int | None) -> datetime | None:
    """A datetime, if there is one for that number."""
    return None if ms is None else clock.datetime_or_none(ms)
