"""What proves that somebody may ask: the token, the session that it opens, and the word that tells a page of ours.

Pure, but for the time. Everything is compared in constant time.
"""

import hashlib
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import Response

from .. import clock

SESSION_SECONDS = 12 * 3600


class Keyring:
    """Of a dashboard that asks for ``token``, or None for one that asks for nothing.

    A session is a time and a signature of it by the token: it needs no memory, and ends with the token.
    """

    def __init__(self, token: str | None, port: int) -> None:
        self._token = token
        self._secret = secrets.token_bytes(32)
        # Cookies are one host's, whatever the port.
        self.cookie = f"bananasd_{port}"

    @property
    def needs_token(self) -> bool:
        """Whether one is asked for."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and _are_same(given, self._token)

    def has_bearer(self, request: Request) -> bool:
        """Whether a request carries the token itself, as programs do."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(token.strip())

    def is_known(self, request: Request) -> bool:
        """Whether a request may be answered."""
        return self._token is None or self.has_bearer(request) or self._has_session(request)

    def who(self, request: Request) -> str:
        """Who sent it, for the log: the address, and how it was let in."""
        host, port = request.client or ("?", 0)
        return f"{host}:{port}/{self._how(request)}"

    def open_session(self, request: Request, response: Response) -> None:
        """Let the browser that gets this response in from now on."""
        ends_at = clock.now_ms() // 1000 + SESSION_SECONDS
        is_encrypted = request.headers.get("origin", "").startswith("https://")
        response.set_cookie(
            self.cookie, f"{ends_at}.{self._sign(f'session {ends_at}')}", max_age=SESSION_SECONDS, httponly=True,
            samesite="strict", secure=is_encrypted,
        )  # fmt: skip

    def csrf(self, request: Request) -> str:
        """What a page of ours sends with every action; no other site can read it. Another with each start, and session."""
        session = request.cookies.get(self.cookie, "")
        return hmac.new(self._secret, session.encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, request: Request, given: str) -> bool:
        """Whether this is it."""
        return _are_same(given, self.csrf(request))

    def _how(self, request: Request) -> str:
        if self._token is None:
            return "local"
        if self.has_bearer(request):
            return "token"
        return "session" if self._has_session(request) else "stranger"

    def _has_session(self, request: Request) -> bool:
        ends_at, _, signature = request.cookies.get(self.cookie, "").partition(".")
        return (
            _are_same(signature, self._sign(f"session {ends_at}"))
            and ends_at.isascii()
            and ends_at.isdigit()
            and int(ends_at) > clock.now_ms() // 1000
        )

    def _sign(self, text: str) -> str:
        return hmac.new((self._token or "").encode(), text.encode(), hashlib.sha256).hexdigest()


def _are_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
