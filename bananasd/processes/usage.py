"""What processes take of the machine, as the kernel counts it when it is asked."""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple


class Usage(NamedTuple):
    """Of one process; None for what cannot be read: it is gone, or another user's.

    ``pss_bytes`` counts memory that is shared with others by its share, so that a sum over a daemon's processes is what
    the daemon takes.
    """

    pss_bytes: int | None
    cpu_seconds: float | None


def usages(pids: Iterable[int]) -> dict[int, Usage]:
    """What each of these processes takes."""
    return {pid: usage(pid) for pid in pids}


def usage(pid: int) -> Usage:
    """What one process takes."""
    # Not at the top: only those who want to see it pay for the import.
    import psutil  # noqa: PLC0415

    pss_bytes = cpu_seconds = None
    with suppress(psutil.Error, ValueError):
        process = psutil.Process(pid)
        times = process.cpu_times()
        cpu_seconds = times.user + times.system
        pss_bytes = int(process.memory_full_info().pss)
    return Usage(pss_bytes, cpu_seconds)
