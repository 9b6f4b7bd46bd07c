"""The master: keeps every slot filled, enforces time limits, and takes the whole tree down in time.

It knows processes, never jobs: no Redis, no threads, no user code, and only monotonic time.
"""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from .. import clock
from . import child, exits, procfs
from .drain import Drain
from .inbox import Inbox
from .interrupts import Interrupter, kill
from .notify import Notifier
from .restarts import is_crash
from .row import Cause, Kind, Row, State, Word
from .slots import Fleet, Slot

TURN_SECONDS = 0.25
BOOT_TURN_SECONDS = 0.02

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """``scheduler_stall_seconds``: how long the scheduler may show no sign of life."""

    drain_seconds: float
    grace_seconds: float
    scheduler_stall_seconds: float


class Master:
    """One loop over one wait: signals, deaths of children, timers."""

    def __init__(
        self, fleet: Fleet, limits: Limits, notifier: Notifier, close_inherited: Callable[[], None]
    ) -> None:
        self._fleet = fleet
        self._limits = limits
        self._notifier = notifier
        self._close_inherited = close_inherited
        self._interrupter = Interrupter(limits.grace_seconds)
        self._drain: Drain | None = None
        self._is_ready = False
        self._done_before = 0
        self._status = 0

    def run(self) -> int:
        """Supervise until told to stop and everything is down; return the exit status."""
        self._inbox = Inbox([signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD])
        while not (self._drain and self._drain.is_over):
            self._start_slots()
            self._notice_up()
            for signum in self._inbox.wait(self._seconds_to_wait()):
                self._obey(signum)
            self._reap()
            self._watch_jobs()
            self._watch_scheduler()
            self._give_up_if_hopeless()
            if self._drain:
                self._drain.step(clock.monotonic())
            self._tell_systemd()
        # A supervisor may repeat its TERM until it sees the end.
        self._inbox.close(then=signal.SIG_IGN)
        logger.info("daemon stopped status=%d", self._status)
        return self._status

    def _seconds_to_wait(self) -> float:
        """Short turns while something is about to change without telling by a signal."""
        is_booting = any(slot.is_running and not slot.is_up for slot in self._fleet)
        return BOOT_TURN_SECONDS if is_booting or self._drain else TURN_SECONDS

    # Signals

    def _obey(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            return
        # A second Ctrl-C means "now"; TERM may come as often as a supervisor likes.
        is_urgent = signum == signal.SIGQUIT or (signum == signal.SIGINT and self._drain and os.isatty(0))
        if self._drain is None:
            self._begin_drain(signal.Signals(signum).name)
        if is_urgent and self._drain:
            self._drain.hurry(clock.monotonic())

    def _begin_drain(self, why: str) -> None:
        logger.info("drain began cause=%s seconds=%g", why, self._limits.drain_seconds)
        self._notifier.stopping()
        self._drain = Drain(self._fleet, clock.deadline_in(self._limits.drain_seconds))

    # Starting

    def _start_slots(self) -> None:
        for slot in self._fleet:
            if slot.may_start(clock.monotonic()) and not (self._drain and not self._drain.wants(slot)):
                self._start(slot)
            if slot.kind is Kind.REDIS and not slot.up_since and not slot.restarts.crashes:
                # Everything else would only meet a closed door.
                return

    def _start(self, slot: Slot) -> None:
        row = self._fleet.board.free_row()
        if row is None:
            return
        row.words[Word.KIND] = slot.kind
        row.words[Word.SLOT] = slot.number
        row.words[Word.STATE] = State.STARTING
        row.words[Word.RESTARTS] = slot.spawned
        row.words[Word.SPAWNED_NS] = row.words[Word.TICK_NS] = clock.monotonic_ns()
        row.words[Word.GENERATION] = self._fleet.next_generation()
        try:
            slot.pid = self._spawn(slot, row)
        except OSError as error:
            # Too many processes, or no memory: no reason for the others to stop.
            logger.error("child not started slot=%r: %s", slot.name, error.strerror)  # noqa: TRY400
            row.clear()
            slot.restarts.postpone(clock.monotonic())
            return
        row.words[Word.PID] = slot.pid
        row.words[Word.BORN] = procfs.born(slot.pid) or 0
        slot.row, slot.up_since = row, None
        slot.spawned += 1
        logger.info("child started slot=%r pid=%d", slot.name, slot.pid)

    def _spawn(self, slot: Slot, row: Row) -> int:
        return child.spawn(
            slot.name,
            slot.body,
            row,
            self._drop_inheritance,
            death_signal=slot.death_signal,
            oom_score=slot.oom_score,
        )

    def _drop_inheritance(self) -> None:
        """In the child: what belongs to the master alone."""
        self._inbox.close()
        self._close_inherited()
        self._fleet.slots.clear()

    def _notice_up(self) -> None:
        for slot in self._fleet:
            if slot.notice_up(clock.monotonic()):
                logger.info("child up slot=%r pid=%d", slot.name, slot.pid)
        if not self._is_ready and self._drain is None and self._fleet.is_up:
            self._is_ready = True
            logger.info("daemon ready workers=%d", len(self._fleet.of(Kind.WORKER)))
            self._notifier.ready()

    # Deaths

    def _reap(self) -> None:
        """Attend to every child that has died, each before its pid can be used again."""
        while True:
            try:
                death = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if death is None:
                return
            slot = self._fleet.with_pid(death.si_pid)
            if slot is not None:
                procfs.kill_group(death.si_pid)
            _, wait_status = os.waitpid(death.si_pid, 0)
            if slot is not None and slot.row is not None:
                self._bury(slot, slot.row, wait_status)

    def _bury(self, slot: Slot, row: Row, wait_status: int) -> None:
        code = os.waitstatus_to_exitcode(wait_status)
        self._log_death(slot, row, wait_status)
        self._count_death(slot, row, code)
        self._done_before += row.words[Word.DONE]
        slot.pid, slot.row, slot.up_since = 0, None, None
        if self._drain:
            self._drain.note_end(slot, code)
        self._leave_row(row, wait_status)

    def _leave_row(self, row: Row, wait_status: int) -> None:
        """To the scheduler, if there may be something to recover; the row of a child that held nothing is free."""
        if row.words[Word.TRIP] == 0:
            row.clear()
            return
        row.words[Word.EXIT] = wait_status
        row.state = State.DEAD
        self._poke_scheduler()

    def _count_death(self, slot: Slot, row: Row, code: int) -> None:
        now = clock.monotonic()
        up_seconds = None if slot.up_since is None else now - slot.up_since
        has_worked = any(row.words[word] for word in (Word.JOB, Word.DONE, Word.FAILED))
        was_killed_by_us = row.words[Word.CAUSE] != Cause.NONE
        has_left = row.state is State.LEFT
        if code == exits.CONFIG and not has_worked:
            slot.restarts.is_final = True
        elif not was_killed_by_us and is_crash(up_seconds, has_worked=has_worked, has_left=has_left):
            slot.restarts.note_crash(now)
        else:
            slot.restarts.note_other_end(now)
        if slot.restarts.is_fatal:
            logger.critical(
                "slot fatal slot=%r crashes=%d: it is not started again", slot.name, slot.restarts.crashes
            )

    def _log_death(self, slot: Slot, row: Row, wait_status: int) -> None:
        is_expected = row.state is State.LEFT or self._drain is not None
        was_in_job = row.words[Word.ARMED] != 0
        logger.log(
            logging.INFO if is_expected else logging.WARNING,
            "child ended slot=%r pid=%d end=%r in_job=%s killed_for=%s",
            slot.name, slot.pid, exits.describe_wait_status(wait_status), "yes" if was_in_job else "no",
            Cause(row.words[Word.CAUSE]).name.lower(),
        )  # fmt: skip

    def _poke_scheduler(self) -> None:
        for slot in self._fleet.running(Kind.SCHEDULER):
            # One that starts could die of the signal; it begins with a look at all rows.
            if slot.row and slot.row.state is not State.STARTING:
                os.kill(slot.pid, child.ATTENTION)

    # Watching

    def _watch_jobs(self) -> None:
        rows = [slot.row for slot in self._fleet.running(Kind.WORKER) if slot.row]
        now = clock.monotonic()
        self._interrupter.watch(
            rows, now, is_draining=self._drain is not None and self._drain.is_interrupting(now)
        )
        for row in self._fleet.board.rows:
            if row.is_recovered:
                row.clear()

    def _watch_scheduler(self) -> None:
        for slot in self._fleet.running(Kind.SCHEDULER):
            if slot.row is None or slot.row.words[Word.CAUSE] != Cause.NONE:
                continue
            silent_seconds = (clock.monotonic_ns() - slot.row.words[Word.TICK_NS]) / 1e9
            if silent_seconds > self._limits.scheduler_stall_seconds:
                logger.error("scheduler killed pid=%d: no sign of life for %.1f s", slot.pid, silent_seconds)
                kill(slot.row, Cause.STUCK)

    def _give_up_if_hopeless(self) -> None:
        slot = self._fleet.fatal_end()
        if slot is None or self._drain is not None:
            return
        self._status = exits.CONFIG if slot.restarts.is_final else exits.SOFTWARE
        logger.critical("daemon gives up status=%d: slot %r cannot be kept running", self._status, slot.name)
        self._begin_drain("FATAL")

    def _tell_systemd(self) -> None:
        workers = self._fleet.of(Kind.WORKER)
        rows = [slot.row for slot in workers if slot.row]
        busy = sum(row.words[Word.ARMED] != 0 for row in rows)
        done = self._done_before + sum(row.words[Word.DONE] for row in rows)
        self._notifier.status(f"{len(rows)} workers, {busy} busy, {done:,} done")
        self._notifier.still_alive()
