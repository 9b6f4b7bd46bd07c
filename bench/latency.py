"""How soon an idle worker starts a job: from the call that submits it to the first line of its handler."""

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from . import bare, stamps, yardstick
from .daemon import Daemon
from .figure import Figure, Kind
from .ground import Ground, Sample, Side

PAUSES = (0.010, 0.020)
"""Seconds between two jobs: whoever runs them has nothing else to do."""
RANKS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
KINDS = (
    *(
        Kind(rank, f"idle latency, {rank}", "ms", "yardstick, 1 a claim", is_less_better=True)
        for rank in RANKS
    ),
    Kind("p50", "idle latency, p50", "ms", "bare round trip", "trip", is_less_better=True),
)
TRIPS = 2_000


def measure(ground: Ground) -> list[Figure]:
    """Percentiles, beside those of the yardstick, and beside a bare round trip."""
    rounds = ground.rounds(_sample, _sample_yardstick)
    return [kind.figure(rounds) for kind in KINDS]


def ranks(milliseconds: Sequence[float]) -> Sample:
    """The percentiles, each one of the values."""
    ordered = sorted(milliseconds)
    last = len(ordered) - 1
    return {name: ordered[min(last, int(rank * len(ordered)))] for name, rank in RANKS.items()}


def _sample(ground: Ground, side: Side) -> Sample:
    with Daemon(side.tree, ground.server) as daemon:
        daemon.wait_until_idle()
        side.submitter.order("trickle", jobs=ground.size.waited_for, pauses=PAUSES)
        return ranks([job.waited_ms for job in daemon.wait_for_timed(ground.size.waited_for)])


def _sample_yardstick(ground: Ground) -> Sample:
    dice = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="bananasd-bench-") as directory:
        path = Path(directory) / "stamps"
        with yardstick.serving(ground.server, path):
            for _ in range(ground.size.waited_for):
                time.sleep(dice.uniform(*PAUSES))
                ground.yardstick.send([{"sent": time.monotonic_ns(), "pad": yardstick.PAD}])
            time.sleep(PAUSES[1])
        found = ranks([job.waited_ms for job in stamps.read_timed(path)])
    return {**found, "trip": 1000 / bare.rate(ground.server, "ping", TRIPS)}
