"""How fast two workers run no-op jobs that are there already, and how soon after the daemon's start."""

import tempfile
from pathlib import Path

from . import stamps, yardstick
from .daemon import Daemon
from .figure import Figure, Kind
from .ground import Ground, Sample, Side

KINDS = (
    Kind("rate", "drain", "jobs/s", f"yardstick, {yardstick.BATCH} a claim"),
    Kind("rate", "drain", "jobs/s", "yardstick, 1 a claim", yardstick_key="single rate"),
    Kind("rate from start", "drain, from the daemon's start", "jobs/s"),
    Kind("first", "daemon's start to first job", "s", is_less_better=True),
)


def measure(ground: Ground) -> list[Figure]:
    """The rate from first job to last, the rate from the start of the daemon, and when the first job ran."""
    rounds = ground.rounds(_sample, _sample_yardstick)
    return [kind.figure(rounds) for kind in KINDS]


def _sample(ground: Ground, side: Side) -> Sample:
    jobs = ground.size.drained
    side.submitter.order("submit_many", jobs=jobs)
    with Daemon(side.tree, ground.server) as daemon:
        daemon.wait_for_stamps(jobs)
        times = stamps.read(daemon.stamps)
    return {
        "rate": stamps.rate(times),
        "rate from start": len(times) / ((times[-1] - daemon.started_at) / 1e9),
        "first": (times[0] - daemon.started_at) / 1e9,
    }


def _sample_yardstick(ground: Ground) -> Sample:
    # One a claim is slow: fewer of them say as much.
    return {
        "rate": _rate(ground, ground.size.drained, yardstick.BATCH),
        "single rate": _rate(ground, max(2, ground.size.drained // 4), 1),
    }


def _rate(ground: Ground, jobs: int, batch: int) -> float:
    ground.yardstick.submit(jobs, yardstick.PIPELINE)
    with tempfile.TemporaryDirectory(prefix="bananasd-bench-") as directory:
        path = Path(directory) / "stamps"
        yardstick.drain(ground.server, batch, path)
        return stamps.rate(stamps.read(path))
