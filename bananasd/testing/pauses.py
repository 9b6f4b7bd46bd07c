"""Queues of a `Memory` that no job is claimed from for a while."""

from collections.abc import Sequence
from math import inf
from typing import Any

from .. import clock
from ..store.keys import EVERYTHING
from .memory import Memory


def pause(memory: Memory, prefix: str, args: Sequence[Any]) -> int:
    """Let no job of a queue begin, or of any."""
    queue, ms = args
    memory.rank(f"{prefix}paused", queue, inf if ms == "" else clock.now_ms() + ms)
    return 1


def resume(memory: Memory, prefix: str, args: Sequence[str]) -> int:
    """End a pause; whether there was one."""
    was_paused = is_paused(memory, prefix, args[0])
    memory.unrank(f"{prefix}paused", args[0])
    return int(was_paused)


def is_shut(memory: Memory, prefix: str, lane: str) -> bool:
    """Whether no job of a lane may begin."""
    return any(is_paused(memory, prefix, name) for name in (lane.partition(":")[0], EVERYTHING))


def is_paused(memory: Memory, prefix: str, name: str) -> bool:
    """Whether this very pause is there, and not over."""
    return memory.sorted_sets.get(f"{prefix}paused", {}).get(name, 0) > clock.now_ms()
