"""Recovery: what dead workers, dead daemons and lost nodes held goes back to its lanes. Its one owner is the scheduler.

It reads the holders first, then the boards: a worker writes its trip into its row before it enters, so no holder that
is fresh can be taken for a stray.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ..repeats import Repeats
from ..store.store import Charge, Recovery, Store, node_of
from . import procfs
from .board import Board, Head, boards_in
from .exits import describe_wait_status
from .row import Cause, JobView, Kind, Row, State, Word
from .tallies import TALLIES_SUFFIX
from .tally import Figure, Tally

logger = logging.getLogger(__name__)

FORGOTTEN = Charge.unknown("how its run ended is not known: its worker has gone, or gone on")
_KILLED = {
    Cause.STOP: "its worker was killed, since the daemon stopped",
    Cause.LEASE_LOST: "its worker was killed, since its lease was lost",
    Cause.STUCK: "its worker was killed, since it was stuck",
    Cause.CANCELLED: "its worker was killed, since its job was cancelled",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """``lease_ms`` as the store has it; ``max_recoveries`` lost runs end a job."""

    lease_ms: int
    max_recoveries: int


class Recoverer:
    """Recovers this node's dead children, dead daemons of this run_dir, and nodes whose lease has ended.

    ``stay_alive`` is called after every trip to the server: a round over many holders may be a long one.
    """

    def __init__(
        self,
        store: Store,
        board: Board,
        terms: Terms,
        stay_alive: Callable[[], None],
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._board = board
        self._terms = terms
        self._stay_alive = stay_alive
        self._repeats = Repeats[tuple[str, str]]()
        self._tally = tally or Tally.of_nobody()

    def recover_all(self) -> bool:
        """One round over everything; whether it has to be repeated soon, for a daemon that is still dying."""
        holders = self._store.holders()
        self._stay_alive()
        local = self._other_boards()
        self._recover_own(holders)
        recovered = {board.node for board in local if self._recover_board(board, holders)}
        # One that still dies is judged by its lease, as any other: what cannot be read may look alive for ever.
        self._recover_lost_nodes(holders, {self._board.node, *recovered})
        self.tell_again()
        return len(recovered) < len(local)

    def recover_own(self) -> None:
        """This node alone; at the end of a drain."""
        self._recover_own(self._store.holders())

    def tell_again(self, *, at_once: bool = False) -> None:
        """How many more recoveries there were like those that have been told; in the end ``at_once``."""
        for (cause, name), again in self._repeats.due(at_once=at_once):
            logger.warning(
                "jobs recovered again times=%d seconds=%.0f cause=%s%s", *again, cause, _named(name)
            )

    # (a) This node

    def _recover_own(self, holders: Iterable[str]) -> None:
        node = self._board.node
        rows = {row.generation: row for row in self._board.used_rows()}
        for holder in holders:
            if node_of(holder) == node:
                self._recover_holder(holder, rows.get(generation_of(holder)))
        for generation, row in rows.items():
            # Not twice: once that is written the row may be another child's at any moment.
            if row.state is State.DEAD and row.generation == generation and not row.words[Word.RECOVERED]:
                # Its present holder, if that entered after the holders were read, then nothing more to come.
                self._recover_holder(row.holder(node), row)
                row.words[Word.RECOVERED] = generation

    def _recover_holder(self, holder: str, row: Row | None) -> None:
        if row is not None and row.holder(self._board.node) == holder:
            if row.state is not State.DEAD:
                return
            self._recover(holder, charge_for(row), name=_name_in(row))
        elif row is None or row.state is State.DEAD or trip_of(holder) < row.words[Word.TRIP]:
            # A late enter, an earlier trip, or a server that lost its last second: no run is known to be lost.
            self._recover(holder, FORGOTTEN)

    # (b) Other daemons of this run_dir, dead since we have the lock

    def _other_boards(self) -> list[Board]:
        boards = []
        for path in boards_in(self._board.path.parent):
            board = None if path == self._board.path else Board.open(path)
            if board is not None:
                boards.append(board)
            elif path != self._board.path:
                # Ours is the lock, so nobody can be about to write it.
                logger.warning("board unreadable, set aside: %s; its jobs are back when its lease ends", path)
                path.with_suffix(TALLIES_SUFFIX).unlink(missing_ok=True)
                path.rename(path.with_suffix(".unreadable"))
        return boards

    def _recover_board(self, board: Board, holders: Iterable[str]) -> bool:
        """Whether it is done with: all its processes were gone."""
        rows = {row.generation: row for row in board.used_rows() if row.kind is not Kind.REDIS}
        if board.is_of_this_boot and not _clear_away(rows.values(), board.head[Head.SESSION]):
            return False
        for holder in sorted(_holders_of(board.node, rows.values(), holders)):
            row = rows.get(generation_of(holder))
            is_last_trip = row is not None and row.holder(board.node) == holder
            if row and is_last_trip:
                self._recover(holder, charge_for(row), name=_name_in(row))
            else:
                self._recover(holder, FORGOTTEN)
        self._store.leave(board.node)
        board.delete()
        logger.info("daemon recovered node=%s: it ended without its drain", board.node)
        return True

    # (c) Any other node, by lease alone

    def _recover_lost_nodes(self, holders: Iterable[str], known: set[str]) -> None:
        alive = set(known)
        for holder in holders:
            node = node_of(holder)
            if node not in alive:
                charge = Charge.everything(f"its node {node} was lost")
                if self._recover(holder, charge, judge=self._board.node).is_refused:
                    # One question a node: a large fleet must not keep the server busy with them.
                    alive.add(node)

    def _recover(self, holder: str, charge: Charge, *, judge: str = "", name: str = "") -> Recovery:
        """``name`` is that of the job that is charged, if it is known."""
        recovery = self._store.recover(
            holder,
            charge,
            max_recoveries=self._terms.max_recoveries,
            judge=judge,
            lease_ms=self._terms.lease_ms,
        )
        self._log(holder, charge, name, recovery)
        self._count(recovery)
        self._stay_alive()
        return recovery

    def _count(self, recovery: Recovery) -> None:
        self._tally.add(Figure.REQUEUED, len(recovery.requeued))
        self._tally.add(Figure.RETRIED, len(recovery.retried))
        self._tally.add(Figure.DEAD, len(recovery.dead))
        self._tally.add(Figure.CANCELLED, len(recovery.cancelled))

    def _log(self, holder: str, charge: Charge, name: str, recovery: Recovery) -> None:
        def told(job_id: str) -> str:
            return f"{job_id}{_named(name if job_id == charge.job_id else '')}"

        for job_id in recovery.dead:
            logger.error(
                "job dead id=%s holder=%s error=%s", told(job_id), holder, charge.cause or "unreadable"
            )
        for job_id in recovery.cancelled:
            logger.info("job cancelled id=%s holder=%s", told(job_id), holder)
        for job_id in recovery.retried:
            logger.warning("job failed id=%s holder=%s error=%s", told(job_id), holder, charge.cause)
        if recovery.requeued:
            is_charged = charge.job_id in recovery.requeued
            job = f" id={told(charge.job_id)}" if is_charged else ""
            self._log_requeued(holder, charge.cause or "none", name if is_charged else "", job, recovery)

    def _log_requeued(self, holder: str, cause: str, name: str, job: str, recovery: Recovery) -> None:
        """Workers that keep dying of the same, in one handler, are worth one warning, and then a number."""
        level = logging.WARNING if self._repeats.note((cause, name)) else logging.DEBUG
        jobs = len(recovery.requeued)
        logger.log(level, "jobs recovered holder=%s jobs=%d cause=%s%s", holder, jobs, cause, job)


def _clear_away(rows: Collection[Row], session: int) -> bool:
    """Whether all processes of a dead daemon are gone; then what its children had started is killed."""
    living = [row for row in rows if row.state is not State.DEAD]
    if not all(procfs.is_gone(row.words[Word.PID], row.words[Word.BORN]) for row in living):
        return False
    procfs.kill_leftovers({row.words[Word.PID]: row.words[Word.BORN] for row in rows}, session)
    return True


def _holders_of(node: str, rows: Iterable[Row], holders: Iterable[str]) -> set[str]:
    """Those that the server knew, and those that the node's workers may have become since it was asked."""
    present = {row.holder(node) for row in rows if row.words[Word.TRIP]}
    return present | {holder for holder in holders if node_of(holder) == node}


