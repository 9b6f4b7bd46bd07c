"""The dashboard as an application: which path leads where."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import Route

from ..metrics.exposition import Metrics
from ..settings import HttpConfig
from .actions import Actions
from .assets import Assets
from .entrance import Entrance
from .guard import Guard
from .keys import Keyring
from .live import Live
from .past import Past
from .queries import Queries
from .reply import HANDLERS
from .source import Source


class Dashboard:
    """``app`` is what a web server serves."""

    def __init__(self, config: HttpConfig, token: str | None, source: Source) -> None:
        self.keyring = keyring = Keyring(token, config.port)
        self.live = Live(
            source, Past(source.board.path.parent, f"{source.namespace} at {source.access.server.address}")
        )
        self._assets = Assets()
        self._queries = Queries(source, self.live, Metrics(source.board, source.access))
        self._actions = Actions(source, keyring)
        self._entrance = Entrance(config, keyring, source.namespace)
        self._loop: asyncio.AbstractEventLoop | None = None
        routes = Starlette(
            routes=[*self._pages(), *self._questions(), *self._changes()],
            exception_handlers=HANDLERS,
            lifespan=self._live_with,
        )
        self.app = Guard(routes, config, keyring)

    def close(self) -> None:
        """The server is about to stop: let go of those who watch. May be called from any thread."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self.live.close(), self._loop)

    @asynccontextmanager
    async def _live_with(self, _app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        sampling = asyncio.create_task(self.live.sample())
        yield
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling

    def _pages(self) -> list[Route]:
        return [
            Route("/", self._assets.index),
            Route("/static/{name}", self._assets.file),
            Route("/api/session", self._entrance.session),
            Route("/api/login", self._entrance.login, methods=["POST"]),
            Route("/api/logout", self._entrance.logout, methods=["POST"]),
        ]

    def _questions(self) -> list[Route]:
        ask = self._queries
        return [
            Route("/livez", ask.livez),
            Route("/readyz", ask.readyz),
            Route("/metrics", ask.metrics),
            Route("/api/live", ask.live),
            Route("/api/jobs/{job_id:path}", ask.job),
            Route("/api/lanes/{queue}/{priority}", ask.lane),
            Route("/api/scheduled", ask.scheduled),
            Route("/api/dead", ask.dead),
            Route("/api/schedules", ask.schedules),
        ]

    def _changes(self) -> list[Route]:
        do = self._actions
        return [
            Route("/api/queues/pause", do.pause, methods=["POST"]),
            Route("/api/queues/resume", do.resume, methods=["POST"]),
            Route("/api/jobs/{job_id}/cancel", do.cancel, methods=["POST"]),
            Route("/api/dead/retry", do.retry_dead, methods=["POST"]),
            Route("/api/dead/purge", do.purge_dead, methods=["POST"]),
        ]
