"""Read-only counts and listings. What they tell may be a moment old."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

from .. import clock
from ..job import Job, Priority, Status
from .calls import as_mapping, checked, instant_in, readable, text
from .connection import Transport
from .heads import Heads
from .keys import Lane, keys_of
from .node_rows import NodeRow, read_row, why_unserved
from .rates import Counted, numbers_in, rates
from .scripts import Command

_FAILURE = re.compile(rb"!(\d{1,15}) (.*)", re.DOTALL)
"""What a dead job leaves: when it died, its error."""
_FINAL = {status.value.encode() for status in Status if status.is_final}


class LaneStats(NamedTuple):
    """One lane: a ``priority`` of a ``queue``. ``ready``, how many jobs wait in it, may count some that were cancelled or moved.

    ``oldest_seconds`` is how long its next job has been ready, since it was made or was due, whatever runs of it were broken
    off meanwhile; None for an empty lane, and for one with too many of those in front.
    ``workers``: how many take jobs from it, on all nodes, as these told at their last beat; ``runs_per_second``: how many
    runs of its jobs ended a second, over the last 10 to 25 s, without those that a killed worker left and those that made up
    for them; None if no live node has told. ``why_unserved``: in words, which live nodes would serve one that is unserved,
    but are quiet or drain; empty if none would.
    """

    queue: str
    priority: Priority
    ready: int
    oldest_seconds: float | None
    workers: int
    runs_per_second: float | None = None
    why_unserved: str = ""

    @property
    def is_unserved(self) -> bool:
        """Whether jobs wait in it and no live worker takes them."""
        return self.ready > 0 and self.workers == 0


class QueueStats(NamedTuple):
    """The jobs of a namespace by where they are: in ``lanes``, or one of the ``processing``, ``scheduled`` and ``dead``.

    ``paused`` says which queues are paused, and until when; ``"*"`` stands for all queues, None for until it is resumed.
    ``counters`` have grown since the namespace began: ``submitted``, ``completed``, ``retried``, ``dead``, ``cancelled``, ``expired``,
    ``lost`` (runs, with their worker) and ``trimmed``; one that is still 0 is missing. ``rates``: by how much each of them has
    grown a second, over the last 10 to 25 s (less if the first daemon is younger); empty while no daemon is live.
    """

    lanes: list[LaneStats]
    processing: int
    scheduled: int
    dead: int
    counters: dict[str, int]
    paused: dict[str, datetime | None]
    rates: Mapping[str, float] = MappingProxyType({})

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
        counted = Counted(now_ms, numbers_in(as_mapping(counters)))
        live = self._live_nodes(as_mapping(nodes), now_ms)
        return QueueStats(
            self._lane_stats(lanes, live, now_ms),
            sum(held),
            scheduled,
            dead,
            dict(counted.counters),
            _pauses(paused, now_ms),
            rates(counted, [kept for node in live for kept in node.counted]),
        )

    def _live_nodes(self, nodes: Mapping[bytes, bytes], now_ms: int) -> list[NodeRow]:
        """Those whose lease runs, with what they tell of their lanes and have kept of the counters."""
        live = [(name, lease_end) for name, lease_end in nodes.items() if instant_in(lease_end) >= now_ms]
        fields = ("about", "counted", "counted_before")
        rows = [("HMGET", self.keys.node(text(name)), *fields) for name, _ in live]
        told = readable(self._transport.trip(rows)) if rows else []
        nothing = (None,) * len(fields)
        return [
            read_row(
                name,
                lease_end,
                {field.encode(): word for field, word in zip(fields, words or nothing, strict=True) if word},
            )
            for (name, lease_end), words in zip(live, told, strict=True)
        ]

    def paused(self) -> dict[str, datetime | None]:
        """Which queues are paused until when, as in `QueueStats`."""
        paused, time = self._ask(self._paused, ("TIME",))
        return _pauses(paused, _to_ms(time))

    @property
    def _paused(self) -> Command:
        return ("ZRANGE", self.keys.paused, 0, -1, "WITHSCORES")

    def _lane_stats(self, lanes: Sequence[Lane], live: Sequence[NodeRow], now_ms: int) -> list[LaneStats]:
        workers = sum((Counter(node.lanes) for node in live), Counter[str]())
        lengths = self._ask(*(("LLEN", self.keys.ready(lane)) for lane in lanes))
        jobs = Heads(self.keys, self._ask).find(lanes)
        return [
            LaneStats(
                lane.queue,
                lane.priority,
                length,
                _waited_seconds(job, now_ms),
                workers[str(lane)],
                _runs_per_second(lane, live),
                "" if workers[str(lane)] else why_unserved(live, str(lane)),
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


def _to_ms(time: list[bytes]) -> int:
    return int(time[0]) * 1000 + int(time[1]) // 1000


def _pauses(reply: list[bytes], now_ms: int) -> dict[str, datetime | None]:
    """Those that are not over."""
    ends = {text(name): float(end) for name, end in as_mapping(reply).items()}
    return {name: clock.datetime_or_none(end) for name, end in sorted(ends.items()) if end > now_ms}


def _runs_per_second(lane: Lane, live: Sequence[NodeRow]) -> float | None:
    told = [node.runs_per_second[str(lane)] for node in live if str(lane) in node.runs_per_second]
    return sum(told) if told else None


def _waited_seconds(job: Job | None, now_ms: int) -> float | None:
    """How long the job has been ready: since it was made, or was due if that was later.

    Not since its record last changed: a job that a lost or drained worker has put back would be young again each time.
    """
    if job is None:
        return None
    known = [ms for ms in (job.created_ms, job.due_ms) if ms is not None]
    since = max(known, default=job.updated_ms if job.updated_ms is not None else now_ms)
    return max(0, now_ms - since) / 1000
