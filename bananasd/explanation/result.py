"""What an explanation is made of, and the words that all of them share."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from .. import clock
from ..durations import brief
from ..job import Job
from ..masking import mask_error

Evidence = dict[str, str | float | None]

MAX_ERROR_CHARACTERS = 200


class Reason(StrEnum):
    """Why a job does not run, in one word for programs; or that it does."""

    NOT_FOUND = "not_found"
    """It has no record: it was never accepted, or is long gone."""
    WAITING = "waiting"
    """Others are before it, or it is next."""
    SUSPECT = "suspect"
    """It was lost with its worker, and waits to run alone."""
    PAUSED = "paused"
    """Its queue, or everything, is."""
    UNSERVED = "unserved"
    """No live worker takes jobs of its lane; or for one that is due, no daemon is live."""
    NO_HANDLER = "no_handler"
    """No live worker that serves its lane has loaded a handler of its name."""
    SCHEDULED = "scheduled"
    """It is for later."""
    RETRYING = "retrying"
    """It has failed, and its next try is to come."""
    DUE = "due"
    """Its time has come, and it is about to go to its lane."""
    RUNNING = "running"
    """A worker runs it, or is about to."""
    LOST = "lost"
    """The node that holds it has lost its lease; others will take it over."""
    COMPLETED = "completed"
    """It has ended well."""
    FAILED = "failed"
    """It is dead."""
    CANCELLED = "cancelled"
    """Somebody did not want it any more."""
    EXPIRED = "expired"
    """Its time to begin is over, whether a worker has met it or not."""
    OUT_OF_ORDER = "out_of_order"
    """It is not where its record says; the doctor mends that."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job does not run, as it was a moment ago: a ``sentence`` for people, and a ``reason`` for programs.

    ``job_id`` is the job's. ``evidence`` holds the facts by name: ``status``, ``name``, ``queue``, ``priority``, ``attempts``, ``recoveries`` of every job, and
    what its reason stands on. Durations are in seconds, instants in ISO 8601.
    """

    job_id: str
    reason: Reason
    sentence: str
    evidence: Evidence

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


class Case(NamedTuple):
    """One explanation without what is told of every job."""

    reason: Reason
    sentence: str
    evidence: Evidence


def seconds_since(ms: float | None, now_ms: int) -> float | None:
    """None if that instant is not known."""
    return None if ms is None else max(0.0, now_ms - ms) / 1000


def ago(seconds: float | None) -> str:
    """`` 42s ago``, with the space before it; nothing if it is not known."""
    return "" if seconds is None else f" {brief(seconds)} ago"


def at(ms: float) -> str:
    """An instant in ISO 8601, to the second; in words where no calendar goes as far."""
    instant = clock.datetime_or_none(ms)
    return instant.isoformat(timespec="seconds") if instant else "an instant beyond the year 9999"


def lane_of(job: Job) -> str:
    """As people call it."""
    return f"queue {job.queue}, priority {job.priority}"


def last_error(job: Job) -> str:
    """The last line of its last failure, which says what was wrong, as the log would have it."""
    lines = mask_error(job.error or "").strip().splitlines()
    line = lines[-1].strip() if lines else "it left no reason"
    return line if len(line) <= MAX_ERROR_CHARACTERS else f"{line[: MAX_ERROR_CHARACTERS - 1]}…"


def tries(job: Job) -> str:
    """``3 attempts and 1 lost run``; only one of the two if there was none of the other."""
    lost = counted(job.recoveries, "lost run") if job.recoveries else ""
    attempts = counted(job.attempts, "attempt") if job.attempts or not lost else ""
    return " and ".join(filter(None, (attempts, lost)))


def counted(number: int, noun: str) -> str:
    """``1 job``, ``3 jobs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def out_of_order(what: str) -> Case:
    """A job that is not where its record says."""
    return Case(Reason.OUT_OF_ORDER, f"{what}: 'bananasd doctor --repair' puts it back.", {})
