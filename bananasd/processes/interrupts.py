"""Breaking into jobs that are out of time, have lost their lease, or are in the way of a drain."""

import logging
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from . import procfs
from .child import ATTENTION
from .row import Cause, Reason, Row, Word

REPEAT_SECONDS = 1.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Asked:
    """A job that has been told to stop, when, and when last."""

    job: int
    reason: Reason
    since: float
    repeated: float


class Interrupter:
    """Watches the workers' rows. Acts on a job only while its number is the armed one: never on its successor."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._ending: dict[int, tuple[int, float]] = {}

    def watch(self, rows: Iterable[Row], now: float, grace_seconds: float, *, is_draining: bool) -> None:
        """Interrupt what has to end; kill what was asked ``grace_seconds`` ago and did not."""
        asked, ending = {}, {}
        for row in rows:
            armed = row.words[Word.ARMED]
            reason = _reason(row, armed, now, is_draining) if armed else None
            if reason is not None:
                asked[row.generation] = self._pursue(row, armed, reason, now, grace_seconds)
            elif not armed and 0 != row.words[Word.JOB] != row.words[Word.ENDED]:
                ending[row.generation] = self._pursue_ending(row, now, grace_seconds)
        self._asked, self._ending = asked, ending

    def _pursue(self, row: Row, armed: int, reason: Reason, now: float, grace_seconds: float) -> _Asked:
        asked = self._asked.get(row.generation)
        if asked is None or asked.job != armed:
            _interrupt(row, armed, reason)
            return _Asked(armed, reason, now, now)
        # The first reason stands: what was asked to go for a drain is not killed for a deadline that came later.
        if now - asked.since >= grace_seconds and asked.reason is not Reason.DRAIN:
            _kill_for(row, armed, Cause.LEASE_LOST if asked.reason is Reason.LEASE_LOST else Cause.TIME)
        elif now - asked.repeated >= REPEAT_SECONDS:
            _interrupt(row, armed, asked.reason)
            asked.repeated = now
        return asked

    def _pursue_ending(self, row: Row, now: float, grace_seconds: float) -> tuple[int, float]:
        """Its handler has ended, but what that left, an exception's text for one, has code of its own to run."""
        job = row.words[Word.JOB]
        number, since = self._ending.get(row.generation, (job, now))
        if number != job:
            return job, now
        if now - since >= grace_seconds:
            _kill_for(row, job, Cause.HUNG)
        return number, since


def kill(row: Row, cause: Cause) -> None:
    """SIGKILL to the child and all that it started; the row says why, for whoever recovers its jobs."""
    _kill(row, cause, row.words[Word.JOB])


def _reason(row: Row, armed: int, now: float, is_draining: bool) -> Reason | None:
    if row.words[Word.LOST] == armed:
        return Reason.LEASE_LOST
    deadline = row.words[Word.DEADLINE_NS]
    # The armed number again: a deadline that belongs to the next job must not be taken for this one's.
    if deadline and now * 1e9 >= deadline and row.words[Word.ARMED] == armed:
        return Reason.TIMEOUT
    return Reason.DRAIN if is_draining else None


def _interrupt(row: Row, armed: int, reason: Reason) -> None:
    row.words[Word.REASON] = reason
    row.words[Word.INTERRUPT] = armed
    procfs.send(row.words[Word.PID], ATTENTION)


def _kill_for(row: Row, job: int, cause: Cause) -> None:
    is_hanging = cause is Cause.HUNG
    is_over = row.words[Word.ENDED] == job if is_hanging else row.words[Word.ARMED] != job
    if is_over or row.words[Word.CAUSE] != Cause.NONE:
        return  # it was just done, or has been killed already
    logger.warning("worker killed slot=%r pid=%d cause=%s: %s", row.slot_name, row.words[Word.PID], cause.name.lower(),
                   "what its handler left hangs" if is_hanging else "its job ignored the interrupt")  # fmt: skip
    _kill(row, cause, job)


def _kill(row: Row, cause: Cause, job: int) -> None:
    # The first cause stands: what was killed for its time is not put back for a drain that came just then.
    if row.words[Word.CAUSE] == Cause.NONE:
        row.words[Word.CAUSE_JOB] = job
        row.words[Word.CAUSE] = cause
    procfs.kill_group(row.words[Word.PID])
    # Its own group is not the one, if a handler has moved it to another.
    procfs.send(row.words[Word.PID], signal.SIGKILL)
