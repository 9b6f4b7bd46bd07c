"""Read-only counts and listings. What they tell may be a moment old."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

import orjson

from .. import clock
from ..job import Job, Priority, Status
from .calls import checked, text
from .connection import Transport
from .keys import Lane, keys_of
from .scripts import Command

_FAILURE = re.compile(rb"!(\d{1,15}) (.*)", re.DOTALL)
"""What a dead job leaves: when it died, its error."""
_FINAL = {status.value.encode() for status in Status if status.is_final}


class LaneStats(NamedTuple):
    """One lane. ``ready`` may count jobs that were cancelled or moved; ``oldest_seconds`` is None for an empty lane.

    ``workers``: how many take jobs from it, on all nodes, as these told at their last beat.
    """

    queue: str
    priority: Priority
    ready: int
    oldest_seconds: float | None
    workers: int

    @property
    def is_unserved(self) -> bool:
        """Whether jobs wait in it and no live worker takes them."""
        return self.ready > 0 and self.workers == 0


class QueueStats(NamedTuple):
    """The jobs of a namespace by where they are, counters since it began, and which queues are paused until when.

    There `EVERYTHING` stands for all queues, and None for until it is resumed.
    """

    lanes: list[LaneStats]
    processing: int
    scheduled: int
    dead: int
    counters: dict[str, int]
    paused: dict[str, datetime | None]

    @property
    def ready(self) -> int:
        """Jobs that wait in any lane."""
        return sum(lane.ready for lane in self.lanes)


class Stats:
    """The questions of a client and an operator."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.keys = keys_of(namespace)
        self._transport = transport

    def ping(self) -> None:
        """Raise `ConnectionFailed` unless the server answers."""
        self._ask(("PING",))

    def job(self, job_id: str) -> Job | None:
        """The job as its record says, with its result while that is kept; None if there is no record."""
        record, result = self._ask(("HGETALL", self.keys.job(job_id)), ("GET", self.keys.result(job_id)))
        return Job.from_record(job_id, as_mapping(record), result) if record else None

    def as_told(self, job_ids: Sequence[str], since_ms: float = inf) -> list[Job | None]:
        """The jobs as their records say; those whose record has gone as what they left says.

        One that failed since ``since_ms``, by the server's clock, has failed, though it was brought back meanwhile.
        """
        found = self._ask(
            *(("HGETALL", self.keys.job(job_id)) for job_id in job_ids),
            *(("GET", self.keys.result(job_id)) for job_id in job_ids),
        )
        records, left = found[: len(job_ids)], found[len(job_ids) :]
        return [
            _as_told(job_id, as_mapping(record), kept, since_ms)
            for job_id, record, kept in zip(job_ids, records, left, strict=True)
        ]

    def dead_jobs(self, offset: int, limit: int) -> list[Job]:
        """Dead jobs, the latest first."""
        (ids,) = self._ask(("ZREVRANGE", self.keys.dead, offset, offset + limit - 1))
        return [job for job in self._jobs(list(map(text, ids))) if job]

    def dead_ids(self) -> list[str]:
        """The ids of all dead jobs, the oldest first."""
        (ids,) = self._ask(("ZRANGE", self.keys.dead, 0, -1))
        return list(map(text, ids))

    def queues(self) -> QueueStats:
        """Counts by lane, and of what is processing, scheduled and dead."""
        names, holders, nodes, scheduled, dead, counters, paused, time = self._ask(
            ("SMEMBERS", self.keys.queues),
            ("SMEMBERS", self.keys.holders),
            ("ZRANGE", self.keys.nodes, 0, -1, "WITHSCORES"),
            ("ZCARD", self.keys.scheduled),
            ("ZCARD", self.keys.dead),
            ("HGETALL", self.keys.stats),
            self._paused,
            ("TIME",),
        )
        held = self._ask(*(("LLEN", self.keys.held(text(holder))) for holder in holders))
        lanes = [Lane(text(name), priority) for name in sorted(names) for priority in Priority]
        now_ms = _to_ms(time)
        return QueueStats(
            self._lane_stats(lanes, self._workers_by_lane(as_mapping(nodes), now_ms), now_ms),
            sum(held),
            scheduled,
            dead,
            {text(name): int(count) for name, count in as_mapping(counters).items()},
            _pauses(paused, now_ms),
        )

    def _workers_by_lane(self, nodes: Mapping[bytes, bytes], now_ms: int) -> Counter[str]:
        """What the nodes whose lease runs say of their workers, added up."""
        live = [text(node) for node, lease_end in nodes.items() if float(lease_end) >= now_ms]
        told = self._ask(*(("HGET", self.keys.node(node), "about") for node in live))
        return sum(map(_read_lanes, told), Counter[str]())

    def paused(self) -> dict[str, datetime | None]:
        """Which queues are paused until when, as in `QueueStats`."""
        paused, time = self._ask(self._paused, ("TIME",))
        return _pauses(paused, _to_ms(time))

    @property
    def _paused(self) -> Command:
        return ("ZRANGE", self.keys.paused, 0, -1, "WITHSCORES")

    def _lane_stats(self, lanes: Sequence[Lane], workers: Mapping[str, int], now_ms: int) -> list[LaneStats]:
        lengths = self._ask(*(("LLEN", self.keys.ready(lane)) for lane in lanes))
        first = self._ask(*(("LINDEX", self.keys.ready(lane), 0) for lane in lanes))
        jobs = self._jobs([text(job_id) if job_id else "" for job_id in first])
        return [
            LaneStats(
                lane.queue, lane.priority, length, _waited_seconds(job, now_ms), workers.get(str(lane), 0)
            )
            for lane, length, job in zip(lanes, lengths, jobs, strict=True)
        ]

    def _jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        records = self._ask(*(("HGETALL", self.keys.job(job_id)) for job_id in job_ids))
        return [
            Job.from_record(job_id, as_mapping(record)) if record else None
            for job_id, record in zip(job_ids, records, strict=True)
        ]

    def _ask(self, *commands: Command) -> list[Any]:
        return checked(self._transport.trip(commands)) if commands else []


