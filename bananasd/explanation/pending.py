"""Jobs that wait in a lane: what keeps them there, and for how long."""

from math import isinf

from ..durations import brief
from ..job import Job, Priority
from ..store.facts import MAX_LOOK, Facts
from ..store.keys import Lane
from ..store.node_rows import NodeRow, why_unserved
from .result import Case, Evidence, Reason, at, counted, lane_of, last_error, out_of_order, seconds_since


def explain_pending(facts: Facts, job: Job, before: Facts | None) -> Case:
    """What is the matter with a job that is ready; the first of what there may be."""
    return (
        _displaced(facts)
        or _overdue(facts, job)
        or _paused(facts, job)
        or _unserved(facts, job)
        or _unhandled(facts, job)
        or _in_line(facts, job, before)
    )


def _displaced(facts: Facts) -> Case | None:
    if facts.place is not None or facts.length > MAX_LOOK:
        return None
    return out_of_order("It is pending, but in no lane")


def _overdue(facts: Facts, job: Job) -> Case | None:
    if job.expires_ms is None or job.expires_ms >= facts.now_ms:
        return None
    late = seconds_since(job.expires_ms, facts.now_ms) or 0.0
    sentence = f"Its time to begin was over {brief(late)} ago, so it will not run; it expires when a worker meets it."
    return Case(Reason.EXPIRED, sentence, {"expired_at": at(job.expires_ms)})


def _paused(facts: Facts, job: Job) -> Case | None:
    """By that pause which ends last."""
    ends = {f"queue {job.queue}": facts.queue_pause, "everything": facts.whole_pause}
    paused = {what: end for what, end in ends.items() if end is not None}
    if not paused:
        return None
    what = max(paused, key=lambda name: paused[name])
    end = None if isinf(paused[what]) else at(paused[what])
    until = f"until {end}" if end else "until it is resumed"
    sentence = f"{what[0].upper()}{what[1:]} is paused {until}; it waits {_behind(facts)}."
    return Case(Reason.PAUSED, sentence, {"paused": what, "paused_until": end, **_line(facts)})


def _unserved(facts: Facts, job: Job) -> Case | None:
    if _workers(facts, job):
        return None
    idle = why_unserved(facts.live, job.lane)
    live = (
        f"of {counted(len(facts.live), 'live node')} none serves it now" if facts.live else "no node is live"
    )
    sentence = f"No live worker takes jobs of {lane_of(job)}: {idle or live}."
    evidence: Evidence = {"live_nodes": len(facts.live), "why_unserved": idle or None, **_line(facts)}
    return Case(Reason.UNSERVED, sentence, evidence)


def _unhandled(facts: Facts, job: Job) -> Case | None:
    """A node that does not tell what it has loaded may have it."""
    serving = _serving(facts, job)
    if any(node.handlers is None or job.name in node.handlers for node in serving):
        return None
    sentence = (
        f"No live worker that serves {lane_of(job)} has loaded a handler named {job.name!r}: "
        "when its turn comes the attempt fails, and counts."
    )
    return Case(Reason.NO_HANDLER, sentence, {"workers": _workers(facts, job), **_line(facts)})


def _in_line(facts: Facts, job: Job, before: Facts | None) -> Case:
    seen = _rate(before, facts) if before else None
    rate = seen or _lately(facts, job)
    evidence: Evidence = {"workers": _workers(facts, job), **_line(facts), **_wait(facts, rate)}
    pace = _pace_seen(facts, seen) if seen else _pace(facts, before, evidence)
    waits = f"waits {_behind(facts)}{pace}"
    if not job.recoveries:
        moved = f"was moved to {lane_of(job)}, and " if facts.left_behind else ""
        return Case(Reason.WAITING, f"It {moved}{waits}.", evidence)
    lost = f"was lost with its worker {counted(job.recoveries, 'time')} ({last_error(job)})"
    sentence = f"It {lost}, so it waits to run alone; it {waits}."
    return Case(Reason.SUSPECT, sentence, evidence | {"error": last_error(job)})


