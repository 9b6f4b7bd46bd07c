"""Why a job does not run: a sentence, and the facts that it stands on."""

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidJob
from ..job import Job, Status
from ..limits import shown
from ..store.facts import Facts
from .ended import explain_cancelled, explain_completed, explain_expired, explain_failed, explain_missing
from .pending import explain_pending
from .result import Case, Explanation, Reason
from .running import explain_running
from .scheduled import explain_scheduled

__all__ = ["Explanation", "Reason", "check_look", "explain", "is_worth_a_second_look"]

MAX_LOOK_SECONDS = 60

_BY_STATUS: Mapping[Status, Callable[[Facts, Job], Case]] = {
    Status.SCHEDULED: explain_scheduled,
    Status.PROCESSING: explain_running,
    Status.COMPLETED: explain_completed,
    Status.FAILED: explain_failed,
    Status.CANCELLED: explain_cancelled,
    Status.EXPIRED: explain_expired,
}


def explain(facts: Facts, before: Facts | None = None) -> Explanation:
    """What the facts say; with those of a moment ``before``, also how fast it goes."""
    if facts.job is None:
        case = explain_missing(facts.job_id)
    elif facts.job.status is Status.PENDING:
        case = explain_pending(facts, facts.job, before)
    else:
        case = _BY_STATUS[facts.job.status](facts, facts.job)
    return Explanation(facts.job_id, case.reason, case.sentence, _of_the_job(facts) | case.evidence)


def check_look(seconds: Any) -> float:
    """The time from one look to the next, none or up to a minute."""
    if type(seconds) not in (int, float) or not 0 <= seconds <= MAX_LOOK_SECONDS:
        raise InvalidJob(
            f"look_seconds {shown(seconds)}: want 0 for one look, or seconds up to {MAX_LOOK_SECONDS}"
        )
    return float(seconds)


def is_worth_a_second_look(explanation: Explanation) -> bool:
    """Whether a look a moment later would tell how long it waits."""
    is_in_line = explanation.reason in (Reason.WAITING, Reason.SUSPECT)
    return is_in_line and bool(explanation.evidence["ahead"])


def _of_the_job(facts: Facts) -> dict[str, str | float | None]:
    """What is told of every job."""
    job = facts.job
    if job is None:
        return {}
    return {
        "status": str(job.status),
        "name": job.name,
        "queue": job.queue,
        "priority": str(job.priority),
        "attempts": job.attempts,
        "recoveries": job.recoveries,
    }
