"""What keeps the Redis server from answering, for all who ask at one time."""

import asyncio
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread


class Probe:
    """Asks in a thread that no page can take, however many of them wait for a server that hangs."""

    def __init__(self, server_trouble: Callable[[], str]) -> None:
        self._server_trouble = server_trouble
        self._thread: CapacityLimiter | None = None
        self._asking: asyncio.Task[str] | None = None

    async def server_trouble(self) -> str:
        """The answer to the question that is on its way, if one is: probes are not to wait for each other either."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Whoever gives up must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> str:
        self._thread = self._thread or CapacityLimiter(1)
        return await to_thread.run_sync(self._server_trouble, limiter=self._thread)
