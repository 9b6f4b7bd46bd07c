"""Taskiq with its stream broker, the one of taskiq-redis that acknowledges."""

import asyncio

import noted
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=noted.URL)


@broker.task(task_name="noop")
async def noop(_n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


@broker.task(task_name="hold")
async def hold(_n: int, _pad: str) -> None:
    """The job that is killed."""
    await noted.hold_async()


async def _main() -> None:
    await broker.startup()
    await noted.submit_async(noop=noop.kiq, hold=hold.kiq)
    await broker.shutdown()


def main() -> None:
    """Submit what the command line says."""
    asyncio.run(_main())
