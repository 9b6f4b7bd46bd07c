"""The guard before every page: who may ask, who may act, and what a browser may do with the answers."""

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import HttpConfig
from .keys import Keyring
from .reply import reply

HEALTH = ("/livez", "/readyz")
"""For everybody: probes have no token, and nothing is told there."""

OPEN = (*HEALTH, "/", "/api/session", "/api/login")
"""What can be had without a token, with all below `STATIC`: the pages themselves hold nothing."""

STATIC = "/static/"
LOGIN = "/api/login"
READS = ("GET", "HEAD")
CSRF_HEADER = "x-csrf-token"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

logger = logging.getLogger(__name__)


class Guard:
    """Stands before an application. What it refuses never gets there."""

    def __init__(self, app: ASGIApp, config: HttpConfig, keyring: Keyring) -> None:
        self._app = app
        self._config = config
        self._keyring = keyring
        self._hosts = {"localhost", "127.0.0.1", "::1", config.host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        # Not request.url, of which the Host header is a part.
        path, headers = request.scope["path"], request.headers
        if path in HEALTH:
            return None
        if not self._keyring.needs_token and _host_of(headers) not in self._hosts:
            # A page of somebody else's whose name leads to this machine must not read ours.
            return _refuse(
                403, f"host {_host_of(headers)!r}: this dashboard answers to {self._config.host} only"
            )
        if path.startswith("/api/") and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return _refuse(403, "asked for by a page of another site")
        is_known = self._keyring.is_known(request)
        if not is_known and path not in OPEN and not path.startswith(STATIC):
            return _refuse(401, "log in, or send the token as 'Authorization: Bearer …'")
        return None if request.method in READS else self._refusal_to_act(request)

    def _refusal_to_act(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if not _is_of_same_origin(request.headers) and not self._keyring.has_bearer(request):
            return _refuse(403, "an action needs the Origin of this page")
        if path == LOGIN:
            return None
        if self._config.read_only and path != "/api/logout":
            return _refuse(403, "http.read_only is set: nothing can be changed here")
        if self._keyring.has_bearer(request):
            # Nobody else's page can send that header.
            return None
        if not self._keyring.is_csrf(request, request.headers.get(CSRF_HEADER, "")):
            return _refuse(403, "the page is out of date: load it again", "csrf")
        return None


def _host_of(headers: Headers) -> str:
    """The name in the Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()
    except ValueError:
        return ""


def _is_of_same_origin(headers: Headers) -> bool:
    """Whether the page that asks was served here; the scheme is another one behind a proxy that speaks TLS."""
    _, separator, origin = headers.get("origin", "").partition("://")
    return bool(separator) and origin.lower() == headers.get("host", "").lower()


def _refuse(status: int, why: str, code: str = "") -> Response:
    return reply({"error": why, "code": code}, status)
