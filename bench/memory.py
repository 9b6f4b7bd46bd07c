"""What the processes of a daemon take of memory, after they have worked."""

import time
from functools import partial

from . import procs
from .daemon import Daemon
from .figure import Figure, Kind
from .ground import Ground, Sample, Side

WORKERS = (2, 8, 32)
REST_SECONDS = 1.5


def measure(ground: Ground) -> list[Figure]:
    """The whole daemon, its parts, and what one more worker takes, with few workers and many."""
    return [figure for workers in WORKERS for figure in _with(ground, workers)]


def _with(ground: Ground, workers: int) -> list[Figure]:
    rounds = ground.rounds(partial(_sample, workers=workers), rounds=1)
    parts = {"all": "all", "master": "master", "scheduler": "scheduler", "worker": "each worker"}
    return [
        Kind(key, f"PSS with {workers} workers, {name}", "MB", is_less_better=True).figure(rounds)
        for key, name in parts.items()
    ]


def _sample(ground: Ground, side: Side, workers: int) -> Sample:
    jobs = workers * ground.size.worked
    side.submitter.order("submit_many", jobs=jobs)
    with Daemon(side.tree, ground.server, workers=workers) as daemon:
        daemon.wait_for_stamps(jobs)
        daemon.wait_until_idle()
        time.sleep(REST_SECONDS)
        found = {pid: (name, procs.pss_mb(pid)) for pid, name in procs.family(daemon.pid).items()}
    sizes = {name: size for name, size in found.values() if not name.startswith("worker")}
    of_workers = [size for name, size in found.values() if name.startswith("worker")]
    return {
        "all": sum(size for _, size in found.values()),
        "master": sizes["master"],
        "scheduler": sizes["scheduler"],
        "worker": sum(of_workers) / len(of_workers),
    }