def _as_told(job_id: str, record: dict[bytes, bytes], kept: bytes | None, since_ms: float) -> Job | None:
    failure = _FAILURE.fullmatch(kept or b"")
    if failure and (not record or (record.get(b"status") not in _FINAL and int(failure[1]) >= since_ms)):
        record |= {b"status": b"failed", b"finished_at": failure[1], b"error": failure[2]}
    elif kept and not record:
        record = {b"status": b"completed", b"has_result": b"1"}
    return Job.from_record(job_id, record, kept) if record else None


def as_mapping(reply: list[bytes]) -> dict[bytes, bytes]:
    """A hash, which RESP2 sends as a flat list."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _read_lanes(about: bytes | None) -> Counter[str]:
    """How many workers of a node serve each lane; none if it has not said so, or not in these words."""
    try:
        said = orjson.loads(about or b"{}")
    except orjson.JSONDecodeError:
        return Counter()
    lanes = said.get("lanes") if isinstance(said, dict) else None
    items = lanes.items() if isinstance(lanes, dict) else ()
    return Counter({lane: number for lane, number in items if isinstance(number, int)})


def _to_ms(time: list[bytes]) -> int:
    return int(time[0]) * 1000 + int(time[1]) // 1000


def _pauses(reply: list[bytes], now_ms: int) -> dict[str, datetime | None]:
    """Those that are not over."""
    ends = {text(name): float(end) for name, end in as_mapping(reply).items()}
    return {
        name: None if end == inf else clock.to_datetime(int(end))
        for name, end in sorted(ends.items())
        if end > now_ms
    }


def _waited_seconds(job: Job | None, now_ms: int) -> float | None:
    """How long the job has been ready: since it was made, was due, or came back."""
    if job is None:
        return None
    since = max((ms for ms in (job.created_ms, job.due_ms, job.updated_ms) if ms is not None), default=now_ms)
    return max(0, now_ms - since) / 1000
