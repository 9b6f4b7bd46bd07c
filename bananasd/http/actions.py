"""What the pages do: one method an action, each of which leaves a line in the log."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..chunks import check_ids
from ..errors import BananasError, InvalidJob
from ..limits import check_id, shown
from .audit import note_action
from .keys import Keyring
from .queries import matching
from .reply import read_object, reply
from .source import Source

MAX_IDS = 1000
MAX_QUEUE_CHARACTERS = 64
BULK = 250
"""So many dead jobs that match are dealt with by one request; the page asks again for the next ones."""


class Actions:
    """Endpoints."""

    def __init__(self, source: Source, keyring: Keyring) -> None:
        self._source = source
        self._keyring = keyring

    async def pause(self, request: Request) -> Response:
        """Let no job of a queue begin, or of any (null), for a time or for good (null)."""
        given = await read_object(request)
        queue, seconds = given.get("queue"), given.get("seconds")
        await self._act(
            request, "pause", _queue_name(queue), lambda: self._source.client.pause(queue, seconds)
        )
        return reply({})

    async def resume(self, request: Request) -> Response:
        """End a pause."""
        queue = (await read_object(request)).get("queue")
        ended = await self._act(
            request, "resume", _queue_name(queue), lambda: self._source.client.resume(queue)
        )
        return reply({"changed": ended})

    async def cancel(self, request: Request) -> Response:
        """Cancel a job; one that runs only if "running" says how."""
        job_id, running = check_id(request.path_params["job_id"]), (await read_object(request)).get("running")
        action = f"cancel {running}" if running in ("soft", "hard") else "cancel"
        done = await self._act(
            request, action, job_id, lambda: self._source.client.cancel(job_id, running=running)
        )
        return reply({"changed": done})

    async def retry_dead(self, request: Request) -> Response:
        """Bring dead jobs back."""
        return await self._do_to_dead(request, "retry", lambda ids: len(self._source.client.retry_dead(ids)))

    async def purge_dead(self, request: Request) -> Response:
        """Delete dead jobs."""
        # Here as elsewhere the client is asked for in the thread: it may have to be made.
        return await self._do_to_dead(request, "purge", lambda ids: self._source.client.purge_dead(ids))  # noqa: PLW0108

    async def _do_to_dead(
        self, request: Request, action: str, do: Callable[[Sequence[str]], int]
    ) -> Response:
        """To those that are named, or the next ones that match."""
        given = await read_object(request)
        if "ids" in given:
            ids = _ids(given["ids"])
            return reply({"changed": await self._act(request, action, _targets(ids), lambda: do(ids))})
        name, text, mark = (_text(given, field) for field in ("name", "text", "mark"))
        is_wanted = matching(name, text)
        found = await run_in_threadpool(lambda: self._source.listing.dead(mark, BULK, is_wanted))
        ids = [entry.job_id for entry in found.entries]
        changed = await self._act(request, action, _targets(ids), lambda: do(ids)) if ids else 0
        return reply({"changed": changed, "looked_at": found.looked_at, "mark": found.mark})

    async def _act(self, request: Request, action: str, target: str, do: Callable[[], Any]) -> Any:
        """Do it, and say in the log who did what."""
        outcome = "unknown"
        try:
            done = await run_in_threadpool(do)
            outcome = "done" if done is None else str(done)
            return done
        except BananasError as error:
            outcome = f"failed: {error}"
            raise
        finally:
            note_action(request, self._keyring, action, target, outcome)


def _queue_name(queue: Any) -> str:
    """In the log, also of what can be none and is refused: that may be as long as a body."""
    if queue is None:
        return "all queues"
    is_short = isinstance(queue, str) and len(queue) <= MAX_QUEUE_CHARACTERS
    return f"queue {queue if is_short else shown(queue)}"


def _targets(ids: Sequence[str]) -> str:
    """In the log: one by its id, several by their number and the first and last."""
    return ids[0] if len(ids) == 1 else f"{len(ids)} dead jobs, {ids[0]} to {ids[-1]}" if ids else "none"


def _ids(given: Any) -> list[str]:
    if not isinstance(given, list) or len(given) > MAX_IDS:
        raise InvalidJob(f"ids: want a list of up to {MAX_IDS:,} ids")
    return check_ids(given)


def _text(given: dict[str, Any], field: str) -> str:
    value = given.get(field, "")
    if not isinstance(value, str):
        raise InvalidJob(f"{field} {shown(value)}: want text")
    return value
