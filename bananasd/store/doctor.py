"""The doctor: goes through a whole namespace in small steps and finds what is out of order, mended on the way or not.

What it reads is a moment old, for daemons may be at work. So what it reads only makes it suspect something, too much rather than
too little; a script looks again, where nothing moves meanwhile, and alone decides.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, TypeVar

from redis.exceptions import NoPermissionError, ResponseError

from ..job import Status
from ..limits import is_id
from ..record import read_spec
from .calls import checked, text
from .connection import Transport
from .faults import Finding
from .keys import Keys
from .mending import Mender, Suspect
from .places import Places
from .store import MAX_IDS

Item = TypeVar("Item")

MAX_SUSPECTS = 250
MAX_STEPS = 100_000
"""Through how many entries of lists a call for more than one job walks, about."""
MAX_SPEC_BYTES = 4 * 1024 * 1024
FIELDS = (
    "status",
    "lane",
    "holder",
    "run",
    "attempts",
    "recoveries",
    "due_at",
    "expires_in",
    "expires_at",
    "unique_ms",
)

_LANE = rb"[\w-]{1,64}:(high|normal|low)"
_TYPES = [
    (re.compile(rb"ready:" + _LANE + rb"|wake:" + _LANE + rb"|wake:scheduled"), "list"),
    (re.compile(rb"held:.*", re.DOTALL), "list"),
    (re.compile(rb"(mail|orders|bell):.*", re.DOTALL), "list"),
    (re.compile(rb"result:.*", re.DOTALL), "string"),
    (re.compile(rb"unique:.*", re.DOTALL), "string"),
    (re.compile(rb"node:.*", re.DOTALL), "hash"),
    (re.compile(rb"holders|queues"), "set"),
    (re.compile(rb"scheduled|dead|nodes|paused"), "zset"),
    (re.compile(rb"handlers|stats|moved|schedules|fired"), "hash"),
]


class Doctor:
    """Examines one namespace; with ``is_mending`` each fault is mended as it is found."""

    def __init__(self, transport: Transport, namespace: str, *, is_mending: bool = False) -> None:
        self.keys = Keys(namespace)
        self.looked_at = 0
        self._transport = transport
        self._mender = Mender(transport, self.keys, is_mending=is_mending)
        self._places = Places()
        self._moved: dict[bytes, bytes] = {}

    def examine(self) -> Iterator[Finding]:
        """Every fault, as it is found. What one part mends is the ground on which the next one stands."""
        yield from self._examine_keys()
        yield from self._examine_holders()
        self._read_places()
        suspects = sorted(chain(self._suspect_records(), self._suspect_leftovers()), key=attrgetter("places"))
        for group in self._groups(suspects):
            yield from self._mender.mend_jobs(group)

    # Keys, then holders

    def _examine_keys(self) -> Iterator[Finding]:
        others = (key for keys in self._scan("") for key in keys if not key.startswith((b"job:", b"aside:")))
        for keys in _batched(others, 100):
            yield from self._mender.mend_keys([(key, _type_of(key)) for key in keys])

    def _examine_holders(self) -> Iterator[Finding]:
        holders = {key.removeprefix(b"held:") for keys in self._scan("held:") for key in keys}
        for holder in sorted(holders.union(*self._members(self.keys.holders, "SSCAN"))):
            if finding := self._mender.mend_holder(text(holder)):
                yield finding

    # Where ids are

    def _read_places(self) -> None:
        for kind in ("ready:", "held:"):
            for key in sorted({key for keys in self._scan(kind) for key in keys}):
                for ids in self._listed(key):
                    self._places.note(key, ids)
        for sorted_set in (self.keys.scheduled, self.keys.dead):
            for pairs in self._members(sorted_set, "ZSCAN"):
                self._places.note(sorted_set.removeprefix(self.keys.prefix).encode(), pairs[::2])

        for pairs in self._members(self.keys.moved, "HSCAN"):
            self._moved.update(zip(pairs[::2], pairs[1::2], strict=True))

    def _listed(self, key: bytes) -> Iterator[list[bytes]]:
        start = 0
        while ids := self._read("LRANGE", self.keys.prefix.encode() + key, start, start + MAX_IDS - 1):
            yield ids
            start += len(ids)

    def _members(self, key: str, command: str) -> Iterator[list[bytes]]:
        cursor = b"0"
        while True:
            reply = self._read(command, key, cursor, "COUNT", MAX_IDS)
            if not reply:
                return
            cursor, members = reply
            yield members
            if cursor == b"0":
                return

    # Records that do not agree with that

    def _suspect_records(self) -> Iterator[Suspect]:
        for keys in self._scan("job:"):
            for ids in _batched((key.removeprefix(b"job:") for key in keys), MAX_IDS):
                self.looked_at += len(ids)
                yield from self._suspects_among(ids)

    def _suspects_among(self, ids: Sequence[bytes]) -> Iterator[Suspect]:
        prefix = self.keys.job("").encode()
        questions = ("HMGET", "HSTRLEN", "PTTL")
        asked = [
            (what, prefix + job_id, *({"HMGET": FIELDS, "HSTRLEN": ("spec",)}.get(what, ())))
            for job_id in ids
            for what in questions
        ]
        replies = self._transport.trip(asked)
        # Any other refusal of a question is one of the record's: it is of another type.
        checked([reply for reply in replies if isinstance(reply, NoPermissionError)])
        answers = list(zip(*[iter(replies)] * len(questions), strict=True))
        waiting = {
            job_id: size
            for job_id, (fields, size, _) in zip(ids, answers, strict=True)
            if not isinstance(fields, ResponseError) and fields[0] in WAITING and size
        }
        complaints = self._complaints(waiting)
        for job_id, (fields, size, ttl) in zip(ids, answers, strict=True):
            places, left = self._places.pop(job_id), self._moved.pop(job_id, b"0")
            complaint = complaints.get(job_id, ("", ""))
            if (
                complaint[0]
                or isinstance(fields, ResponseError)
                or not _is_in_order(fields, size, ttl, places, left)
            ):
                yield Suspect(job_id, [*places, *_homes(fields)], *complaint)

    def _complaints(self, sizes: dict[bytes, int]) -> dict[bytes, tuple[str, str]]:
        """What keeps which of these jobs from being run, and the digest of the spec that was read."""
        found = {}
        for ids in _by_size(sizes):
            commands = [("HGET", self.keys.job("").encode() + job_id, "spec") for job_id in ids]
            for job_id, spec in zip(ids, self._transport.trip(commands), strict=True):
                if isinstance(spec, bytes) and (complaint := _complaint(job_id, spec)):
                    found[job_id] = (complaint, hashlib.sha1(spec, usedforsecurity=False).hexdigest())
        return found

    def _suspect_leftovers(self) -> Iterator[Suspect]:
        """Ids that were seen somewhere, and their records nowhere."""
        for job_id in {*self._places.rest(), *self._moved}:
            yield Suspect(job_id, self._places.pop(job_id))

    def _groups(self, suspects: Iterable[Suspect]) -> Iterator[list[Suspect]]:
        """As many at a time as their places are short, through all of which a call has to walk."""
        group: list[Suspect] = []
        places: set[bytes] = set()
        for suspect in suspects:
            together = places.union(suspect.places)
            if group and (len(group) == MAX_SUSPECTS or self._places.length(together) > MAX_STEPS):
                yield group
                group, together = [], set(suspect.places)
            group.append(suspect)
            places = together
        if group:
            yield group

    # How it is asked

    def _scan(self, kind: str) -> Iterator[list[bytes]]:
        """The keys of a kind, without the prefix, some at a time; one may come twice."""
        prefix, cursor = self.keys.prefix.encode(), b"0"
        while True:
            cursor, keys = self._read("SCAN", cursor, "MATCH", f"{self.keys.prefix}{kind}*", "COUNT", MAX_IDS)
            yield [key.removeprefix(prefix) for key in keys]
            if cursor == b"0":
                return

    def _read(self, *command: object) -> Any:
        """The reply; None for a key of a wrong type, which has been told already."""
        (reply,) = self._transport.trip([command])
        if isinstance(reply, ResponseError) and "WRONGTYPE" in f"{reply.status_code} {reply}":
            return None
        return checked([reply])[0]


WAITING = (b"pending", b"scheduled")
_STATUSES = {status.value.encode(): status for status in Status}


def _is_in_order(
    fields: list[bytes | None], spec_bytes: int, ttl: int, places: list[bytes], left: bytes
) -> bool:
    """Whether a record agrees with the places of its id, of which so many are left behind in lanes."""
    status = _STATUSES.get(fields[0] or b"")
    lane, holder = fields[1] or b"", fields[2] or b""
    if status is None or not all(
        field is None or (field.isdigit() and len(field) <= 15) for field in fields[3:]
    ):
        return False
    own = {
        Status.PENDING: [b"ready:" + lane],
        Status.PROCESSING: [b"held:" + holder],
        Status.SCHEDULED: [b"scheduled"],
        Status.FAILED: [b"dead"],
        # Its id is dropped before its record may vanish.
        Status.CANCELLED: [b"ready:" + lane] if ttl < 0 else [],
    }.get(status, [])
    if (ttl < 0) != bool(own) or not _are_own_and_left(places, own, left):
        return False
    can_wait = spec_bytes > 0 and re.fullmatch(_LANE, lane) is not None
    return can_wait or status not in (Status.PENDING, Status.SCHEDULED)


def _are_own_and_left(places: list[bytes], own: list[bytes], left: bytes) -> bool:
    """Whether an id is where it should be, once, and besides in so many lanes, of whatever names."""
    others = list(places)
    for place in own:
        if place not in others:
            return False
        others.remove(place)
    return b"%d" % len(others) == left and all(place.startswith(b"ready:") for place in others)


def _homes(fields: Any) -> list[bytes]:
    """The list where a record says that its job is, or was."""
    if isinstance(fields, ResponseError):
        return []
    status, lane, holder = fields[:3]
    if status == b"processing":
        return [b"held:" + holder] if holder else []
    return [b"ready:" + lane] if lane and status in (b"pending", b"cancelled") else []


def _complaint(job_id: bytes, spec: bytes) -> str:
    """As a worker would say it."""
    if not is_id(text(job_id)):
        return "its id is no UUID"
    try:
        read_spec(spec)
    except ValueError as error:
        return str(error)
    return ""


def _type_of(key: bytes) -> str:
    return next((kind for pattern, kind in _TYPES if pattern.fullmatch(key)), "")


def _by_size(sizes: dict[bytes, int]) -> Iterator[list[bytes]]:
    """Ids in groups whose specs together are not too large."""
    group: list[bytes] = []
    total = 0
    for job_id, size in sizes.items():
        if group and total + size > MAX_SPEC_BYTES:
            yield group
            group, total = [], 0
        group.append(job_id)
        total += size
    if group:
        yield group


def _batched(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    items = iter(items)
    return iter(lambda: tuple(islice(items, size)), ())