def _behind(facts: Facts) -> str:
    """Where it stands. Ids of jobs that were cancelled or moved count until a worker has dropped them."""
    ahead = _ahead(facts)
    if not ahead:
        return "as the next of its lane"
    number = f"about {counted(ahead, 'job')}" if facts.place is not None else f"more than {ahead:,} jobs"
    return f"behind {number}{f', {facts.higher:,} of them of higher priority' if facts.higher else ''}"


def _pace_seen(facts: Facts, rate: float) -> str:
    """How long that will take, if it goes on as it did between two looks."""
    return f", for about {brief(_ahead(facts) / rate)} at the present rate of {rate:.3g} a second"


def _pace(facts: Facts, before: Facts | None, evidence: Evidence) -> str:
    """The same where the looks do not tell, as far as anybody can."""
    ahead, rate, ended = _ahead(facts), evidence["rate_per_second"], facts.ended_per_second
    if not ahead:
        return f": {_taker(int(evidence['workers'] or 0))}"
    seconds_seen = _seconds_seen(before, facts) if before else None
    moment = f", which did not become fewer in {brief(seconds_seen)}" if seconds_seen else ""
    if isinstance(rate, float):
        lanes = "its lane and the higher ones" if facts.higher else "its lane"
        seconds = brief(ahead / rate)
        wait = f"about {seconds}" if facts.place is not None else f"{seconds} at least"
        return f"{moment}; of {lanes} lately {rate:.3g} ended a second, so for {wait}"
    if not ended:
        return moment
    return f"{moment}; all lanes together end {ended:.3g} a second, so for {brief(ahead / ended)} at least"


def _taker(workers: int) -> str:
    if workers == 1:
        return "the one worker of its lane takes it when that is free"
    return f"the first of {counted(workers, 'worker')} that is free takes it"


def _lately(facts: Facts, job: Job) -> float | None:
    """How many a second of the lanes before it its nodes have counted in the last seconds; None for none.

    A higher lane where nobody waits is not before it: what passes through there says nothing of this one.
    """
    priorities = list(Priority)
    first = 0 if facts.higher else priorities.index(job.priority)
    lanes = [str(Lane(job.queue, one)) for one in priorities[first : priorities.index(job.priority) + 1]]
    return sum(node.runs_per_second.get(lane, 0.0) for node in facts.live for lane in lanes) or None


def _rate(before: Facts, now: Facts) -> float | None:
    """How many of those before it have gone a second; None if they have not become fewer, or cannot be counted."""
    seconds = _seconds_seen(before, now)
    gone = _ahead(before) - _ahead(now)
    return gone / seconds if seconds and gone > 0 else None


def _seconds_seen(before: Facts, now: Facts) -> float | None:
    """The time between two looks; None if its place is not known from both, so that nobody can compare them."""
    if before.place is None or now.place is None:
        return None
    return max(0, now.now_ms - before.now_ms) / 1000


def _wait(facts: Facts, rate: float | None) -> Evidence:
    return {
        "rate_per_second": rate,
        "wait_seconds": _ahead(facts) / rate if rate else None,
        "ended_per_second": facts.ended_per_second,
    }


def _line(facts: Facts) -> Evidence:
    return {
        "ahead": _ahead(facts),
        "is_at_least": facts.place is None,
        "of_higher_priority": facts.higher,
        "was_moved": facts.left_behind > 0,
    }


def _ahead(facts: Facts) -> int:
    """How many are before it; if it was not found, how many at least."""
    return (MAX_LOOK if facts.place is None else facts.place) + facts.higher


def _serving(facts: Facts, job: Job) -> list[NodeRow]:
    return [node for node in facts.live if node.lanes.get(job.lane, 0) > 0]


def _workers(facts: Facts, job: Job) -> int:
    return sum(node.lanes[job.lane] for node in _serving(facts, job))
