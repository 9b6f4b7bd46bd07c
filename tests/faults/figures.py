"""How long things took: noted by the cases, printed at the end of ``make faults``."""

import os
import platform
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from bananasd.processes.redis_server import find_server_binary

BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 60)
BAR = 40


def note(what: str, seconds: list[float]) -> None:
    """Append to the file that $BANANASD_FIGURES names, if it does."""
    path = os.environ.get("BANANASD_FIGURES")
    if path:
        with Path(path).open("a") as file:
            file.writelines(f"{what}\t{number}\n" for number in seconds)


def percentile(seconds: list[float], percent: int) -> float:
    """The nearest rank."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def show(path: Path) -> None:
    """Print on what machine, then the percentiles and a histogram of each figure in a file."""
    print(f"\n{_machine()}")
    figures: defaultdict[str, list[float]] = defaultdict(list)
    for line in path.read_text().splitlines():
        what, seconds = line.split("\t")
        figures[what].append(float(seconds))
    for what, seconds in figures.items():
        print(f"\n{what}: {_summary(seconds)}")
        for line in _histogram(seconds):
            print(line)


def _machine() -> str:
    processors = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    server = subprocess.run([find_server_binary(os.environ), "--version"], capture_output=True, text=True)
    return (
        f"{len(os.sched_getaffinity(0))} cores of {processors[0] if processors else platform.machine()}; "
        f"Linux {platform.release()}; Python {platform.python_version()}; {server.stdout.strip()}"
    )


def _summary(seconds: list[float]) -> str:
    p50, p99 = percentile(seconds, 50), percentile(seconds, 99)
    return f"n={len(seconds)} p50={p50:.3f} s p99={p99:.3f} s max={max(seconds):.3f} s"


def _histogram(seconds: list[float]) -> list[str]:
    counts = [
        (limit, sum(before < number <= limit for number in seconds))
        for before, limit in zip((-1, *BUCKETS), (*BUCKETS, float("inf")), strict=True)
    ]
    most = max(count for _, count in counts)
    return [f"  <= {limit:5g} s {count:5d} {'#' * (count * BAR // most)}" for limit, count in counts if count]


if __name__ == "__main__":
    show(Path(sys.argv[1]))
