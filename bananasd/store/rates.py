"""How fast jobs go: what the counters say now beside what they said a while ago, as live nodes have kept it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .calls import text

MIN_WINDOW_MS, MAX_WINDOW_MS = 1_000, 60_000
"""Over less than a second a rate is luck; what is older is no present rate."""

MAX_DIGITS = 19
"""Of a 64-bit number: Redis counts no further."""


class Counted(NamedTuple):
    """What the counters said at an instant, by the server's clock."""

    at_ms: int
    counters: Mapping[str, int]


def read_counted(row: Mapping[bytes, bytes]) -> tuple[Counted, ...]:
    """What a node keeps in its row, as `beat` wrote it."""
    kept = (_read(row.get(field, b"")) for field in (b"counted_before", b"counted"))
    return tuple(counted for counted in kept if counted)


def _read(words: bytes) -> Counted | None:
    at, *pairs = words.split() or [b""]
    try:
        counters = {name.decode(): int(count) for name, count in zip(pairs[::2], pairs[1::2], strict=True)}
        return Counted(int(at), counters)
    except ValueError:  # written by nobody of ours
        return None


def numbers_in(counters: Mapping[bytes, bytes]) -> dict[str, int]:
    """The counters as the server holds them; one that somebody has made no number, or no 64-bit one, is left out."""
    return {
        text(name): int(count)
        for name, count in counters.items()
        if len(count) <= MAX_DIGITS and count.isdigit()
    }


def rates(now: Counted, kept: Iterable[Counted]) -> dict[str, float]:
    """A second, by counter: since the longest time ago, within a minute, of which anything is kept. Empty if nothing is."""
    fit = [one for one in kept if MIN_WINDOW_MS <= now.at_ms - one.at_ms <= MAX_WINDOW_MS]
    return rates_between(min(fit, key=lambda one: one.at_ms), now) if fit else {}


def rates_between(before: Counted, now: Counted) -> dict[str, float]:
    """A second, by counter. One that was set back meanwhile has none."""
    seconds = (now.at_ms - before.at_ms) / 1000
    gained = {name: count - before.counters.get(name, 0) for name, count in now.counters.items()}
    return {name: more / seconds for name, more in gained.items() if more >= 0 and seconds > 0}


def ended_per_second(by_counter: Mapping[str, float]) -> float:
    """How many runs come to an end a second, whatever end that is."""
    return sum(by_counter.get(name, 0.0) for name in ("completed", "retried", "dead"))
