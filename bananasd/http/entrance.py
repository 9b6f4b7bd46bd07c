"""The way in: what a page is told before all else, and how a browser gets its session."""

import asyncio
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..settings import HttpConfig
from .audit import note_visit
from .keys import Keyring
from .reply import read_object, reply
from .seldom import Seldom

REFUSED_SECONDS = 1.0
"""So long the answer to a wrong token takes."""

logger = logging.getLogger(__name__)


class Entrance:
    """Endpoints."""

    def __init__(self, config: HttpConfig, keyring: Keyring, namespace: str) -> None:
        self._config = config
        self._keyring = keyring
        self._namespace = namespace
        self._refused = Seldom()

    async def session(self, request: Request) -> Response:
        """Whether the one who asks is let in, and what its page needs to know."""
        is_known = self._keyring.is_known(request)
        told: dict[str, Any] = {"is_known": is_known, "needs_token": self._keyring.needs_token}
        if is_known:
            told |= {
                "csrf": self._keyring.csrf(request),
                "read_only": self._config.read_only,
                "namespace": self._namespace,
            }
        return reply(told)

    async def login(self, request: Request) -> Response:
        """A session for a token."""
        given = (await read_object(request)).get("token")
        if not isinstance(given, str) or not self._keyring.is_token(given):
            self._note_refusal(request)
            await asyncio.sleep(REFUSED_SECONDS)
            return reply({"error": "this is not the token", "code": ""}, 401)
        note_visit(request, self._keyring, "login")
        response = reply({})
        self._keyring.open_session(request, response)
        return response

    async def logout(self, request: Request) -> Response:
        """End the session of this browser."""
        note_visit(request, self._keyring, "logout")
        response = reply({})
        response.delete_cookie(self._keyring.cookie, httponly=True, samesite="strict")
        return response

    def _note_refusal(self, request: Request) -> None:
        if self._refused.is_worth_a_line():
            logger.warning(
                "http login refused who=%s: not the token; refused=%d since the start",
                self._keyring.who(request), self._refused.times,
            )  # fmt: skip
