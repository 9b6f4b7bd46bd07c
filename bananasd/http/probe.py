"""Whether the Redis server answers, for all who ask at one time."""

import asyncio
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread


class Probe:
    """Asks in a thread that no page can take, however many of them wait for a server that hangs."""

    def __init__(self, is_server_there: Callable[[], bool]) -> None:
        self._is_server_there = is_server_there
        self._thread: CapacityLimiter | None = None
        self._asking: asyncio.Task[bool] | None = None

    async def is_server_there(self) -> bool:
        """The answer to the question that is on its way, if one is: probes are not to wait for each other either."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Whoever gives up must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        self._thread = self._thread or CapacityLimiter(1)
        return await to_thread.run_sync(self._is_server_there, limiter=self._thread)
