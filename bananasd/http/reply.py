"""Requests and answers in JSON, and what errors look like."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..errors import BananasError, ConnectionFailed, InvalidJob, JobNotFound, JobNotWaiting

MAX_BODY_BYTES = 128 * 1024

DOUBTFUL = "doubtful"
"""How a page tells an action of which nobody knows whether it was done from one that was not."""

STATUSES: tuple[tuple[type[BananasError], int], ...] = (
    (InvalidJob, 400),
    (JobNotFound, 404),
    (JobNotWaiting, 409),
    (ConnectionFailed, 503),
)


class Doubtful(ConnectionFailed):
    """The server failed, by ``cause``, while something was done: nobody knows whether it was."""

    def __init__(self, cause: ConnectionFailed) -> None:
        super().__init__(
            f"{str(cause).rstrip('.')}; it may have been carried out all the same: look before you repeat it"
        )
        self.cause = cause


def reply(content: Any, status: int = 200) -> Response:
    """An answer that no cache keeps.

    By the standard library: names that others have written may hold halves of characters, at which orjson fails.
    """
    return Response(
        json.dumps(content), status, headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object that a request carries. Raises `InvalidJob` for anything else."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(413, f"more than {MAX_BODY_BYTES:,} bytes are not taken")
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidJob("the body must be JSON") from None
    except ClientDisconnect:
        raise InvalidJob("the body broke off") from None
    if not isinstance(value, dict):
        raise InvalidJob("the body must be an object in JSON")
    return value


async def on_error(_request: Request, error: Exception) -> Response:
    """What a request gets that could not be answered."""
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    code = DOUBTFUL if isinstance(error, Doubtful) else ""
    return reply({"error": str(error), "code": code}, status)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """The same for what the web server itself refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "it failed"
    return reply({"error": detail, "code": ""}, status)


HANDLERS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    BananasError: on_error,
    HTTPException: on_http_error,
}
