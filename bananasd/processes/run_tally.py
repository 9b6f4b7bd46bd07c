"""What a worker counts of its runs: by handler how they went, by lane how long jobs had waited."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Self

from ..store.outcomes import Buried, Released, Retried
from .row import Reason
from .tally import COMPLETED, FAILED, INTERRUPTS_AT, OUTCOMES, OUTCOMES_AT, WAIT, Histogram, Tally

MAX_WAIT_MS = 10 * 365 * 86_400_000
"""A time that somebody has made up must not spoil the sum of all others."""

_WORDS = {
    kind: OUTCOMES_AT + OUTCOMES.index(name)
    for kind, name in ((Retried, "retried"), (Buried, "dead"), (Released, "released"))
}


class HandlerTally:
    """One handler's runs."""

    __slots__ = ("_words", "completed", "failed")

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self.completed, self.failed = Histogram(words, COMPLETED), Histogram(words, FAILED)

    def note(self, outcome: Retried | Buried | Released) -> None:
        """A run, or a job for which no handler was called, has come to this end."""
        self._words[_WORDS[type(outcome)]] += 1

    def note_interrupt(self, reason: Reason) -> None:
        """A run was broken into."""
        self._words[INTERRUPTS_AT + reason - 1] += 1


class RunTally:
    """The tallies of the handlers that a worker has, of "" for jobs for which it has none, and of its lanes.

    What there is of every job is only put down in lists, and counted once a batch: a worker that is killed in a batch
    has not told the server of its outcomes either.
    """

    def __init__(self, tally: Tally, handlers: Collection[str], lanes: Collection[str]) -> None:
        self._handlers = {name: HandlerTally(tally.handler(name)) for name in ("", *handlers)}
        self._lanes = {name: Histogram(tally.lane(name), WAIT) for name in lanes}
        self.took_ns: defaultdict[str, list[int]] = defaultdict(list)
        """By handler, how long each run took that completed."""
        self.since_ms: defaultdict[str, list[Any]] = defaultdict(list)
        """By lane, since when each job had waited, as its record says it."""

    @classmethod
    def of_nobody(cls, handlers: Collection[str]) -> Self:
        """One that nobody reads."""
        return cls(Tally.of_nobody(1 + len(handlers)), handlers, ())

    def note(self, name: str, outcome: Retried | Buried | Released, took_ns: int) -> None:
        """A run has come to this end; one that completed is in ``took_ns``."""
        self._handlers[name].failed.note(took_ns)
        self._handlers[name].note(outcome)

    def note_interrupt(self, name: str, reason: Reason) -> None:
        """A run was broken into."""
        self._handlers[name].note_interrupt(reason)

    def note_without_handler(self, outcome: Retried | Buried) -> None:
        """No handler was called."""
        self._handlers[""].note(outcome)

    def count(self, started_ms: int) -> None:
        """Count what was put down of a batch; it was claimed at that instant, by the server's clock."""
        for name, took_ns in self.took_ns.items():
            self._handlers[name].completed.note_all(took_ns)
        self.took_ns.clear()
        for name, since_ms in self.since_ms.items():
            if name in self._lanes:
                _count_waits(self._lanes[name], since_ms, started_ms)
        self.since_ms.clear()


def _count_waits(waits: Histogram, since_ms: list[Any], started_ms: int) -> None:
    if set(map(type, since_ms)) != {int}:
        since_ms = [since for since in since_ms if type(since) is int]
    if not since_ms:
        return
    least, most = started_ms - max(since_ms), started_ms - min(since_ms)
    if least >= 0 and most <= MAX_WAIT_MS and waits.is_one_bucket(least, most):
        waits.add(most, len(since_ms), len(since_ms) * started_ms - sum(since_ms))
    else:
        # A client's clock may be ahead of the server's.
        waits.note_all([min(max(0, started_ms - since), MAX_WAIT_MS) for since in since_ms])
