"""How near workers come to their ideal with jobs that only wait, as one that calls a web service does."""

from .daemon import Daemon
from .figure import Figure, Kind
from .ground import YARDSTICK, Ground, Sample, Side

WORKERS = (2, 8, 32)
MILLISECONDS = (5, 50)


def measure(ground: Ground) -> list[Figure]:
    """Rates beside what workers could do that lose no time between jobs."""
    return [_figure(ground, workers, ms) for ms in MILLISECONDS for workers in WORKERS]


def _figure(ground: Ground, workers: int, ms: int) -> Figure:
    ideal = workers / (ms / 1000)
    jobs = max(workers, int(ideal * ground.size.slept_seconds))

    def sample(ground: Ground, side: Side) -> Sample:
        # All workers are up, and all jobs there, before the first begins.
        side.submitter.order("pause")
        side.submitter.order("submit_timed", counts={ms: jobs})
        with Daemon(side.tree, ground.server, workers=workers) as daemon:
            daemon.wait_until_idle()
            side.submitter.order("resume")
            ran = daemon.wait_for_timed(jobs)
        seconds = (max(job.ended for job in ran) - min(job.began for job in ran)) / 1e9
        return {"rate": jobs / seconds}

    rounds = [{**found, YARDSTICK: {"rate": ideal}} for found in ground.rounds(sample, rounds=1)]
    return Kind("rate", f"jobs of {ms} ms, {workers} workers", "jobs/s", "ideal").figure(rounds)
