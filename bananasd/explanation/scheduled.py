"""Jobs that wait for their time: for the first try, or for the next one."""

from collections.abc import Iterable

from ..durations import brief
from ..job import Job
from ..store.facts import Facts
from .result import Case, Evidence, Reason, at, last_error, out_of_order


def explain_scheduled(facts: Facts, job: Job) -> Case:
    """It is due at some time, or has just been."""
    if not facts.is_scheduled or job.due_ms is None:
        return out_of_order("It is scheduled, but nobody would find it due")
    due_in = (job.due_ms - facts.now_ms) / 1000
    evidence: Evidence = {"due_at": at(job.due_ms), "due_in_seconds": max(0.0, due_in)}
    if due_in <= 0:
        return _due(facts, -due_in, evidence)
    if not job.attempts:
        return Case(Reason.SCHEDULED, f"It is due in {brief(due_in)}, at {at(job.due_ms)}.", evidence)
    return _retrying(facts, job, due_in, evidence)


def _due(facts: Facts, late_seconds: float, evidence: Evidence) -> Case:
    since = f"It has been due for {brief(late_seconds)}"
    if not facts.live:
        sentence = f"{since}, but no daemon is live to move it to its lane: start one."
        return Case(Reason.UNSERVED, sentence, evidence)
    return Case(Reason.DUE, f"{since}, and goes to its lane within a second.", evidence)


def _retrying(facts: Facts, job: Job, due_in: float, evidence: Evidence) -> Case:
    most = _max_retries(facts, job)
    of_most = "" if most is None else f" of {most:,}"
    sentence = (
        f"It failed and is due again in {brief(due_in)} (retry {job.attempts:,}{of_most}); "
        f"the last error: {last_error(job)}"
    )
    more: Evidence = {"retry": job.attempts, "max_retries": most, "error": last_error(job)}
    return Case(Reason.RETRYING, sentence, evidence | more)


def _max_retries(facts: Facts, job: Job) -> int | None:
    """Its own, else its handler's, else that of the configurations, if all live daemons have the same."""
    configured = {node.max_retries for node in facts.live}
    common = configured.pop() if len(configured) == 1 else None
    return _first([job.retry_policy.limit, facts.declared.limit, common])


def _first(numbers: Iterable[int | None]) -> int | None:
    return next((number for number in numbers if number is not None), None)
