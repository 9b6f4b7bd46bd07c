"""What there is to know of a job of a `Memory`, as the script tells it. No node serves a lane there."""

from collections.abc import Sequence
from typing import Any

from .. import clock
from .memory import COMMANDS, Memory
from .pauses import is_paused


def tell_facts(memory: Memory, prefix: str, args: Sequence[Any]) -> list[Any]:
    """See the script ``explain``."""
    job_id = args[0]
    record = memory.hashes.get(f"{prefix}job:{job_id}", {})
    now, words = clock.now_ms(), COMMANDS["HGETALL"](memory, f"{prefix}job:{job_id}")
    if not record:
        return [now, words]
    queue, _, priority = record[b"lane"].decode().partition(":")
    higher = ("high", "normal", "low")[: ("high", "normal", "low").index(priority)]
    lane = memory.lists.get(f"{prefix}ready:{queue}:{priority}", [])
    is_held = record[b"status"] == b"processing"
    return [
        now,
        words,
        lane.index(job_id) if record[b"status"] == b"pending" and job_id in lane else -1,
        0 if is_held else -1,
        len(lane),
        sum(len(memory.lists.get(f"{prefix}ready:{queue}:{name}", [])) for name in higher),
        int(is_held),
        int(job_id in memory.sorted_sets.get(f"{prefix}scheduled", {})),
        *(_end(memory, prefix, name) for name in (queue, "*")),
        0,
        COMMANDS["HGETALL"](memory, f"{prefix}stats"),
        *(_home(record[b"holder"], now) if is_held else ()),
    ]


def _home(holder: bytes, now: int) -> tuple[bytes, bytes, list[bytes]]:
    """The node of a holder, which is this process: its lease does not end."""
    return holder.rpartition(b"/")[0], b"%d" % (now + 1), []


def _end(memory: Memory, prefix: str, name: str) -> bytes:
    if not is_paused(memory, prefix, name):
        return b""
    return str(memory.sorted_sets[f"{prefix}paused"][name]).encode()
