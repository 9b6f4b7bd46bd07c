"""Jobs of all lengths together, and how long an urgent one waits among them: what batches must not cost.

A few hundred jobs that sleep, most of them shortly, and an urgent one ten times a second. The same is done by workers
that claim one job at a time.
"""

from .daemon import Daemon
from .figure import Figure, Kind
from .ground import TREE, Ground, Sample, Side
from .latency import ranks

WORKERS = 2
PER_HUNDRED = {1: 90, 20: 9, 500: 1}
"""How many of a hundred jobs take so many ms."""
URGENT_SECONDS = 0.1
ALONE = "1 a claim"
KINDS = (
    Kind("rate", "mixed load", "jobs/s", "ideal", "ideal"),
    Kind("rate", "mixed load", "jobs/s", ALONE),
    Kind("p50", "mixed load, High waits, p50", "ms", ALONE, is_less_better=True),
    Kind("p99", "mixed load, High waits, p99", "ms", ALONE, is_less_better=True),
)


def measure(ground: Ground) -> list[Figure]:
    """The rate, and how long urgent jobs waited."""
    rounds = ground.rounds(_sample, lambda ground: _sample(ground, ground.sides[TREE], has_batches=False))
    return [kind.figure(rounds) for kind in KINDS]


def _sample(ground: Ground, side: Side, *, has_batches: bool = True) -> Sample:
    hundreds, urgent = ground.size.mixed_hundreds, _urgent_jobs(ground.size.mixed_hundreds)
    counts = {ms: count * hundreds for ms, count in PER_HUNDRED.items()}
    side.submitter.order("submit_timed", counts=counts)
    with Daemon(side.tree, ground.server, workers=WORKERS, has_batches=has_batches) as daemon:
        daemon.wait_for_timed(1)
        side.submitter.order("trickle", jobs=urgent, pauses=[URGENT_SECONDS] * 2, priority="high")
        ran = daemon.wait_for_timed(sum(counts.values()) + urgent)
    usual = [job for job in ran if job.kind == "normal"]
    seconds = (max(job.ended for job in usual) - min(job.began for job in usual)) / 1e9
    waited = ranks([job.waited_ms for job in ran if job.kind == "high"])
    return {"rate": len(usual) / seconds, "ideal": WORKERS / _mean_seconds(), **waited}


def _urgent_jobs(hundreds: int) -> int:
    """So many that the load lasts a little longer than they do."""
    return int(0.9 * hundreds * 100 * _mean_seconds() / WORKERS / URGENT_SECONDS)


def _mean_seconds() -> float:
    return sum(ms * count for ms, count in PER_HUNDRED.items()) / 100_000
