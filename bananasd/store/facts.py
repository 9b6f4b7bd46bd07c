"""The facts about one job: all that says why it does not run, as it was at one instant."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..job import Job, Status
from ..record import json_in, policy_of, text_of
from ..retry import OPEN, RetryPolicy
from .calls import Call, as_mapping, checked, run_calls
from .connection import Transport
from .keys import Keys
from .node_rows import NodeRow, read_row
from .rates import Counted, ended_per_second, numbers_in, rates
from .scripts import script
from .store import node_of

MAX_LOOK = 50_000
"""Through how many ids of a lane the job is looked for: so many take the server 1.5 ms."""


class Facts(NamedTuple):
    """What the server held at ``now_ms``, by its own clock. ``job`` is None if it has no record; then nothing else is known.

    ``place`` is how many ids stand before it in its lane, None if it was not found; ``length`` how many there are,
    ``higher`` how many in the lanes of its queue that come first. ``held_place`` is the same among the ids of its holder. ``pauses`` hold
    until when its queue, and everything, is paused in ms, infinity for good. ``left_behind``: how many ids of it are in lanes
    where it was before. ``told`` is "soft" or "hard" if it was told to end. ``live`` are the nodes whose lease runs, ``home``
    is that of its holder. ``declared`` is what its handler says of retries.
    """

    job_id: str
    now_ms: int
    job: Job | None = None
    place: int | None = None
    held_place: int | None = None
    length: int = 0
    higher: int = 0
    is_admitted: bool = False
    is_scheduled: bool = False
    queue_pause: float | None = None
    whole_pause: float | None = None
    left_behind: int = 0
    ended_per_second: float | None = None
    told: str = ""
    live: Sequence[NodeRow] = ()
    home: NodeRow | None = None
    declared: RetryPolicy = OPEN


def find_facts(transport: Transport, namespace: str, job_id: str) -> Facts:
    """Ask the server, in one call, and in a second one after the handler of a job that may wait for its next try."""
    keys = Keys(namespace)
    call = Call(script("explain"), [keys.job(job_id)], (keys.prefix, job_id, MAX_LOOK))
    facts = _read(job_id, *run_calls(transport, [call])[0])
    if facts.job is None or facts.job.status is not Status.SCHEDULED:
        return facts
    (declared,) = checked(transport.trip([("HGET", keys.handlers, facts.job.name)]))
    return facts._replace(declared=_policy(declared))


def _read(job_id: str, now: int, words: list[bytes], *more: Any) -> Facts:
    if not words:
        return Facts(job_id, now)
    record = as_mapping(words)
    place, held_place, length, higher, is_admitted, is_scheduled, of_queue, of_all, left, counters, *nodes = (
        more
    )
    job = Job.from_record(job_id, record)
    rows = list(_rows(nodes))
    return Facts(
        job_id,
        now,
        job,
        _place(place),
        _place(held_place),
        length,
        higher,
        bool(is_admitted),
        bool(is_scheduled),
        _end(of_queue),
        _end(of_all),
        left,
        _speed(now, as_mapping(counters), rows),
        text_of(record, b"cancel") or "",
        [row for row in rows if row.lease_ends_ms >= now],
        next((row for row in rows if row.name == node_of(job.holder)), None),
    )


def _rows(words: Sequence[Any]) -> Iterator[NodeRow]:
    for name, lease_end, row in zip(*[iter(words)] * 3, strict=True):
        yield read_row(name, lease_end, as_mapping(row))


def _speed(now: int, counters: dict[bytes, bytes], rows: Sequence[NodeRow]) -> float | None:
    by_counter = rates(Counted(now, numbers_in(counters)), [kept for row in rows for kept in row.counted])
    return ended_per_second(by_counter) if by_counter else None


def _policy(declared: bytes | None) -> RetryPolicy:
    members = json_in(declared)
    return policy_of(members) if isinstance(members, dict) else OPEN


def _place(number: int) -> int | None:
    return None if number < 0 else number


def _end(word: bytes) -> float | None:
    return float(word) if word else None
