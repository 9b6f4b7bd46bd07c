"""Schedules of a `Memory`: they are kept, and tell when they are due next, but nothing fires them."""

from collections.abc import Sequence
from typing import Any

from .. import clock
from ..store.schedules import MAX_SCHEDULES
from .memory import Memory

Table = dict[bytes, bytes]


def put_schedules(memory: Memory, prefix: str, args: Sequence[Any]) -> list[bytes]:
    """Put, change and remove the schedules of a client, the only source that a test has."""
    _source, _is_all, _most, *pairs = args
    told = []
    for name, definition in zip(pairs[::2], pairs[1::2], strict=True):
        found = _put(memory, prefix, name.encode(), definition)
        told += [name.encode(), found] if found else []
    return told


def remove_schedule(memory: Memory, prefix: str, args: Sequence[str]) -> int:
    """Remove a schedule; whether there was one."""
    _fired(memory, prefix).pop(args[0].encode(), None)
    return int(_schedules(memory, prefix).pop(args[0].encode(), None) is not None)


def read_schedules(memory: Memory, prefix: str, _args: Sequence[str]) -> list[Any]:
    """Every schedule with its last slot."""
    fired = _fired(memory, prefix)
    reply: list[Any] = [clock.now_ms(), b"1"]
    for name, definition in _schedules(memory, prefix).items():
        reply += [name, definition, int(fired[name])]
    return reply


def _put(memory: Memory, prefix: str, name: bytes, definition: bytes) -> bytes | None:
    """What became of it; None for what was so already."""
    schedules = _schedules(memory, prefix)
    if schedules.get(name) == definition:
        return None
    if name not in schedules and len(schedules) >= MAX_SCHEDULES:
        return b"full"
    schedules[name] = definition
    _fired(memory, prefix)[name] = b"%d" % clock.now_ms()
    return b"put"


def _schedules(memory: Memory, prefix: str) -> Table:
    return memory.hashes.setdefault(f"{prefix}schedules", {})


def _fired(memory: Memory, prefix: str) -> Table:
    return memory.hashes.setdefault(f"{prefix}fired", {})
