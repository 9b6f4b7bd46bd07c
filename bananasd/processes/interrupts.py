"""Breaking into jobs that are out of time, were cancelled, have lost their lease, or are in the way of a drain."""

import logging
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from . import procfs
from .child import ATTENTION
from .row import Cause, Reason, Row, Word

REPEAT_SECONDS = 1.0
CANCEL_SECONDS = 1.0
"""For how long a job that was cancelled may see ``should_stop`` before it is interrupted."""

_CAUSES = {Reason.LEASE_LOST: Cause.LEASE_LOST, Reason.CANCEL: Cause.CANCELLED, Reason.TIMEOUT: Cause.TIME}

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Asked:
    """A job that has been told to stop, when, and when last."""

    job: int
    reason: Reason
    since: float
    repeated: float


class _Seen(NamedTuple):
    """A job, and when something was first seen of it."""

    job: int
    since: float


class Interrupter:
    """Watches the workers' rows. Acts on a job only while its number is the armed one: never on its successor."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._ending: dict[int, _Seen] = {}
        self._cancelled: dict[int, _Seen] = {}

    def watch(self, rows: Iterable[Row], now: float, grace_seconds: float, *, is_draining: bool) -> None:
        """Interrupt what has to end; kill what was asked ``grace_seconds`` ago and did not."""
        asked, ending, cancelled = {}, {}, {}
        for row in rows:
            armed, generation = row.words[Word.ARMED], row.generation
            if row.is_cancelled(armed):
                cancelled[generation] = self._note_cancelled(row, armed, now)
            reason = _reason(row, armed, now, cancelled.get(generation), is_draining) if armed else None
            if armed and row.is_cancelled_hard(armed):
                _kill_for(row, armed, Cause.CANCELLED)
            elif reason is not None:
                asked[generation] = self._pursue(row, armed, reason, now, grace_seconds)
            elif not armed and 0 != row.words[Word.JOB] != row.words[Word.ENDED]:
                ending[generation] = self._pursue_ending(row, now, grace_seconds)
        self._asked, self._ending, self._cancelled = asked, ending, cancelled

    def _note_cancelled(self, row: Row, armed: int, now: float) -> _Seen:
        seen = self._cancelled.get(row.generation)
        return seen if seen is not None and seen.job == armed else _Seen(armed, now)

    def _pursue(self, row: Row, armed: int, reason: Reason, now: float, grace_seconds: float) -> _Asked:
        asked = self._asked.get(row.generation)
        if asked is None or asked.job != armed:
            _interrupt(row, armed, reason)
            return _Asked(armed, reason, now, now)
        # The first reason stands: what was asked to go for a drain is not killed for a deadline that came later.
        if now - asked.since >= grace_seconds and asked.reason is not Reason.DRAIN:
            _kill_for(row, armed, _CAUSES[asked.reason])
        elif now - asked.repeated >= REPEAT_SECONDS:
            _interrupt(row, armed, asked.reason)
            asked.repeated = now
        return asked

    def _pursue_ending(self, row: Row, now: float, grace_seconds: float) -> _Seen:
        """Its handler has ended, but what that left, an exception's text for one, has code of its own to run."""
        job = row.words[Word.JOB]
        seen = self._ending.get(row.generation)
        if seen is None or seen.job != job:
            return _Seen(job, now)
        if now - seen.since >= grace_seconds:
            _kill_for(row, job, Cause.HUNG)
        return seen


def kill(row: Row, cause: Cause) -> None:
    """SIGKILL to the child and all that it started; the row says why, for whoever recovers its jobs."""
    _kill(row, cause, row.words[Word.JOB])


def _reason(row: Row, armed: int, now: float, cancelled: _Seen | None, is_draining: bool) -> Reason | None:
    if row.words[Word.LOST] == armed:
        return Reason.LEASE_LOST
    if cancelled is not None and now - cancelled.since >= CANCEL_SECONDS:
        return Reason.CANCEL
    if _is_late(row, armed, now):
        return Reason.TIMEOUT
    return Reason.DRAIN if is_draining else None


def _is_late(row: Row, armed: int, now: float) -> bool:
    deadline = row.words[Word.DEADLINE_NS]
    # The armed number again: a deadline that belongs to the next job must not be taken for this one's.
    return deadline != 0 and now * 1e9 >= deadline and row.words[Word.ARMED] == armed


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
                   _why(row, job, cause))  # fmt: skip
    _kill(row, cause, job)


def _why(row: Row, job: int, cause: Cause) -> str:
    if cause is Cause.HUNG:
        return "what its handler left, or a hook, hangs"
    is_hard = cause is Cause.CANCELLED and row.is_cancelled_hard(job)
    return "its job was cancelled, hard" if is_hard else "its job ignored the interrupt"


def _kill(row: Row, cause: Cause, job: int) -> None:
    # The first cause stands: what was killed for its time is not put back for a drain that came just then.
    if row.words[Word.CAUSE] == Cause.NONE:
        row.words[Word.CAUSE_JOB] = job
        row.words[Word.CAUSE] = cause
    procfs.kill_group(row.words[Word.PID])
    # Its own group is not the one, if a handler has moved it to another.
    procfs.send(row.words[Word.PID], signal.SIGKILL)
