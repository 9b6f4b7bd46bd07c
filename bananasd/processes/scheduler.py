"""The scheduler: everything that happens by the clock, as a table of duties, each of them idempotent."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from .. import clock
from ..errors import ConnectionFailed, ServerRefused
from ..store import health
from ..store.access import Access, WakeUp
from . import exits
from .board import Board, Kind, Phase, Row, State, Word
from .child import ATTENTION
from .inbox import Inbox
from .outage import Outage
from .recovery import Recoverer, Terms

RECOVER_SECONDS = 1.0
RECOVER_AGAIN_SECONDS = 0.1
PROMOTE_SECONDS = 1.0
TRIM_SECONDS = 60.0
MAX_WAIT_SECONDS = 1.0
MIN_WAIT_SECONDS = 0.001

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """How often the node says that it lives, and for how long that is believed."""

    beat_seconds: float
    lease_seconds: float

    @property
    def lease_ms(self) -> int:
        """The lease as the store has it."""
        return int(self.lease_seconds * 1000)


@dataclass(slots=True)
class Duty:
    """Something to do every so often. It returns when it wants to be called again, None for the usual pause."""

    every_seconds: float
    do: Callable[[], float | None]
    due_at: float = 0.0

    def run(self) -> None:
        """Do it, and note when it is due again; a failure leaves it due."""
        pause = self.do()
        self.due_at = clock.deadline_in(
            self.every_seconds if pause is None else min(pause, self.every_seconds)
        )


class Scheduler:
    """Beats, recovers, promotes and trims, one duty after the other."""

    def __init__(
        self,
        row: Row,
        board: Board,
        access: Access,
        times: Times,
        max_recoveries: int,
        about: dict[str, object],
    ) -> None:
        self._row = row
        self._board = board
        self._times = times
        self._about = about
        self._is_examined = False
        # The beat must not wait behind a duty's reply that never comes, nor behind a blocking wait.
        self._beat_connection = access.connect()
        self._beat_store = access.store(self._beat_connection)
        self._store = access.store()
        self._wake_up = WakeUp(access.connect(), access.namespace)
        self._recoverer = Recoverer(self._store, board, Terms(times.lease_ms, max_recoveries))
        self._outage = Outage()
        self._resume_at = 0.0
        self._beat = Duty(times.beat_seconds, self._do_beat)
        self._recover = Duty(RECOVER_SECONDS, self._do_recover)
        self._promote = Duty(PROMOTE_SECONDS, self._do_promote)
        self._trim = Duty(TRIM_SECONDS, self._do_trim)
        self._duties = [self._beat, self._recover, self._promote, self._trim]

    def run(self) -> int:
        """Do what is due until the master says that all workers are gone; return the exit status."""
        self._inbox = Inbox([signal.SIGTERM, ATTENTION])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._row.state = State.UP
        while True:
            self._row.words[Word.TICK_NS] = clock.monotonic_ns()
            status = self._turn()
            if status is not None:
                self._row.state = State.LEFT
                return status

    def _turn(self) -> int | None:
        try:
            if clock.monotonic() >= self._resume_at:
                problems = self._examine_server()
                if problems:
                    return exits.CONFIG
                self._do_what_is_due()
            if self._board.phase is Phase.LEAVING:
                return self._leave()
            if self._read_signals():
                return 0
            self._wait()
        except ConnectionFailed as error:
            self._lose_server(error)
        return None

    def _read_signals(self) -> bool:
        """Whether to end: an operator's TERM is obeyed, one that came with the daemon's own drain is not."""
        signums = self._inbox.take()
        if ATTENTION in signums:
            self._recover.due_at = 0.0
        return signal.SIGTERM in signums and self._board.phase is Phase.RUNNING

    def _lose_server(self, error: ConnectionFailed) -> None:
        self._wake_up.close()
        # The first duty of the next try: it tells whether the server is back.
        self._beat.due_at = 0.0
        seconds = self._outage.note_failure(error)
        self._resume_at = clock.deadline_in(seconds)
        if seconds:
            self._inbox.wait(seconds)

    def _examine_server(self) -> list[str]:
        """Once: is the server fit to keep jobs?"""
        if self._is_examined:
            return []
        try:
            report = health.examine(self._beat_connection)
        except ServerRefused as error:
            logger.warning("server not examined: %s", error)
            report = health.Health("unknown", [], [])
        self._is_examined = True
        for warning in report.warnings:
            logger.warning("server %s: %s", report.version, warning)
        for problem in report.problems:
            logger.critical("server unfit %s: %s", report.version, problem)
        return report.problems

    def _do_what_is_due(self) -> None:
        for duty in self._duties:
            if clock.monotonic() >= duty.due_at:
                duty.run()
                self._row.words[Word.TICK_NS] = clock.monotonic_ns()
                self._outage.note_success()

    def _wait(self) -> None:
        """Until something is due, a signal arrives, or an earlier due time is scheduled."""
        due_at = min(duty.due_at for duty in self._duties)
        seconds = min(MAX_WAIT_SECONDS, clock.remaining(due_at))
        if seconds > MIN_WAIT_SECONDS and self._wake_up.wait_for_schedule(seconds, self._inbox.fileno()):
            self._promote.due_at = 0.0

    # Duties

    def _do_beat(self) -> None:
        armed = self._armed_rows()
        gone = self._beat_store.beat(
            self._board.node,
            self._times.lease_ms,
            orjson.dumps(self._about | {"children": self._children()}),
            list(armed),
        )
        for holder in gone:
            row, job = armed[holder]
            row.words[Word.LOST] = job

    def _do_recover(self) -> float | None:
        return RECOVER_AGAIN_SECONDS if self._recoverer.recover_all() else None

    def _do_promote(self) -> float | None:
        moved, next_ms = self._store.promote()
        if moved:
            logger.debug("jobs promoted jobs=%d", moved)
        return None if next_ms is None else next_ms / 1000

    def _do_trim(self) -> float | None:
        for_age, for_number, nodes = self._store.trim()
        if for_age or for_number:
            logger.warning("dead letters trimmed for_age=%d for_number=%d", for_age, for_number)
        if nodes:
            logger.info("nodes forgotten nodes=%d", nodes)
        return 0.0 if for_age or for_number else None

    def _armed_rows(self) -> dict[str, tuple[Row, int]]:
        """The holders whose jobs are running right now, with the job's number."""
        armed = {}
        for row in self._board.used_rows():
            number, holder = row.words[Word.ARMED], row.holder(self._board.node)
            # Looked at again: the number and the trip must belong together.
            if number and row.is_living and row.words[Word.ARMED] == number:
                armed[holder] = (row, number)
        return armed

    def _children(self) -> list[dict[str, object]]:
        return [
            {
                "slot": row.slot_name,
                "pid": row.words[Word.PID],
                "state": row.state.name.lower(),
                "job": job and {"id": job.job_id, "name": job.name},
            }
            for row in self._board.used_rows()
            for job in [row.job() if row.kind is Kind.WORKER else None]
        ]

    # The end

    def _leave(self) -> int:
        """All workers are gone: put back what they held, take the node off the list, and the board away."""
        self._recoverer.recover_own()
        self._store.leave(self._board.node)
        self._board.delete()
        return 0