def charge_for(row: Row) -> Charge:
    """What the row of a child that has ended says of the job that it ran."""
    job = row.job()
    cause = Cause(row.words[Word.CAUSE])
    if job is None or cause in _KILLED:
        return Charge.unknown(_KILLED.get(cause) or _end_of(row, job))
    if cause in (Cause.TIME, Cause.HUNG):
        if row.words[Word.CAUSE_JOB] != job.number:
            # It had gone on to another job just then, which is not to blame.
            return Charge.unknown("its worker was killed for the time of another job")
        return Charge.failed(job.job_id, _fault(cause, job), job.later - 1)
    return Charge.lost(job.job_id, _end_of(row, job))


def _end_of(row: Row, job: JobView | None) -> str:
    if row.state is not State.DEAD:
        return "its worker was killed together with its daemon"
    end = describe_wait_status(row.words[Word.EXIT])
    return f"its worker ended in the job: {end}" if job else f"its worker ended: {end}"


def _name_in(row: Row) -> str:
    job = row.job()
    return job.name if job else ""


def _named(name: str) -> str:
    """As it follows in a line."""
    return f" name={name}" if name else ""


def _fault(cause: Cause, job: JobView) -> str:
    if cause is Cause.HUNG:
        return "a hook hung, or what its handler had returned or raised hung when it was looked at, and was killed"
    seconds = (job.deadline_ns - job.started_ns) / 1e9
    return f"it ran longer than its timeout of {seconds:g} s, ignored the interrupt, and was killed"


def generation_of(holder: str) -> int:
    """The number of the child in a holder's name, 0 if it has none."""
    return _numbers(holder)[0]


def trip_of(holder: str) -> int:
    """The number of the trip in a holder's name."""
    return _numbers(holder)[1]


def _numbers(holder: str) -> tuple[int, int]:
    try:
        generation, trip = holder.rpartition("/")[2].split(".")
        return int(generation), int(trip)
    except ValueError:
        return 0, 0
