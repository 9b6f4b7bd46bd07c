"""Answers in JSON."""

import json
from typing import Any

from starlette.responses import Response


def reply(content: Any, status: int = 200) -> Response:
    """An answer that no cache keeps.

    By the standard library: names that others have written may hold halves of characters, at which orjson fails.
    """
    return Response(
        json.dumps(content), status, headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
