"""Jobs that will not run, for they have ended, or are not there."""

from ..durations import brief
from ..job import Job
from ..store.facts import Facts
from .result import Case, Evidence, Reason, ago, at, last_error, seconds_since, tries


def explain_missing(job_id: str) -> Case:
    """There is no record."""
    sentence = (
        f"There is no job {job_id}: it was never accepted in this namespace, or it ended and its record has gone, "
        "or it was purged."
    )
    return Case(Reason.NOT_FOUND, sentence, {})


def explain_completed(facts: Facts, job: Job) -> Case:
    """Its handler returned."""
    evidence = _ended(facts, job)
    run_seconds = _run_seconds(job)
    took = "" if run_seconds is None else f"; that run took {brief(run_seconds)}"
    sentence = f"It completed{ago(_since(evidence))}, after {tries(job)}{took}."
    return Case(Reason.COMPLETED, sentence, evidence | {"run_seconds": run_seconds})


def explain_failed(facts: Facts, job: Job) -> Case:
    """It is among the dead letters."""
    evidence = _ended(facts, job)
    sentence = (
        f"It is dead: it failed for good{ago(_since(evidence))}, after {tries(job)}: {last_error(job)}. "
        f"'bananasd dead retry {job.id}' brings it back."
    )
    return Case(Reason.FAILED, sentence, evidence | {"error": last_error(job)})


def explain_cancelled(facts: Facts, job: Job) -> Case:
    """Somebody ended it."""
    evidence = _ended(facts, job)
    while_it_ran = " while it ran" if facts.told else ""
    return Case(Reason.CANCELLED, f"It was cancelled{while_it_ran}{ago(_since(evidence))}.", evidence)


def explain_expired(facts: Facts, job: Job) -> Case:
    """A worker met it too late."""
    evidence = _ended(facts, job)
    until = "in the time that it had" if job.expires_ms is None else f"by {at(job.expires_ms)}"
    return Case(Reason.EXPIRED, f"It expired{ago(_since(evidence))}: it had not begun {until}.", evidence)


def _ended(facts: Facts, job: Job) -> Evidence:
    return {"ended_seconds_ago": seconds_since(job.finished_ms, facts.now_ms)}


def _since(evidence: Evidence) -> float | None:
    seconds = evidence["ended_seconds_ago"]
    return seconds if isinstance(seconds, (int, float)) else None


def _run_seconds(job: Job) -> float | None:
    if job.started_ms is None or job.finished_ms is None:
        return None
    return max(0, job.finished_ms - job.started_ms) / 1000
