"""One look at everything a second while somebody watches, the same for all who do, and none while nobody does."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool

from .. import clock
from .history import Rates
from .past import Past
from .source import Source

LOOK_SECONDS = 1.0
SAMPLE_SECONDS = 10.0
MAX_WATCHERS = 100

T = TypeVar("T")


class Live:
    """To be used in one event loop."""

    def __init__(self, source: Source, past: Past) -> None:
        self._source = source
        self._past = past
        self._history = past.load()
        self._rates = Rates()
        self._watchers = 0
        self._latest = ""
        self._number = 0
        self._is_closed = False
        self._changed = asyncio.Condition()
        self._poll: asyncio.Task[None] | None = None
        self._threads: CapacityLimiter | None = None
        self.has_begun = threading.Event()
        """Whether the first look at the counters is over, for who waits in another thread."""

    @property
    def refusal(self) -> str:
        """Why nobody else can watch; "" if somebody can."""
        if self._watchers < MAX_WATCHERS:
            return ""
        return (
            f"{self._watchers} pages are open and follow what goes on here, and there can be no more. "
            "Close one that nobody needs, or open the dashboard of another node."
        )

    @property
    def looks(self) -> int:
        """How often it has looked."""
        return self._number

    async def snapshots(self) -> AsyncIterator[str]:
        """What is to be seen now, as JSON, and again each time somebody has looked, until the server stops."""
        self._watchers += 1
        seen = self._number
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._keep_looking())
        elif self._latest:
            seen -= 1  # the others' last look is not a second old
        try:
            while not self._is_closed:
                seen = await self._wait_for_more_than(seen)
                if not self._is_closed:
                    yield self._latest
        finally:
            self._watchers -= 1

    async def take_sample(self) -> None:
        """One look at the counters; before the first one nothing is known to have happened."""
        self._note(await self._ask(self._source.counters))

    async def sample(self) -> None:
        """Look at the counters every few seconds for as long as the process lives: an hour cannot be made up for."""
        await self.take_sample()
        self.has_begun.set()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            await self.take_sample()
            await run_in_threadpool(self._past.keep, self._history.to_dict())

    async def close(self) -> None:
        """Let everybody go who watches, and leave the history to the next process."""
        self._is_closed = True
        self._past.keep(self._history.to_dict())
        async with self._changed:
            self._changed.notify_all()
        if self._poll is not None:
            self._poll.cancel()
            with suppress(asyncio.CancelledError):
                await self._poll

    async def _ask(self, question: Callable[[], T]) -> T:
        """In a thread that no page can take, however many of them wait for a server that hangs: one to look, one to sample."""
        self._threads = self._threads or CapacityLimiter(2)
        return await to_thread.run_sync(question, limiter=self._threads)

    def _note(self, counters: Mapping[str, int] | None) -> None:
        if counters is not None:
            self._history.note(clock.now_ms(), counters)

    async def _wait_for_more_than(self, seen: int) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self._number > seen or self._is_closed)
        return self._number

    async def _keep_looking(self) -> None:
        while self._watchers:
            due_at = clock.deadline_in(LOOK_SECONDS)
            self._latest = json.dumps(await self._look())
            async with self._changed:
                self._number += 1
                self._changed.notify_all()
            await asyncio.sleep(clock.remaining(due_at))

    async def _look(self) -> dict[str, object]:
        look = await self._ask(self._source.look)
        rates = None
        if look.queues is not None:
            self._history.note(look.at_ms, look.queues.counters)
            rates = self._rates.note(look.at_ms, look.queues.counters)
        history = self._history.minutes(look.at_ms)
        return look.to_dict(self._source.host) | {"rates": rates, "history": history}
