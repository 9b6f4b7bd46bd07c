"""A process that submits jobs with the Client of the tree it finds, one order after the other: a line of JSON each.

It stands alone, so that another tree, of another time, can be driven by it, too. An order names a function below and
its arguments; the answer is a line of JSON with the seconds it took.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bananasd import Client, JobRequest, Priority

CHUNK = 50_000
"""So many requests are in memory at a time, however many are to be submitted."""
PAD = "x" * 140


def payload(n: int) -> dict[str, Any]:
    """About 200 bytes, as JSON with its spec around it."""
    return {"i": n, "t": time.time(), "pad": PAD}


def timed(ms: int, kind: str) -> dict[str, Any]:
    """The payload of a job that takes so long."""
    return {"ms": ms, "kind": kind, "sent": time.monotonic_ns(), "pad": PAD}


def submit(client: Client, jobs: int) -> None:
    """One call a job."""
    for n in range(jobs):
        client.submit_job("noop", payload(n))


def submit_many(client: Client, jobs: int, queue: str = "", due: float | None = None) -> None:
    """All in few calls, for a queue and an instant in seconds since the epoch if they are said."""
    options: dict[str, Any] = {"queue": queue} if queue else {}
    if due is not None:
        options["scheduled_for"] = datetime.fromtimestamp(due, UTC)
    for first in range(0, jobs, CHUNK):
        numbers = range(first, min(first + CHUNK, jobs))
        client.submit_many([JobRequest("noop", payload(n), **options) for n in numbers])


def submit_timed(client: Client, counts: dict[str, int]) -> None:
    """So many jobs of each duration in ms, shuffled, always in the same way."""
    durations = [int(ms) for ms, count in counts.items() for _ in range(count)]
    random.Random(1).shuffle(durations)
    client.submit_many([JobRequest("timed", timed(ms, "normal")) for ms in durations])


def trickle(client: Client, jobs: int, pauses: list[float], priority: str = "normal") -> None:
    """One job after each pause between the two, which say seconds: somebody who waits for every one of them."""
    dice = random.Random(1)
    for _ in range(jobs):
        time.sleep(dice.uniform(*pauses))
        client.submit_job("timed", timed(0, priority), Priority(priority))


def pause(client: Client) -> None:
    """Let nothing begin."""
    client.pause()


def resume(client: Client) -> None:
    """Let everything begin that waits."""
    client.resume()


ORDERS = {order.__name__: order for order in (submit, submit_many, submit_timed, trickle, pause, resume)}


def answers(url: str) -> Iterator[dict[str, float]]:
    """Obey each line; how long it took."""
    with Client(url, timeout_seconds=30) as client:
        for line in sys.stdin:
            order = json.loads(line)
            begin = time.perf_counter()
            ORDERS[order.pop("order")](client, **order)
            yield {"seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    for answer in answers(sys.argv[1]):
        print(json.dumps(answer), flush=True)
