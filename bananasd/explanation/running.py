"""Jobs that somebody holds: they run, are about to, or were lost with their node."""

from ..durations import brief
from ..job import Job
from ..store.facts import Facts
from ..store.node_rows import NodeRow
from ..store.store import node_of
from .result import Case, Evidence, Reason, counted, out_of_order, seconds_since

RECOVERY_SECONDS = 1.0
"""So often each node looks for the holders of others."""


def explain_running(facts: Facts, job: Job) -> Case:
    """It is processing."""
    if facts.held_place is None or not facts.is_admitted:
        return out_of_order("It is marked as processing, but nobody holds it")
    evidence: Evidence = {
        "holder": job.holder,
        "node": node_of(job.holder),
        "worker": _slot(facts, job),
        "held_seconds": seconds_since(job.started_ms, facts.now_ms),
        "told_to_end": facts.told or None,
    }
    if facts.home is None or facts.home.lease_ends_ms < facts.now_ms:
        return _lost(facts, job, evidence)
    return _held(facts, facts.home, facts.held_place, job, evidence)


def _held(facts: Facts, home: NodeRow, before: int, job: Job, evidence: Evidence) -> Case:
    held = f"{_who(job, evidence)} has held it{_for(evidence)}"
    batch = f", and runs {counted(before, 'other')} of the same batch first" if before else ""
    sentence = (
        f"It {'is about to run' if before else 'runs'}: {held}{batch}{_silence(facts, home)}.{_told(facts)}"
    )
    silent = seconds_since(home.beat_ms, facts.now_ms)
    return Case(Reason.RUNNING, sentence, evidence | {"before_it": before, "node_silent_seconds": silent})


def _silence(facts: Facts, home: NodeRow) -> str:
    """Nothing of a node that beats as it should."""
    silent = seconds_since(home.beat_ms, facts.now_ms)
    if silent is None or silent * 1000 <= home.lease_ms / 2:
        return ""
    left = (home.lease_ends_ms - facts.now_ms) / 1000
    return (
        f"; its node has been silent for {brief(silent)}, and in {brief(left)} its jobs are free for others"
    )


def _lost(facts: Facts, job: Job, evidence: Evidence) -> Case:
    ended = facts.home.lease_ends_ms if facts.home and facts.home.lease_ends_ms else None
    seconds = seconds_since(ended, facts.now_ms)
    lost = "has no lease any more" if seconds is None else f"lost its lease {brief(seconds)} ago"
    rescue = _rescue_seconds(facts)
    sentence = f"{_who(job, evidence)} held it, and that node {lost}. {_outlook(rescue)}{_told(facts)}"
    more: Evidence = {"lease_ended_seconds_ago": seconds, "taken_over_in_seconds": rescue}
    return Case(Reason.LOST, sentence[0].upper() + sentence[1:], evidence | more)


def _rescue_seconds(facts: Facts) -> float | None:
    """Until another node may take it over: one that has beaten for a whole lease without a gap."""
    waits = [
        max(0.0, node.alive_since_ms + node.lease_ms - facts.now_ms) / 1000
        for node in facts.live
        if node.alive_since_ms is not None
    ]
    return min(waits) + RECOVERY_SECONDS if waits else None


def _outlook(rescue_seconds: float | None) -> str:
    if rescue_seconds is None:
        return (
            "No other daemon is live: it goes back to the front of its lane when that node's daemon starts again, "
            "or when another one has been up for a lease."
        )
    within = "a second or so" if rescue_seconds <= RECOVERY_SECONDS else f"about {brief(rescue_seconds)}"
    return f"Another node puts it back at the front of its lane within {within}, unless that one comes back first."


def _told(facts: Facts) -> str:
    return f" It has been told to end ({facts.told}), and will be cancelled." if facts.told else ""


def _who(job: Job, evidence: Evidence) -> str:
    """``worker 3 on node web1-09af31c2``."""
    number = job.holder.rpartition("/")[2]
    return f"{evidence['worker'] or f'process {number}'} on node {evidence['node']}"


def _for(evidence: Evidence) -> str:
    seconds = evidence["held_seconds"]
    return f" for {brief(seconds)}" if isinstance(seconds, (int, float)) else ""


def _slot(facts: Facts, job: Job) -> str | None:
    """The worker that holds it, as its node told at its last beat."""
    generation = job.holder.rpartition("/")[2].partition(".")[0]
    children = facts.home.children if facts.home else ()
    return next((child.slot for child in children if str(child.generation) == generation), None)
