"""What the pages ask: one method a question, none of which changes anything."""

import re
import zlib
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..errors import InvalidJob
from ..job import check_priority
from ..limits import check_page, check_queue, shown
from ..masking import mask_error
from ..metrics.exposition import CONTENT_TYPE, Metrics
from ..store.keys import Lane
from ..store.listing import MAX_PAGE, Entry
from .health import is_live, reasons_not_ready
from .live import Live
from .probe import Probe
from .reply import reply
from .shapes import as_text, of_found, of_job, of_lane, of_page, of_schedule
from .source import Source

PAGE = 50
EVENTS = "text/event-stream"


class Queries:
    """Endpoints."""

    def __init__(self, source: Source, live: Live, metrics: Metrics) -> None:
        self._source = source
        self._metrics = metrics
        self._live = live
        self._probe = Probe(source.server_trouble)

    async def livez(self, _request: Request) -> Response:
        """Whether the daemon lives."""
        live = is_live(self._source.silent_seconds)
        return reply({"live": live}, 200 if live else 503)

    async def readyz(self, _request: Request) -> Response:
        """Whether it does its work, and if not, why."""
        trouble = await self._probe.server_trouble()
        silent_seconds = self._source.silent_seconds
        reasons = list(reasons_not_ready(self._source.node(), silent_seconds, trouble))
        return reply({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def metrics(self, _request: Request) -> Response:
        """What Prometheus reads."""
        return Response(await run_in_threadpool(self._metrics.text), media_type=CONTENT_TYPE)

    async def live(self, request: Request) -> Response:
        """Everything that changes by itself, again and again."""
        if request.method == "HEAD":
            return Response(media_type=EVENTS)
        if refusal := self._live.refusal:
            raise HTTPException(503, refusal)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        events = _as_events(self._live.snapshots())
        if not _takes_gzip(request.headers.get("accept-encoding", "")):
            return StreamingResponse(events, media_type=EVENTS, headers=headers)
        return StreamingResponse(
            _packed(events), media_type=EVENTS, headers=headers | {"Content-Encoding": "gzip"}
        )

    async def job(self, request: Request) -> Response:
        """One job."""
        job_id = request.path_params["job_id"]
        return reply(of_job(await run_in_threadpool(lambda: self._source.job(job_id))))

    async def lane(self, request: Request) -> Response:
        """What waits in a lane."""
        lane = Lane(
            check_queue(request.path_params["queue"]), check_priority(request.path_params["priority"])
        )
        offset, limit = _page(request)
        page = await run_in_threadpool(lambda: self._source.listing.lane(lane, offset, limit))
        return reply(of_lane(page, lane))

    async def scheduled(self, request: Request) -> Response:
        """What is due later."""
        offset, limit = _page(request)
        return reply(of_page(await run_in_threadpool(lambda: self._source.listing.scheduled(offset, limit))))

    async def dead(self, request: Request) -> Response:
        """Dead jobs that match, from a mark on."""
        query = request.query_params
        limit, mark = _page(request)[1], query.get("mark", "")
        is_wanted = matching(query.get("name", ""), query.get("text", ""))
        return reply(
            of_found(await run_in_threadpool(lambda: self._source.listing.dead(mark, limit, is_wanted)))
        )

    async def schedules(self, _request: Request) -> Response:
        """All of them, by name."""
        found = await run_in_threadpool(lambda: self._source.client.schedules())  # noqa: PLW0108 - in the thread
        return reply({"schedules": [of_schedule(schedule) for schedule in found]})


def matching(name: str, text: str) -> Callable[[Entry], bool] | None:
    """Whether a job's name has the one in it, and its id, description, error or payload the other; None if both are ""."""
    name, text = name.casefold(), text.casefold()

    def is_wanted(entry: Entry) -> bool:
        job = entry.job
        if job is None:
            return not name and text in entry.job_id
        return name in job.name.casefold() and (
            not text
            or any(
                text in part.casefold()
                for part in (entry.job_id, mask_error(job.error or ""), job.description, as_text(job.payload))
            )
        )

    return is_wanted if name or text else None


async def _as_events(snapshots: AsyncIterator[str]) -> AsyncIterator[str]:
    # What a browser waits with before it comes again, and a first word that shows it that it is connected.
    yield "retry: 1000\n\n"
    async for snapshot in snapshots:
        yield f"data: {snapshot}\n\n"


async def _packed(events: AsyncIterator[str]) -> AsyncIterator[bytes]:
    # Each event resembles the one before, and is out at once.
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    async for event in events:
        yield packer.compress(event.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding has it, and not with a weight of 0, which means: anything but that."""
    for coding in accepted.lower().split(","):
        name, _, weight = (part.strip() for part in coding.partition(";"))
        if name == "gzip":
            return re.fullmatch(r"q\s*=\s*0(\.0*)?", weight) is None
    return False


def _page(request: Request) -> tuple[int, int]:
    """Offset and limit."""
    offset, limit = (_whole(request, name, default) for name, default in (("offset", 0), ("limit", PAGE)))
    check_page(offset, limit, MAX_PAGE)
    return offset, limit


def _whole(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise InvalidJob(f"{name} {shown(given)}: want a whole number")
    return int(given)
