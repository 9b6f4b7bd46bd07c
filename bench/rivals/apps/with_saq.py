"""SAQ: a job stays until it has ended; one that is lost may be tried three times."""

import asyncio
from typing import Any

import noted
from saq import Queue

queue = Queue.from_url(noted.URL)


async def noop(_context: Any, **_payload: Any) -> None:
    """Nothing but its note."""
    noted.note()


async def hold(_context: Any, **_payload: Any) -> None:
    """The job that is killed."""
    await noted.hold_async()


settings = {"queue": queue, "functions": [noop, hold]}


async def _main() -> None:
    await queue.connect()
    await noted.submit_async(
        noop=lambda n, pad: queue.enqueue("noop", n=n, pad=pad, retries=3),
        hold=lambda n, pad: queue.enqueue("hold", n=n, pad=pad, retries=3),
    )


def main() -> None:
    """Submit what the command line says."""
    asyncio.run(_main())
