"""Deaths of children: attended to one by one, counted against their slots, and told in the log."""

import logging
import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..repeats import Repeats
from . import exits, procfs
from .restarts import is_crash
from .row import Cause, Kind, Row, State, Word
from .slots import Fleet, Slot

logger = logging.getLogger(__name__)


class Death(NamedTuple):
    """A process that was reaped; ``slot`` is None for one that no slot had started."""

    pid: int
    slot: Slot | None
    wait_status: int


def reap(fleet: Fleet, others: Collection[int]) -> Iterator[Death]:
    """Attend to every child that has died, each before its pid can be used again.

    What is left of its group is killed, if it was of a slot or is one of the ``others``. A master that is pid 1 of a
    container has the orphans of everybody for children, too.
    """
    while True:
        try:
            death = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if death is None:
            return
        slot = fleet.with_pid(death.si_pid)
        if slot is not None or death.si_pid in others:
            procfs.kill_group(death.si_pid)
        _, wait_status = os.waitpid(death.si_pid, 0)
        yield Death(death.si_pid, slot, wait_status)


def count(slot: Slot, row: Row, wait_status: int, now: float) -> None:
    """Note in the slot what this end means for its next start."""
    slot.last_wait_status, slot.last_cause = wait_status, Cause(row.words[Word.CAUSE])
    slot.note_claims()
    has_worked = any(row.words[word] for word in (Word.JOB, Word.DONE, Word.FAILED))
    if os.waitstatus_to_exitcode(wait_status) == exits.CONFIG and not has_worked:
        # A scheduler says so only of a server that never was fit, when it is long up.
        if slot.has_been_up and slot.kind is not Kind.SCHEDULER:
            slot.restarts.note_unfit(now)
        else:
            slot.restarts.is_final = True
    elif _is_crash(slot, row, now, has_worked=has_worked):
        slot.restarts.note_crash(now)
    else:
        slot.restarts.note_other_end(now)


def _is_crash(slot: Slot, row: Row, now: float, *, has_worked: bool) -> bool:
    if slot.last_cause is not Cause.NONE:
        # What the master killed for another reason was no fault of the child's.
        return slot.last_cause is Cause.START
    if slot.asked_at is not None:
        return False
    up_seconds = None if slot.up_since is None else now - slot.up_since
    return is_crash(up_seconds, has_worked=has_worked, has_left=row.state is State.LEFT)


def log_lost_pool(fleet: Fleet, slot: Slot) -> None:
    """Say so when no worker of a pool is started again while others go on."""
    if slot in fleet.workers_of(slot.pool) and slot.restarts.is_fatal:
        has_hope = {worker.pool for worker in fleet.of(Kind.WORKER) if not worker.restarts.is_fatal}
        if has_hope and slot.pool not in has_hope:
            logger.critical(
                "pool fatal pool=%r: none of its workers is started again before a reload",
                slot.pool or "[workers]",
            )


class Kindred(NamedTuple):
    """What makes two deaths the same to whoever reads the log: whose they were, and how they came."""

    kind: str
    end: str
    in_job: str
    killed_for: str
    name: str
    """That of the job, empty if there was none: a handler that kills its workers is told, whatever others do."""


class DeathLog:
    """The lines of deaths. Those of a kind are worth one warning, and then a number."""

    def __init__(self) -> None:
        self._repeats = Repeats[Kindred]()

    def note(self, slot: Slot, row: Row, wait_status: int, *, is_expected: bool) -> None:
        """A child has ended."""
        crashes = slot.restarts.crashes
        is_in_job = row.words[Word.ARMED] != 0
        job = row.job() if is_in_job else None
        kin = Kindred(
            slot.kind.name.lower(),
            exits.describe_wait_status(wait_status),
            "yes" if is_in_job else "no",
            slot.last_cause.name.lower(),
            job.name if job else "",
        )
        if is_expected or row.state is State.LEFT:
            level = logging.INFO
        else:
            level = logging.WARNING if self._repeats.note(kin) else logging.DEBUG
        logger.log(
            level,
            "child ended slot=%r pid=%d end=%r in_job=%s killed_for=%s crashes=%d%s",
            slot.name, row.words[Word.PID], *kin[1:4], crashes, f" id={job.job_id} name={job.name}" if job else "",
        )  # fmt: skip
        if slot.restarts.is_fatal:
            logger.critical("slot fatal slot=%r crashes=%d: it is not started again", slot.name, crashes)

    def tell_again(self, *, at_once: bool = False) -> None:
        """How many more there were of what has been told before; to be called time and again, and in the end ``at_once``."""
        for kin, again in self._repeats.due(at_once=at_once):
            logger.warning(
                "children ended again kind=%s end=%r in_job=%s killed_for=%s times=%d seconds=%.0f%s",
                *kin[:4], *again, f" name={kin.name}" if kin.name else "",
            )  # fmt: skip
