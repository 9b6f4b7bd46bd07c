"""The store's part for schedules: the calls that put, read and fire them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .calls import Call, run_calls, text
from .connection import Transport
from .keys import keys_of
from .scripts import script
from .store import MAX_PROMOTED

MAX_SCHEDULES = 1000
"""How many a namespace may have: they are read all at once."""


class Entry(NamedTuple):
    """A schedule as it is kept, and its last slot."""

    name: str
    definition: bytes
    last_ms: int


class Reading(NamedTuple):
    """What there is; ``entries`` is None if nothing has changed since the version that was known."""

    now_ms: int
    version: str
    entries: list[Entry] | None


class Slot(NamedTuple):
    """A slot to fire, and the job that it makes; without a spec (b"") it passes and makes none."""

    name: str
    slot_ms: int
    definition: bytes
    job_id: str
    spec: bytes
    lane: str


class ScheduleStore:
    """The schedules of a namespace. Errors and repeats as with `Store`."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.keys = keys_of(namespace)
        self._transport = transport

    def put(
        self, source: str, definitions: Mapping[str, bytes], *, is_all: bool = False
    ) -> list[tuple[str, str]]:
        """Put schedules of a source, by name (b"": remove it); ``is_all``: remove the others of this source.

        Returns what became of which: "put", "removed", "kept" (it belongs to a higher source), "full". What was as it
        should be is not told.
        """
        pairs = [word for pair in definitions.items() for word in pair]
        args = (source, "1" if is_all else "", MAX_SCHEDULES, *pairs)
        words = list(map(text, self._run(self._call("put_schedules", args, self.keys.wake_scheduled))))
        return list(zip(words[::2], words[1::2], strict=True))

    def remove(self, name: str) -> bool:
        """Remove a schedule; False if there is none of that name."""
        return bool(self._run(self._call("remove_schedule", (name,), self.keys.wake_scheduled)))

    def read(self) -> Reading:
        """Every schedule."""
        return _reading(self._run(self._call("read_schedules", ("",))), "")

    def promote_and_read(
        self, version: str, limit: int = MAX_PROMOTED, *, more: Sequence[Call] = ()
    ) -> tuple[tuple[int, int | None], Reading, list[Any]]:
        """See `Store.promote`; and the schedules, if they are of another version than this: both in one trip.

        What ``more`` is called in it comes last, as the server replied.
        """
        promote = Call(script("promote"), [self.keys.scheduled], (self.keys.prefix, limit))
        (moved, next_ms), reply, *others = run_calls(
            self._transport, [promote, self._call("read_schedules", (version,)), *more]
        )
        return (moved, None if next_ms < 0 else next_ms), _reading(reply, version), others

    def fire(self, slots: Sequence[Slot]) -> list[tuple[str, int]]:
        """Fire slots in one trip; for each what came of it (docs/protocol.md) and the server's now."""
        replies = run_calls(self._transport, [self._fire(slot) for slot in slots])
        return [(text(what), now_ms) for what, now_ms in replies]

    def _fire(self, slot: Slot) -> Call:
        digest = hashlib.sha1(slot.definition, usedforsecurity=False).hexdigest()
        args = (self.keys.prefix, slot.name, slot.slot_ms, digest, slot.job_id, slot.spec, slot.lane)
        return self._call("fire", args)

    def _call(self, name: str, args: Sequence[Any], *more_keys: str) -> Call:
        return Call(script(name), [self.keys.schedules, self.keys.fired, *more_keys], args)

    def _run(self, call: Call) -> Any:
        return run_calls(self._transport, [call])[0]


def _reading(reply: list[Any], known: str) -> Reading:
    now_ms, version, *words = reply
    if text(version) == known:
        return Reading(now_ms, known, None)
    triples = zip(*[iter(words)] * 3, strict=True)
    return Reading(now_ms, text(version), [Entry(text(name), *rest) for name, *rest in triples])
