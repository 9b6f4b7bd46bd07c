"""The scheduler: everything that happens by the clock, as a table of duties, each of them idempotent."""

import logging
import signal
from collections.abc import Sequence

from .. import clock
from ..errors import ConnectionFailed, ServerRefused
from ..schedule import Schedule
from ..store import health
from ..store.access import Access, WakeUp
from . import exits
from .beat import About, Beater
from .board import Board, Head, Phase
from .child import ATTENTION
from .duty import Duty
from .firing import Firing
from .inbox import Inbox
from .orders import Orders
from .outage import Outage
from .publication import Publication, Silence
from .recovery import Recoverer, Terms
from .row import Row, State, Word
from .tally import LAG, TRIP, Figure, Tally

RECOVER_SECONDS = 1.0
RECOVER_AGAIN_SECONDS = 0.1
PROMOTE_SECONDS = 1.0
FIRE_SECONDS = 1.0
TRIM_SECONDS = 60.0
MAX_WAIT_SECONDS = 1.0
MIN_WAIT_SECONDS = 0.001

logger = logging.getLogger(__name__)


class Scheduler:
    """Beats, recovers, promotes, fires and trims, one duty after the other.

    ``schedules`` are those of the configuration; None: it says nothing of them.
    """

    def __init__(
        self,
        row: Row,
        board: Board,
        access: Access,
        beat_seconds: float,
        terms: Terms,
        about: About,
        schedules: Sequence[Schedule] | None = None,
    ) -> None:
        self._row = row
        self._board = board
        self._tally = board.tallies.of_row(row) if board.tallies else Tally.of_nobody()
        self._trips = self._tally.histogram(TRIP)
        # The beat's own: it must not find a connection on which a duty's reply is still to come.
        self._connection = access.connect()
        self._other_connection = access.connect()
        self._store = access.store(self._other_connection)
        self._wake_up = WakeUp(access.connect(), access.namespace)
        self._recoverer = Recoverer(self._store, board, terms, self._stay_alive, self._tally)
        self._schedules = access.schedules(self._other_connection)
        self._firing = Firing(self._schedules, self._tally.histogram(LAG))
        self._orders = Orders(board, access.namespace)
        self._publication = Silence() if schedules is None else Publication.of_configuration(schedules)
        self._outage = Outage(row)
        self._resume_at = 0.0
        self._is_examined = False
        self._beater = Beater(access.store(self._connection), board, terms.lease_ms, about)
        self._beat = Duty(beat_seconds, self._do_beat)
        self._recover = Duty(RECOVER_SECONDS, self._do_recover)
        self._promote = Duty(PROMOTE_SECONDS, self._do_promote)
        self._fire = Duty(FIRE_SECONDS, self._do_fire)
        trim = Duty(TRIM_SECONDS, self._do_trim)
        self._duties = [self._beat, self._recover, self._promote, self._fire, trim]

    def run(self) -> int:
        """Do what is due until the master says that all workers are gone; return the exit status."""
        self._inbox = Inbox([signal.SIGTERM, ATTENTION])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._show_life()
        self._row.state = State.UP
        status = None
        while status is None:
            self._show_life()
            status = self._turn()
        self._recoverer.tell_again(at_once=True)
        self._row.state = State.LEFT
        return status

    def _turn(self) -> int | None:
        """One round; the exit status if it was the last."""
        # No time to wait but in an outage, until the next try.
        if self._is_told_to_end(clock.remaining(self._resume_at)):
            return 0
        if clock.remaining(self._resume_at):
            return None
        # Again after the wait: the master allows for the time of one try and little more.
        self._show_life()
        try:
            return self._work()
        except ConnectionFailed as error:
            self._lose_server(error)
            return self._leave_without_server()

    def _work(self) -> int | None:
        if not self._is_server_fit():
            return exits.CONFIG
        self._do_what_is_due()
        if self._board.phase is Phase.LEAVING:
            return self._leave()
        self._wait()
        return None

    def _is_told_to_end(self, seconds: float) -> bool:
        """An operator's TERM is obeyed; one of the daemon's own drain is not, which ends by its phase."""
        signums = self._inbox.wait(seconds)
        if ATTENTION in signums:
            self._recover.due_at = 0.0
        return signal.SIGTERM in signums and self._board.phase is Phase.RUNNING

    def _lose_server(self, error: ConnectionFailed) -> None:
        self._tally.add(Figure.REDIS_ERRORS)
        # What broke one of them has broken them all, and each would cost a try of its own.
        self._connection.close()
        self._other_connection.close()
        self._wake_up.close()
        self._firing.forget()
        # The first duty of the next try: it tells whether the server is back.
        self._beat.due_at = 0.0
        self._resume_at = clock.deadline_in(self._outage.note_failure(error))

    def _is_server_fit(self) -> bool:
        """Asked once, when it first answers."""
        if self._is_examined:
            return True
        report = health.examine(self._connection)
        self._show_life()
        self._is_examined = True
        for warning in report.warnings:
            logger.warning("server %s: %s", report.version, warning)
        for problem in report.problems:
            logger.critical("server unfit %s: %s", report.version, problem)
        # A daemon that runs does not end for what would only have kept it from starting.
        was_fit = self._board.head[Head.IS_FIT] != 0
        self._board.head[Head.IS_FIT] = int(was_fit or not report.problems)
        return was_fit or not report.problems

    def _do_what_is_due(self) -> None:
        refusal = None
        for duty in self._duties:
            if duty.is_due:
                try:
                    duty.run()
                except ServerRefused as error:
                    # What the server refuses to one duty must not keep the others from being done.
                    refusal = error
                self._show_life()
        if refusal:
            raise refusal
        self._outage.note_success()

    def _wait(self) -> None:
        """Until something is due, a signal arrives, an earlier due time is scheduled, or a job that runs here is cancelled."""
        due_at = min(duty.due_at for duty in self._duties)
        seconds = min(MAX_WAIT_SECONDS, clock.remaining(due_at))
        if seconds <= MIN_WAIT_SECONDS:
            return
        if self._wake_up.wait_for_schedule(seconds, self._inbox.fileno(), self._board.node):
            self._promote.due_at = 0.0

    def _show_life(self) -> None:
        """To the master, which replaces a scheduler that hangs."""
        self._row.words[Word.TICK_NS] = clock.monotonic_ns()

    def _stay_alive(self) -> None:
        """In the middle of a long duty: to the master, and to the other nodes."""
        self._show_life()
        if self._beat.is_due:
            self._beat.run()
            self._show_life()

    # Duties

    def _do_beat(self) -> float | None:
        began_ns = clock.monotonic_ns()
        soon = self._beater.beat()
        self._trips.note(clock.monotonic_ns() - began_ns)
        return soon

    def _do_recover(self) -> float | None:
        return RECOVER_AGAIN_SECONDS if self._recoverer.recover_all() else None

    def _do_promote(self) -> float | None:
        # In one trip: when nothing is to be done the schedules and the orders are looked at for nothing.
        (moved, next_ms), reading, (orders,) = self._schedules.promote_and_read(
            self._firing.version, more=[self._orders.reading()]
        )
        again = self._orders.carry_out(orders)
        if self._firing.note(reading):
            self._fire.due_at = 0.0
        if moved:
            logger.debug("jobs promoted jobs=%d", moved)
        return min(
            (pause for pause in (next_ms and next_ms / 1000, again) if pause is not None), default=None
        )

    def _do_fire(self) -> float | None:
        self._publication.make(self._schedules)
        seconds = self._firing.fire()
        if not self._firing.version:
            self._promote.due_at = 0.0  # which reads them again
        return seconds

    def _do_trim(self) -> float | None:
        for_age, for_number, nodes = self._store.trim()
        if for_age or for_number:
            # Age is what somebody has decided beforehand. Too many is what nobody has foreseen.
            level = logging.WARNING if for_number else logging.INFO
            logger.log(level, "dead letters trimmed for_age=%d for_number=%d", for_age, for_number)
        if nodes:
            logger.info("nodes forgotten nodes=%d", nodes)
        return 0.0 if for_age or for_number else None

    # The end

    def _leave(self) -> int:
        """All workers are gone: put back what they held, take the node off the list, and the board away."""
        self._recoverer.recover_own()
        self._store.leave(self._board.node)
        self._board.delete()
        self._outage.note_last_success()
        return 0

    def _leave_without_server(self) -> int | None:
        """The same where no worker ever got to the server: there is nothing to put back, and no use in waiting for it."""
        if self._board.phase is not Phase.LEAVING or self._board.has_entered:
            return None
        self._board.delete()
        return 0
