"""arq: a job stays in the queue until it has ended."""

import asyncio
from typing import Any, ClassVar

import noted
from arq import create_pool
from arq.connections import RedisSettings

SETTINGS = RedisSettings.from_dsn(noted.URL)


async def noop(_context: Any, _n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


async def hold(_context: Any, _n: int, _pad: str) -> None:
    """The job that is killed."""
    await noted.hold_async()


class WorkerSettings:
    """What ``arq`` reads."""

    functions: ClassVar = [noop, hold]
    redis_settings = SETTINGS
    keep_result = 0


async def _main() -> None:
    pool = await create_pool(SETTINGS)
    await noted.submit_async(
        noop=lambda *args: pool.enqueue_job("noop", *args), hold=lambda *args: pool.enqueue_job("hold", *args)
    )


def main() -> None:
    """Submit what the command line says."""
    asyncio.run(_main())
