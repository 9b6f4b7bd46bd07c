"""The master: keeps every slot filled, enforces time limits, and takes the whole tree down in time.

It knows processes, never jobs: no Redis, no threads, no user code, and only monotonic time.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping

from .. import clock, log
from . import child, deaths, exits, procfs, resizing, stacks
from .board import Head
from .deaths import Death
from .drain import Drain
from .inbox import Inbox
from .notify import Notifier
from .plan import Plan
from .recycler import Recycler
from .reload import Reload
from .row import Kind, Row, State, Word
from .slots import Fleet, Slot
from .spawner import Spawner
from .stacks import StackDump
from .warden import Warden
from .watch import Watch

TURN_SECONDS = 0.25
BUSY_TURN_SECONDS = 0.02

BLOCKED = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that are never delivered, but looked for at each turn.

Where a terminal has "stty tostop" the kernel sends TTOU at each try of a background process to write to it, for ever
if it is caught. And only who looks for a HUP learns who has sent it.
"""

HELD_BACK = (*BLOCKED, signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2, stacks.DUMP)
"""Signals that are to wait for a daemon that boots, which they would end."""

logger = logging.getLogger(__name__)


class Master:
    """One loop over one wait: signals, deaths of children, timers.

    ``take_output`` is called at each turn, to pass on what a child prints that cannot log by itself.
    """

    def __init__(
        self,
        fleet: Fleet,
        plan: Plan,
        notifier: Notifier,
        close_inherited: Callable[[], None],
        take_output: Callable[[], None] | None = None,
    ) -> None:
        self._fleet = fleet
        self._plan = plan
        self._notifier = notifier
        self._close_inherited = close_inherited
        self._take_output = take_output or (lambda: None)
        self._spawner = Spawner(fleet, self._drop_inheritance)
        self._warden = Warden(fleet)
        self._recycler = Recycler(fleet)
        self._reload: Reload | None = None
        self._is_reload_wanted = False
        self._watch = Watch()
        self._death_log = deaths.DeathLog()
        self._stack_dump: StackDump | None = None
        self._drain: Drain | None = None
        self._is_ready = False
        self._done_before = 0
        self._status = 0

    def run(self) -> int:
        """Supervise until told to stop and everything is down; return the exit status."""
        self._inbox = Inbox([*self._answers, signal.SIGCHLD])
        stacks.register(self._fleet.board.stacks_path(stacks.MASTER))
        # All others are let in: whoever started us may have had TERM blocked.
        signal.pthread_sigmask(signal.SIG_SETMASK, BLOCKED)
        while not (self._drain and self._drain.is_over):
            self._fleet.board.show_life()
            self._start_slots()
            self._notice_up()
            self._obey(self._inbox.wait(self._seconds_to_wait()))
            self._look_for_blocked_signals()
            # What the embedded server has to say of its death comes before the line of it.
            self._take_output()
            self._reap()
            self._look_after_children()
            self._go_on()
            self._tell_systemd()
        self._take_output()
        self._death_log.tell_again(at_once=True)
        # A supervisor may repeat its TERM until it sees the end.
        self._inbox.close(then=signal.SIG_IGN)
        logger.info("daemon stopped status=%d", self._status)
        return self._status

    def _seconds_to_wait(self) -> float:
        """Short turns while something is about to change without telling by a signal."""
        is_booting = not self._is_ready or any(slot.is_running and not slot.is_up for slot in self._fleet)
        is_busy = is_booting or self._drain or self._reload or self._recycler.is_busy or self._stack_dump
        return BUSY_TURN_SECONDS if is_busy else TURN_SECONDS

    def _look_after_children(self) -> None:
        now = clock.monotonic()
        is_interrupting = self._drain is not None and self._drain.is_interrupting(now)
        self._warden.look(self._plan.limits, now, is_draining=is_interrupting)

    def _go_on(self) -> None:
        """With whatever takes more than one turn."""
        if self._stack_dump and self._stack_dump.step():
            self._stack_dump = None
        if self._drain:
            self._drain.step(clock.monotonic())
        elif self._reload:
            self._go_on_with_reload(self._reload)
        elif self._is_reload_wanted or self._watch.has_changed(self._plan.watched):
            self._begin_reload()
        else:
            self._recycler.step(self._plan)
        self._death_log.tell_again()
        self._give_up_if_hopeless()

    # Signals

    @property
    def _answers(self) -> Mapping[signal.Signals, Callable[[signal.Signals], None]]:
        return {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGQUIT: self._stop,
            signal.SIGTSTP: self._become_quiet,
            signal.SIGCONT: self._resume,
            signal.SIGUSR1: self._reopen_logs,
            signal.SIGUSR2: self._dump_stacks,
        }

    def _obey(self, signums: Iterable[int]) -> None:
        # Of a TSTP and a CONT that come at once nobody can tell the first: the daemon shall go on.
        for signum in sorted(map(signal.Signals, signums), key=lambda signum: signum == signal.SIGCONT):
            if signum != signal.SIGCHLD:
                self._answers[signum](signum)

    def _look_for_blocked_signals(self) -> None:
        while found := signal.sigtimedwait(BLOCKED, 0):
            is_settled = self._drain is None and self._reload is None
            if found.si_signo == signal.SIGTTIN:
                resizing.grow(self._fleet, self._plan, is_settled=is_settled)
            elif found.si_signo == signal.SIGTTOU:
                resizing.shrink(self._fleet, self._recycler, is_settled=is_settled)
            elif found.si_code > 0:
                # The kernel's: whoever closes a terminal is through with what runs in it.
                self._stop(signal.SIGHUP)
            elif self._drain is None:
                self._is_reload_wanted = True

    def _stop(self, signum: signal.Signals) -> None:
        # A second Ctrl-C means "now"; TERM may come as often as a supervisor likes.
        is_urgent = signum == signal.SIGQUIT or (signum == signal.SIGINT and self._drain and os.isatty(0))
        if self._drain is None:
            self._begin_drain(signum.name)
        if is_urgent and self._drain:
            self._drain.hurry(clock.monotonic())

    def _begin_drain(self, why: str) -> None:
        seconds = self._plan.limits.drain_seconds
        logger.info("drain began cause=%s seconds=%g", why, seconds)
        self._notifier.stopping()
        if self._reload:
            self._reload.abandon()
        if self._fleet.board.tallies:
            self._fleet.board.tallies.note_drain(clock.monotonic_ns())
        self._drain = Drain(self._fleet, clock.deadline_in(seconds))
        for slot in list(self._fleet):
            if not slot.is_running and not self._drain.wants(slot):
                self._fleet.remove(slot)

    def _begin_reload(self) -> None:
        self._is_reload_wanted = False
        self._recycler.abandon()
        self._notifier.reloading()
        self._reload = Reload(self._fleet, self._plan, self._drop_inheritance)

    def _go_on_with_reload(self, reload: Reload) -> None:
        reload.step()
        if reload.is_over:
            if reload.replaced or not reload.problems:
                self._plan = reload.plan
            self._reload = None
            if self._is_ready:
                self._notifier.ready()

    def _become_quiet(self, _signum: signal.Signals) -> None:
        self._set_quiet(is_quiet=True)

    def _resume(self, _signum: signal.Signals) -> None:
        # It also comes after a SIGSTOP, when there is nothing to resume.
        self._set_quiet(is_quiet=False)

    def _set_quiet(self, *, is_quiet: bool) -> None:
        if self._fleet.board.is_quiet == is_quiet:
            return
        self._fleet.board.is_quiet = is_quiet
        logger.info(
            "daemon quiet: jobs that run go on, no others are taken" if is_quiet else "daemon resumed"
        )
        self._poke(Kind.WORKER)

    def _reopen_logs(self, signum: signal.Signals) -> None:
        log.reopen()
        for slot in self._fleet.running(Kind.WORKER, Kind.SCHEDULER, Kind.HTTP):
            procfs.send(slot.pid, signum)

    def _dump_stacks(self, _signum: signal.Signals) -> None:
        self._stack_dump = self._stack_dump or StackDump(self._fleet)

    # Starting

    def _start_slots(self) -> None:
        for slot in list(self._fleet):
            if self._drain and not self._drain.wants(slot):
                continue
            if slot.may_start(clock.monotonic()):
                self._spawner.start(slot)
            if slot.kind is Kind.REDIS and not slot.up_since and not slot.restarts.crashes:
                # Everything else would only meet a closed door.
                return

    def _drop_inheritance(self) -> None:
        """In a child: what belongs to the master alone."""
        self._inbox.close()
        self._close_inherited()
        self._fleet.slots.clear()

    def _notice_up(self) -> None:
        for slot in self._fleet:
            if slot.notice_up(clock.monotonic()):
                logger.info("child up slot=%r pid=%d", slot.name, slot.pid)
        self._fleet.board.head[Head.SLOTS] = len(self._fleet.wanted)
        if not self._is_ready and self._drain is None and self._fleet.is_up:
            self._is_ready = True
            logger.info("daemon ready workers=%d", len(self._fleet.of(Kind.WORKER)))
            self._notifier.ready()

    # Deaths

    def _reap(self) -> None:
        for death in deaths.reap(self._fleet, self._reload.pids if self._reload else ()):
            if death.slot is not None and death.slot.row is not None:
                self._bury(death, death.slot, death.slot.row)
            elif self._reload:
                self._reload.note_death(death.pid, death.wait_status)

    def _bury(self, death: Death, slot: Slot, row: Row) -> None:
        deaths.count(slot, row, death.wait_status, clock.monotonic())
        self._count(slot, row)
        self._death_log.note(slot, row, death.wait_status, is_expected=bool(self._drain or slot.is_retired))
        deaths.log_lost_pool(self._fleet, slot)
        self._done_before += row.words[Word.DONE]
        slot.pid, slot.row, slot.up_since, slot.asked_at = 0, None, None, None
        if self._drain:
            self._drain.note_end(slot)
        self._fleet.board.stacks_path(row.generation).unlink(missing_ok=True)
        self._leave_row(row, death.wait_status)
        if slot.is_retired:
            self._fleet.remove(slot)
        elif not self._drain or self._drain.wants(slot):
            self._spawner.prepare(slot)

    def _count(self, slot: Slot, row: Row) -> None:
        if (tallies := self._fleet.board.tallies) is None:
            return
        tallies.note_end(row)
        if slot.kind is Kind.WORKER and slot.asked_at is not None:
            tallies.note_left(clock.monotonic() - slot.asked_at)

    def _leave_row(self, row: Row, wait_status: int) -> None:
        """To the scheduler, if there may be something to recover; the row of a child that held nothing is free."""
        if row.words[Word.TRIP] == 0:
            row.clear()
            return
        row.words[Word.EXIT] = wait_status
        row.state = State.DEAD
        self._poke(Kind.SCHEDULER)

    def _poke(self, kind: Kind) -> None:
        for slot in self._fleet.running(kind):
            # One that starts could die of the signal; it begins with a look at everything.
            if slot.row and slot.row.state is not State.STARTING:
                procfs.send(slot.pid, child.ATTENTION)

    # The end

    def _give_up_if_hopeless(self) -> None:
        slot = self._fleet.fatal_end()
        # A reload may be just about to mend it.
        if slot is None or self._drain is not None or self._reload is not None:
            return
        self._status = exits.CONFIG if slot.restarts.is_final else exits.SOFTWARE
        logger.critical("daemon gives up status=%d: slot %r cannot be kept running", self._status, slot.name)
        self._begin_drain("FATAL")

    def _tell_systemd(self) -> None:
        rows = [slot.row for slot in self._fleet.running(Kind.WORKER) if slot.row]
        busy = sum(row.words[Word.ARMED] != 0 for row in rows)
        done = self._done_before + sum(row.words[Word.DONE] for row in rows)
        quiet = "quiet, " if self._fleet.board.is_quiet else ""
        self._notifier.status(f"{quiet}{len(rows)} workers, {busy} busy, {done:,} done")
        self._notifier.still_alive()
