"""The call of a handler itself: with what it takes, in an event loop if it wants one."""

import asyncio
from typing import Any

from ..errors import JobInterrupted
from ..handlers import HandlerSpec
from ..job import Job


def call(spec: HandlerSpec, job: Job) -> Any:
    """Call a handler; an ``async def`` one runs to its end in an event loop of its own.

    Raises `BadPayload` if the payload is not what it takes.
    """
    arguments = (job,) if spec.read_payload is None else (job, spec.read_payload(job.payload))
    return _call_async(spec, arguments) if spec.is_async else spec.function(*arguments)


def _call_async(spec: HandlerSpec, arguments: tuple[Any, ...]) -> Any:
    results = []

    async def run() -> None:
        results.append(await spec.function(*arguments))

    try:
        asyncio.run(run())
    except JobInterrupted:
        # It may have come while the loop was being closed, which waits for the loop's threads.
        if not results:
            raise
    return results[0]
