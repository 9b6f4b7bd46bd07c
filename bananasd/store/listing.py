"""Pages of jobs and the list of nodes, for people who look: each call is bounded, however long a list or large a job."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from ..errors import InvalidJob
from ..job import Job, Status
from ..limits import shown
from .calls import as_mapping, checked, instant_in, readable, text
from .connection import Transport
from .keys import Keys, Lane
from .rates import MAX_DIGITS, numbers_in
from .scripts import Command

MAX_PAGE = 200
MAX_LOOKED_AT = 1000
"""How many dead jobs one call looks at to find those that are wanted."""

MAX_SPEC_BYTES = 32 * 1024
"""The spec of a larger job is not fetched for a list, so that one cannot cost hundreds of megabytes."""

FIELDS = ("status", "lane", "run", "attempts", "recoveries", "due_at", "started_at", "finished_at", "updated_at",
          "expires_at", "holder", "error")  # fmt: skip

MAX_MARKED = 200
_MARK = re.compile(r"(\d{1,15})\.(\d{1,15})\.(.{0,200})", re.DOTALL)


class Entry(NamedTuple):
    """A place in a list. ``job`` is None if it has no record; if ``is_large`` nothing of its spec is there, its name either.

    ``at_ms`` is by what the list is sorted, None for a lane.
    """

    job_id: str
    job: Job | None
    is_large: bool
    at_ms: int | None


class Page(NamedTuple):
    """Some entries of a list that has ``total``."""

    entries: list[Entry]
    total: int


class Found(NamedTuple):
    """Those of ``looked_at`` dead jobs that were wanted; ``mark`` is where to go on, "" at the end."""

    entries: list[Entry]
    total: int
    looked_at: int
    mark: str


class Mark(NamedTuple):
    """A place in the list of the dead: behind this job, and no job that died after ``until_ms``."""

    until_ms: int
    died_ms: int
    job_id: str

    def __str__(self) -> str:
        # An id that somebody else has written may be of any length. Cut, it is that of a job that has gone.
        return f"{self.until_ms}.{self.died_ms}.{self.job_id[:MAX_MARKED]}"

    @classmethod
    def parse(cls, written: str) -> "Mark":
        """Raises `InvalidJob`."""
        found = _MARK.fullmatch(written)
        if found is None:
            raise InvalidJob(f"mark {shown(written)}: want what an earlier page has given")
        return cls(int(found[1]), int(found[2]), found[3])


class NodeReport(NamedTuple):
    """What a node has told at its last beat, ``beat_seconds`` ago; its lease runs for ``lease_seconds`` more."""

    node: str
    beat_seconds: float | None
    lease_seconds: float
    about: dict[str, Any]


class Listing:
    """The lists of a namespace."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.keys = Keys(namespace)
        self._transport = transport

    def counters(self) -> dict[str, int]:
        """Counts since the namespace began."""
        (flat,) = self._ask([("HGETALL", self.keys.stats)])
        return numbers_in(as_mapping(flat))

    def lane(self, lane: Lane, offset: int, limit: int) -> Page:
        """What waits in a lane, the next to run first; ids of jobs that were cancelled or moved may be among it."""
        key = self.keys.ready(lane)
        total, ids = self._ask([("LLEN", key), ("LRANGE", key, offset, offset + limit - 1)])
        return Page(self._entries([(text(job_id), None) for job_id in ids]), total)

    def scheduled(self, offset: int, limit: int) -> Page:
        """What is due later, the earliest first."""
        key = self.keys.scheduled
        total, flat = self._ask(
            [("ZCARD", key), ("ZRANGE", key, offset, offset + limit - 1, "WITHSCORES")],
        )
        return Page(self._entries(_scored(flat)), total)

    def dead(self, mark: str, limit: int, is_wanted: Callable[[Entry], bool] | None = None) -> Found:
        """Dead jobs that are wanted (None: all are), the latest first, from a mark on ("": from the latest)."""
        until_ms, start, total = self._start(mark)
        entries: list[Entry] = []
        looked_at = 0
        for entry in self._dead_from(start, min(limit, MAX_PAGE) if is_wanted is None else MAX_PAGE):
            looked_at += 1
            if is_wanted is None or is_wanted(entry):
                entries.append(entry)
            if len(entries) == limit or looked_at == MAX_LOOKED_AT:
                return Found(entries, total, looked_at, str(Mark(until_ms, entry.at_ms or 0, entry.job_id)))
        return Found(entries, total, looked_at, "")

    def _start(self, mark: str) -> tuple[int, int, int]:
        """Until when, from which place on, of how many."""
        key = self.keys.dead
        if not mark:
            total, time = self._ask([("ZCARD", key), ("TIME",)])
            return int(time[0]) * 1000 + int(time[1]) // 1000, 0, total
        at = Mark.parse(mark)
        total, rank, later, younger = self._ask([
            ("ZCARD", key),
            ("ZREVRANK", key, at.job_id),
            ("ZCOUNT", key, f"({at.died_ms}", "+inf"),
            ("ZCOUNT", key, f"({at.until_ms}", "+inf"),
        ])  # fmt: skip
        # The job of the mark may have gone since: then those that died with it are looked at again.
        return at.until_ms, max(later if rank is None else rank + 1, younger), total

    def _dead_from(self, start: int, at_once: int) -> Iterator[Entry]:
        """One after the other, so many a trip."""
        while True:
            command = ("ZREVRANGE", self.keys.dead, start, start + at_once - 1, "WITHSCORES")
            pairs = _scored(self._ask([command])[0])
            yield from self._entries(pairs)
            if len(pairs) < at_once:
                return
            start += at_once

    def nodes(self) -> list[NodeReport]:
        """Every node that has a lease, or had one not long ago."""
        flat, time = self._ask([("ZRANGE", self.keys.nodes, 0, -1, "WITHSCORES"), ("TIME",)])
        now_ms = int(time[0]) * 1000 + int(time[1]) // 1000
        leases = _scored(flat)
        rows = [("HMGET", self.keys.node(node), "beat_at", "about") for node, _ in leases]
        told = [row or (None, None) for row in readable(self._transport.trip(rows))] if rows else []
        return [
            NodeReport(node, _seconds_since(beat_at, now_ms), (end_ms - now_ms) / 1000, _object_in(about))
            for (node, end_ms), (beat_at, about) in zip(leases, told, strict=True)
        ]

    def _entries(self, pairs: Sequence[tuple[str, int | None]]) -> list[Entry]:
        keys = [self.keys.job(job_id) for job_id, _ in pairs]
        sizes = self._ask([("HSTRLEN", key, "spec") for key in keys])
        records = self._ask([
            ("HMGET", key, *FIELDS, *(["spec"] if size <= MAX_SPEC_BYTES else []))
            for key, size in zip(keys, sizes, strict=True)
        ])  # fmt: skip
        return [
            Entry(job_id, _job(job_id, values), size > MAX_SPEC_BYTES, at_ms)
            for (job_id, at_ms), size, values in zip(pairs, sizes, records, strict=True)
        ]

    def _ask(self, commands: Sequence[Command]) -> list[Any]:
        return checked(self._transport.trip(commands)) if commands else []


def is_tombstone(entry: Entry, lane: Lane) -> bool:
    """Whether the entry of a lane is only what a job has left behind there."""
    job = entry.job
    return job is None or job.status is not Status.PENDING or job.lane != str(lane)


def _job(job_id: str, values: Sequence[bytes | None]) -> Job | None:
    fields = (*FIELDS, "spec")
    record = {name.encode(): value for name, value in zip(fields, values, strict=False) if value is not None}
    return Job.from_record(job_id, record) if record else None


def _scored(flat: Sequence[bytes]) -> list[tuple[str, int]]:
    return [(text(member), instant_in(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]


def _seconds_since(ms: bytes | None, now_ms: int) -> float | None:
    return (now_ms - int(ms)) / 1000 if ms and ms.isdigit() and len(ms) <= MAX_DIGITS else None


def _object_in(written: bytes | None) -> dict[str, Any]:
    try:
        value = orjson.loads(written or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
