"""The next job of each lane: not always the first id, for those of jobs that were cancelled or moved may lie before it."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from ..job import Job, Status
from .calls import as_bytes, as_mapping, text
from .keys import Keys, Lane

MAX_LOOK, MIN_LOOK = 1000, 10
"""How many ids are looked at behind the first ones, in all lanes together; and in one at least."""

Ask = Callable[..., list[Any]]


class Heads:
    """Looks for them; ``ask`` sends commands and returns their replies."""

    def __init__(self, keys: Keys, ask: Ask) -> None:
        self._keys = keys
        self._ask = ask

    def find(self, lanes: Sequence[Lane]) -> list[Job | None]:
        """For each lane, None if it is empty, or nothing but such ids was met."""
        first = self._ask(*(("LINDEX", self._keys.ready(lane), 0) for lane in lanes))
        jobs = dict(zip(lanes, self._jobs(first), strict=True))
        stuck = [
            lane
            for lane, job_id in zip(lanes, first, strict=True)
            if job_id and not waits_in(lane, jobs[lane])
        ]
        return list((jobs | self._look_further(stuck)).values())

    def _look_further(self, lanes: Sequence[Lane]) -> dict[Lane, Job | None]:
        most = max(MIN_LOOK, MAX_LOOK // max(1, len(lanes)))
        listed = self._ask(*(("LRANGE", self._keys.ready(lane), 1, most) for lane in lanes))
        places = self._ask(
            *(("HMGET", self._keys.job(text(job_id)), "status", "lane") for ids in listed for job_id in ids)
        )
        rest = iter(places)
        found = [
            next(_waiting(lane, ids, list(islice(rest, len(ids)))), None)
            for lane, ids in zip(lanes, listed, strict=True)
        ]
        return dict(zip(lanes, self._jobs(found), strict=True))

    def _jobs(self, job_ids: Sequence[bytes | None]) -> list[Job | None]:
        names = [text(job_id or b"") for job_id in job_ids]
        records = self._ask(*(("HGETALL", self._keys.job(name)) for name in names))
        return [
            Job.from_record(name, as_mapping(record)) if record else None
            for name, record in zip(names, records, strict=True)
        ]


def waits_in(lane: Lane, job: Job | None) -> bool:
    """Whether the job is pending, in this lane."""
    return job is not None and (job.status, job.lane) == (Status.PENDING, str(lane))


def _waiting(lane: Lane, ids: Sequence[bytes], places: Sequence[list[bytes | None]]) -> Iterator[bytes]:
    here = [Status.PENDING.value.encode(), as_bytes(str(lane))]
    return (job_id for job_id, place in zip(ids, places, strict=True) if place == here)
