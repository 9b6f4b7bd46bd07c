"""How much a unit lets its daemon have: files, tasks, memory; and where that is too little for the configuration."""

from collections.abc import Iterator, Mapping

from ..remark import Level
from ..settings import Config
from .values import limit_in

MIN_FILES, FILES_PER_WORKER = 256, 4
MIN_TASKS, TASKS_OF_THE_SERVER, TASKS_OF_HTTP, TASKS_PER_WORKER = 5, 8, 45, 2
"""Threads of our own processes at most: the master, the scheduler, a check, a worker that takes over from another; a worker's helper."""
MIB_OF_THE_REST, MIB_PER_WORKER = 40, 7
"""What our own processes take before a job runs: docs/operations.md has the figures."""
MIB = 1024 * 1024

Judgement = tuple[Level, str, str]


def faults_of_bounds(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    """Level, what and remedy of each."""
    workers = f"{config.worker_count:,} worker{'s' if config.worker_count > 1 else ''}"
    yield from _of_files(limit_in(settings["LimitNOFILE"].partition(":")[0]), workers, config)
    yield from _of_tasks(limit_in(settings["TasksMax"]), workers, config)
    yield from _of_memory(limit_in(settings["MemoryMax"]) / MIB, workers, config)


def _of_files(files: float, workers: str, config: Config) -> Iterator[Judgement]:
    wanted = MIN_FILES + FILES_PER_WORKER * config.worker_count
    if files < wanted:
        yield (
            Level.WARNING,
            f"LimitNOFILE is {files:g}: too few files for {workers}, their connections and what handlers open",
            f"set LimitNOFILE={wanted} or more",
        )


def _of_tasks(tasks: float, workers: str, config: Config) -> Iterator[Judgement]:
    wanted = _tasks_of(config)
    if tasks < wanted:
        what = f"too few processes and threads for {workers} and what is beside them"
        yield (
            Level.ERROR,
            f"TasksMax is {tasks:g}: {what}, {wanted} in all, and handlers may start more",
            f"set TasksMax={2 * wanted} or more",
        )


def _of_memory(mebibytes: float, workers: str, config: Config) -> Iterator[Judgement]:
    rss, wanted = config.workers.max_rss_mb, config.workers.max_rss_mb * config.worker_count
    least = MIB_OF_THE_REST + MIB_PER_WORKER * config.worker_count
    if mebibytes < least:
        what = f"{workers} and what is beside them take {least:,} MiB before a job runs"
        yield (
            Level.ERROR,
            f"MemoryMax is {mebibytes:g} MiB: {what}, and the kernel kills some of them",
            f"set MemoryMax={max(2 * least, wanted)}M or more",
        )
    elif mebibytes < wanted:
        what = f"workers.max_rss_mb {rss} for each of {workers}, {wanted:,} MiB in all"
        fitting = max(1, int(mebibytes / config.worker_count))
        yield (
            Level.WARNING,
            f"MemoryMax is {mebibytes:g} MiB and {what}: the kernel kills a worker in its job before that is replaced behind it",
            f"set MemoryMax={wanted}M or more, or workers.max_rss_mb = {fitting} or less",
        )


def _tasks_of(config: Config) -> int:
    """How many tasks our own processes are at most."""
    server = TASKS_OF_THE_SERVER if config.redis.is_embedded else 0
    http = TASKS_OF_HTTP if config.http.listen else 0
    return MIN_TASKS + server + http + TASKS_PER_WORKER * config.worker_count
