"""What every application here does the same: it notes its runs as bench/handlers does, and submits jobs one a call.

It stands alone, for it runs in the environment of a rival.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

PAD = "x" * 140
URL = os.environ["BENCH_URL"]
FOR_EVER_SECONDS = 300


def note() -> None:
    """When a no-op ran: a line of 20 bytes, one write."""
    _append(os.environ["BENCH_STAMPS"], b"%019d\n" % time.monotonic_ns())


def note_hold() -> bool:
    """When, and in which process, the long job began; whether this is its first run, which is to be killed."""
    path = os.environ["BENCH_HOLDS"]
    _append(path, b"%d %d\n" % (time.monotonic_ns(), os.getpid()))
    return Path(path).read_bytes().count(b"\n") == 1


def hold() -> None:
    """The long job of those that run functions."""
    if note_hold():
        time.sleep(FOR_EVER_SECONDS)


async def hold_async() -> None:
    """The long job of those that run coroutines."""
    if note_hold():
        await asyncio.sleep(FOR_EVER_SECONDS)


def submit(**ways: Callable[[int, str], object]) -> None:
    """Obey the command line: which job, how many; print the seconds that it took."""
    way, jobs = ways[sys.argv[1]], int(sys.argv[2])
    begin = time.perf_counter()
    for n in range(jobs):
        way(n, PAD)
    print(time.perf_counter() - begin)


async def submit_async(**ways: Callable[[int, str], Awaitable[object]]) -> None:
    """The same for those whose clients are awaited."""
    way, jobs = ways[sys.argv[1]], int(sys.argv[2])
    begin = time.perf_counter()
    for n in range(jobs):
        await way(n, PAD)
    print(time.perf_counter() - begin)


def _append(path: str, line: bytes) -> None:
    descriptor = _DESCRIPTORS.get(path)
    if descriptor is None:
        descriptor = _DESCRIPTORS[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line)


_DESCRIPTORS: dict[str, int] = {}
