"""How long many jobs that fall due at the same instant keep the scheduler and the server busy."""

import time

from .daemon import Daemon
from .errors import BenchError
from .figure import Figure, Kind
from .ground import Ground, Sample, Side
from .server import Server

SCHEDULED = "{bananas:default}:scheduled"
OTHER = "other"
"""The queue that the daemon serves: the jobs shall only become ready."""
FILL_JOBS_PER_SECOND = 10_000
"""Slower than any client here: all are there before they are due."""
READY_SECONDS = 60
LOOK_SECONDS = 0.005
SLOW_MICROSECONDS = 100


def measure(ground: Ground) -> list[Figure]:
    """The time until all are ready, and the longest that the server did nothing else."""
    rounds = ground.rounds(_sample)
    what = f"{ground.size.due:,} jobs due at once"
    return [
        Kind("seconds", f"{what}, until all are ready", "s", is_less_better=True).figure(rounds),
        Kind("longest", f"{what}, longest script", "ms", is_less_better=True).figure(rounds),
    ]


def _sample(ground: Ground, side: Side) -> Sample:
    server, jobs = ground.server, ground.size.due
    with Daemon(side.tree, server, queue=OTHER) as daemon:
        daemon.wait_until_idle()
        due = time.time() + 1 + jobs / FILL_JOBS_PER_SECOND
        side.submitter.order("submit_many", jobs=jobs, due=due)
        _check_in_time(due)
        server.call("CONFIG", "SET", "slowlog-log-slower-than", SLOW_MICROSECONDS)
        server.call("SLOWLOG", "RESET")
        _wait_until_ready(server, due + READY_SECONDS)
        seconds = time.time() - due
    longest = max((entry[2] for entry in server.call("SLOWLOG", "GET", -1)), default=SLOW_MICROSECONDS)
    return {"seconds": seconds, "longest": longest / 1000}


def _check_in_time(due: float) -> None:
    if time.time() > due:
        raise BenchError(f"the jobs were submitted {time.time() - due:.1f} s too late to fall due together")


def _wait_until_ready(server: Server, end: float) -> None:
    while left := server.call("ZCARD", SCHEDULED):
        if time.time() > end:
            raise BenchError(f"{left} jobs are not ready {READY_SECONDS} s after they were due")
        time.sleep(LOOK_SECONDS)
