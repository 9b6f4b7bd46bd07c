"""The dashboard as an application: which path leads where."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .health import is_live, reasons_not_ready
from .reply import reply
from .source import Source


class Dashboard:
    """``app`` is what a web server serves."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.app = Starlette(routes=[Route("/livez", self._livez), Route("/readyz", self._readyz)])

    def close(self) -> None:
        """The server is about to stop; may be called from any thread."""

    async def _livez(self, _request: Request) -> Response:
        live = is_live(self._source.silent_seconds)
        return reply({"live": live}, 200 if live else 503)

    async def _readyz(self, _request: Request) -> Response:
        is_there = await run_in_threadpool(self._source.is_server_there)
        silent_seconds = self._source.silent_seconds
        reasons = list(reasons_not_ready(self._source.node(), silent_seconds, is_server_there=is_there))
        return reply({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)
