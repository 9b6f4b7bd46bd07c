"""As much of a server as a client's calls ask for, in the memory of this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, RLock
from typing import Any

from .. import clock
from ..store.scripts import SCRIPTS, Command, script

Reply = Any
CallOfScript = Callable[["Memory", str, Sequence[Any]], Reply]
"""Takes the prefix of the namespace, and what else ARGV holds."""


@dataclass(slots=True)
class Memory:
    """What the keys hold, by type. Names are text; what a hash holds is bytes, as a server sends it."""

    hashes: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    strings: dict[str, bytes] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, set[str]] = field(default_factory=dict)
    sorted_sets: dict[str, dict[str, float]] = field(default_factory=dict)
    lock_ends: dict[str, float] = field(default_factory=dict)
    """Until when unique keys are taken at the latest, in milliseconds since the epoch."""
    arrivals: list[tuple[str, str]] = field(default_factory=list)
    """Jobs that a call has accepted or brought back, each with the prefix of its namespace."""
    lock: Condition = field(default_factory=lambda: Condition(RLock()))
    """Held by whoever reads or writes; it tells of every push."""

    def push(self, key: str, member: str) -> None:
        """To the end of a list."""
        self.lists.setdefault(key, []).append(member)
        self.lock.notify_all()

    def pop(self, key: str, count: int = 1) -> list[str]:
        """From the begin of a list, as many as there are."""
        members = self.lists.get(key, [])
        popped, members[:] = members[:count], members[count:]
        return popped

    def rank(self, key: str, member: str, score: float) -> None:
        """Into a sorted set."""
        self.sorted_sets.setdefault(key, {})[member] = score

    def unrank(self, key: str, member: str) -> bool:
        """Out of a sorted set; whether it was there."""
        return self.sorted_sets.get(key, {}).pop(member, None) is not None

    def ranked(self, key: str) -> list[str]:
        """A sorted set in its order."""
        scores = self.sorted_sets.get(key, {})
        return sorted(scores, key=lambda member: (scores[member], member))

    def count(self, prefix: str, counter: str, by: int = 1) -> None:
        """Add to a counter of the namespace."""
        counters = self.hashes.setdefault(f"{prefix}stats", {})
        counters[counter.encode()] = b"%d" % (int(counters.get(counter.encode(), 0)) + by)


class MemoryServer:
    """The `Detour` to a `Memory`: answers the commands and scripts that a client sends.

    What it does not know it refuses with `NotImplementedError`: a wrong answer would make a test that proves nothing.
    A command is a line in `COMMANDS`, a script one in ``scripts``.
    """

    def __init__(self, memory: Memory, scripts: Mapping[str, CallOfScript]) -> None:
        self.memory = memory
        self._scripts = {script(name).digest: function for name, function in scripts.items()}

    def trip(self, commands: Sequence[Command]) -> list[Reply]:
        """See `Detour`."""
        with self.memory.lock:
            return [self._answer(*command) for command in commands]

    def block(self, command: Command, seconds: float) -> Reply:
        """See `Detour`."""
        name, key, _ = command
        if name != "BLPOP":
            raise not_known(f"the command {name}")
        with self.memory.lock:
            self.memory.lock.wait_for(lambda: self.memory.lists.get(key), seconds)
            popped = self.memory.pop(key)
        return [key.encode(), popped[0].encode()] if popped else None

    def _answer(self, name: str, *args: Any) -> Reply:
        if name == "EVALSHA":
            return self._call_script(*args)
        if name not in COMMANDS:
            raise not_known(f"the command {name}")
        return COMMANDS[name](self.memory, *args)

    def _call_script(self, digest: str, number_of_keys: int, *words: Any) -> Reply:
        if digest not in self._scripts:
            raise not_known(f"the script {_name_of(digest)}")
        prefix = words[0].partition("}:")[0] + "}:"
        args = [word for word in words[number_of_keys:] if word != prefix]
        return self._scripts[digest](self.memory, prefix, args)


def not_known(what: str) -> NotImplementedError:
    """What to raise for something that only a server can do."""
    return NotImplementedError(
        f"bananasd.testing does not know {what}; test this with a real server: a daemon brings its own"
    )


def _name_of(digest: str) -> str:
    names = (path.name.removesuffix(".lua") for path in SCRIPTS.iterdir() if path.name.endswith(".lua"))
    return next((name for name in names if script(name).digest == digest), digest)


def _hgetall(memory: Memory, key: str) -> list[bytes]:
    return [word for pair in memory.hashes.get(key, {}).items() for word in pair]


def _lindex(memory: Memory, key: str, index: int) -> bytes | None:
    members = memory.lists.get(key, [])[index:]
    return members[0].encode() if members else None


def _zrange(memory: Memory, key: str, first: int, last: int, *options: str) -> list[bytes]:
    members = _between(memory.ranked(key), first, last)
    if "WITHSCORES" not in options:
        return members
    scores = memory.sorted_sets.get(key, {})
    return [word for member in members for word in (member, str(scores[member.decode()]).encode())]


def _between(members: list[str], first: int, last: int) -> list[bytes]:
    return [member.encode() for member in members[first : None if last == -1 else last + 1]]


def _time(_memory: Memory) -> list[bytes]:
    now_ms = clock.now_ms()
    return [b"%d" % (now_ms // 1000), b"%d" % (now_ms % 1000 * 1000)]


COMMANDS: dict[str, Callable[..., Reply]] = {
    "PING": lambda _: b"PONG",
    "TIME": _time,
    "GET": lambda memory, key: memory.strings.get(key),
    "HGET": lambda memory, key, name: memory.hashes.get(key, {}).get(name.encode()),
    "HGETALL": _hgetall,
    "LLEN": lambda memory, key: len(memory.lists.get(key, ())),
    "HMGET": lambda memory, key, *names: [memory.hashes.get(key, {}).get(name.encode()) for name in names],
    "LINDEX": _lindex,
    "LRANGE": lambda memory, key, first, last: _between(memory.lists.get(key, []), first, last),
    "LPOP": lambda memory, key, count: [member.encode() for member in memory.pop(key, count)] or None,
    "SMEMBERS": lambda memory, key: [member.encode() for member in memory.sets.get(key, ())],
    "ZCARD": lambda memory, key: len(memory.sorted_sets.get(key, ())),
    "ZRANGE": _zrange,
    "ZREVRANGE": lambda memory, key, first, last: _between(memory.ranked(key)[::-1], first, last),
}
