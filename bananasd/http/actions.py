"""What the pages do: one method an action, each of which leaves a line in the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..client import Client
from ..errors import BananasError, ConnectionFailed
from ..limits import check_id, is_id, shown
from .audit import Note, note_action
from .bodies import check_fields, dead_choice, queue_in
from .keys import Keyring
from .queries import matching
from .reply import Doubtful, read_object, reply
from .source import Source

BULK = 250
"""So many dead jobs that match are dealt with by one request; the page asks again for the next ones."""

MAX_QUEUE_CHARACTERS = 64


class Actions:
    """Endpoints."""

    def __init__(self, source: Source, keyring: Keyring) -> None:
        self._source = source
        self._keyring = keyring

    async def pause(self, request: Request) -> Response:
        """Let no job of a queue begin, or of any (null), for a time or for good (null)."""
        given = await read_object(request)
        with self._noted(request, "pause", _as_sent(given)) as note:
            check_fields(given, "queue", "seconds")
            queue, seconds = queue_in(given), given.get("seconds")
            note.target = _queue_name(queue)
            await self._carry_out(note, lambda client: client.pause(queue, seconds))
        return reply({})

    async def resume(self, request: Request) -> Response:
        """End a pause."""
        given = await read_object(request)
        with self._noted(request, "resume", _as_sent(given)) as note:
            check_fields(given, "queue")
            queue = queue_in(given)
            note.target = _queue_name(queue)
            return reply({"changed": await self._carry_out(note, lambda client: client.resume(queue))})

    async def cancel(self, request: Request) -> Response:
        """Cancel a job; one that runs only if "running" says how."""
        job_id, given = request.path_params["job_id"], await read_object(request)
        running = given.get("running")
        action = f"cancel {running}" if running in ("soft", "hard") else "cancel"
        with self._noted(request, action, _id_name(job_id)) as note:
            check_fields(given, "running")
            job_id = check_id(job_id)
            done = await self._carry_out(note, lambda client: client.cancel(job_id, running=running))
            return reply({"changed": done})

    async def retry_dead(self, request: Request) -> Response:
        """Bring dead jobs back."""
        return await self._do_to_dead(request, "retry", lambda client, ids: len(client.retry_dead(ids)))

    async def purge_dead(self, request: Request) -> Response:
        """Delete dead jobs."""
        return await self._do_to_dead(request, "purge", lambda client, ids: client.purge_dead(ids))

    async def _do_to_dead(
        self, request: Request, action: str, do: Callable[[Client, list[str]], int]
    ) -> Response:
        """To those that are named, or the next ones that match."""
        given = await read_object(request)
        with self._noted(request, action, _as_sent(given)) as note:
            choice = dead_choice(given)
            ids, more = choice.ids, {}
            if ids is None:
                is_wanted = matching(choice.name, choice.text)
                found = await run_in_threadpool(
                    lambda: self._source.listing.dead(choice.mark, BULK, is_wanted)
                )
                ids = [entry.job_id for entry in found.entries]
                more = {"looked_at": found.looked_at, "mark": found.mark}
            note.target = _targets(ids)
            changed = await self._carry_out(note, lambda client: do(client, ids) if ids else 0)
            return reply({"changed": changed, **more})

    async def _carry_out(self, note: Note, do: Callable[[Client], Any]) -> Any:
        """Do it in a thread. Once it has begun, a server that fails leaves open what it did."""

        def carry_out() -> Any:
            client = self._source.client
            # One that is away already is sent nothing, and then it is known that nothing was done.
            self._source.check_server()
            try:
                return do(client)
            except ConnectionFailed as error:
                raise Doubtful(error) from None

        done = await run_in_threadpool(carry_out)
        note.outcome = "done" if done is None else str(done)
        return done

    @contextmanager
    def _noted(self, request: Request, action: str, target: str) -> Iterator[Note]:
        """Say in the log who did what, and what came of it."""
        note = Note(target)
        try:
            yield note
        except Doubtful as error:
            note.outcome = f"unknown: {error.cause}"
            raise
        except BananasError as error:
            note.outcome = f"failed: {error}"
            raise
        finally:
            note_action(request, self._keyring, action, note)


def _as_sent(given: dict[str, Any]) -> str:
    """In the log, until it is known what is meant: a mistake must not read as if it were everything."""
    return f"as sent: {shown(given)}"


def _queue_name(queue: Any) -> str:
    """In the log, also of what can be none and is refused: that may be as long as a body."""
    if queue is None:
        return "all queues"
    is_short = isinstance(queue, str) and len(queue) <= MAX_QUEUE_CHARACTERS
    return f"queue {queue if is_short else shown(queue)}"


def _id_name(job_id: str) -> str:
    return job_id if is_id(job_id) else shown(job_id)


def _targets(ids: list[str]) -> str:
    """In the log: one by its id, several by their number and the first and last."""
    if not ids:
        return "none"
    first, last = _id_name(ids[0]), _id_name(ids[-1])
    return first if len(ids) == 1 else f"{len(ids)} dead jobs, {first} to {last}"
