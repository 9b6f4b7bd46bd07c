"""The worker: claim → perform → settle, over one held connection, for as long as it is wanted."""

import logging
import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple

from setproctitle import setproctitle

from .. import clock
from ..errors import ConnectionFailed
from ..handlers import Registry
from ..retry import RetryPolicy
from ..store.access import Access, WakeUp
from ..store.claims import Claim, Claimed
from ..store.keys import Lane
from ..store.outcomes import Released
from . import forks
from .batch import MAX_BATCH, BatchSize
from .child import ATTENTION, CAUGHT
from .helper import Helper, Unstarted
from .hook_calls import HookCalls
from .inbox import Inbox
from .outage import Outage
from .performance import Performer, Rules
from .policies import policies_of, read_policy
from .publication import Publication
from .row import Row, State, Word
from .run_context import WorkerRunContext
from .run_tally import RunTally
from .tally import Figure, Tally
from .turns import Turns
from .unsettled import Unsettled, warn_of_refused

REST_SECONDS = 1.0
_LEAVE, _CLAIMS, _TICK_NS = int(Word.LEAVE), int(Word.CLAIMS), int(Word.TICK_NS)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works: its node, the lanes that it serves, what holds for their jobs, and for how many of them.

    ``lanes`` are in the order of claiming; for ``fairness`` see `Turns`. ``max_jobs`` and ``max_rss_mb`` (MiB) are 0 for
    no limit.
    """

    node: str
    lanes: Sequence[Lane]
    lease_ms: int
    rules: Rules
    max_jobs: int = 0
    max_rss_mb: int = 0
    fairness: int = 0


class _Terms(NamedTuple):
    """Who claims, from which lanes, and how many."""

    holder: str
    node: str
    lanes: Sequence[Lane]
    want: int


class Worker:
    """A worker has a row, a store, a registry; its holder's name changes with every trip."""

    def __init__(
        self, row: Row, post: Post, registry: Registry, access: Access,
        hooks: HookCalls | None = None, tally: Tally | None = None,
    ) -> None:  # fmt: skip
        self._row = row
        handlers, lanes = [spec.name for spec in registry], [str(lane) for lane in post.lanes]
        self._tally = tally or Tally.of_nobody(1 + len(handlers) + len(lanes))
        self._post = post
        self._registry = registry
        self._access = access
        self._open_connection()
        self._unstarted: Unstarted = deque()
        self._unsettled = Unsettled()
        self._helper = Helper(self._unstarted, self._unsettled, access.store, self._tally)
        self._outage = Outage(row)
        self._batch = BatchSize()
        self._turns = Turns(post.lanes, post.fairness)
        self._is_draining = False
        self._is_entered = False
        self._is_idle = False
        self._publication = Publication.of_handlers(registry)
        self._shown = ""
        self._context = WorkerRunContext(row, access.store, lambda: self._is_leaving)
        self._runs = RunTally(self._tally, handlers, lanes)
        self._hooks = hooks
        self._performer = Performer(
            row, registry, post.rules, self._context, self._declared_policy, self._guard, hooks, self._runs
        )

    def run(self) -> int:
        """Work until told to leave, or until it has had its time; return the exit status."""
        self._come_up()
        while not self._has_to_leave:
            try:
                if not self._is_entered:
                    self._enter()
                if self._row.may_claim:
                    self._work_once()
                else:
                    self._rest()
            except ConnectionFailed as error:
                self._lose_server(error)
        return self._leave()

    def _come_up(self) -> None:
        self._inbox = Inbox([])
        # SIGINT is not ignored: programs that a handler starts would inherit that.
        attention = {
            signal.SIGTERM: self._note_drain,
            signal.SIGINT: self._note_drain,
            ATTENTION: self._performer.attend,
        }
        for signum, attend in attention.items():
            signal.signal(signum, attend)
        forks.guard({*attention, *CAUGHT}, self._renounce)
        self._row.state = State.UP
        if self._is_draining:  # a TERM was quicker
            self._row.state = State.DRAINING
        self._show("idle")

    @property
    def _is_leaving(self) -> bool:
        """Whether it was told to leave: by the signal, or if a job has taken that for itself by its row."""
        return self._is_draining or self._row.words[_LEAVE] != 0

    @property
    def _has_to_leave(self) -> bool:
        return self._is_leaving or self._performer.has_interrupted or self._jobs_left <= 0

    def _note_drain(self, _signum: int, _frame: FrameType | None) -> None:
        self._is_draining = True
        if self._row.state is State.UP:
            self._row.state = State.DRAINING

    def _renounce(self) -> None:
        """In a process that a handler has forked."""
        self._performer.is_copy = True
        self._context.forget_connection()

    # One trip to Redis, until it breaks

    @property
    def _holder(self) -> str:
        return self._row.holder(self._post.node)

    def _enter(self) -> None:
        """Close the last trip's account, whatever was left in doubt by it, and begin the next one."""
        self._close_account()
        # The board first: the scheduler takes a holder that no row names for a stray.
        self._row.words[Word.TRIP] += 1
        self._context.holder = self._holder
        self._store.enter(self._holder, self._post.node, self._post.lease_ms, policies_of(self._registry))
        # Before the first claim, after which there may be something to recover.
        self._row.note_entered()
        self._publication.make(self._schedules)
        self._is_entered = True
        # What lies there already may have no token.
        self._is_idle = False

    def _close_account(self) -> None:
        """Report every outcome under the holder it belongs to; put back what a lost reply had claimed."""
        self._unstarted.clear()
        self._settle()
        if self._row.words[Word.TRIP]:
            self._store.recover(self._holder)

    def _lose_server(self, error: ConnectionFailed) -> None:
        """Never guess what a broken trip has done: the next one asks."""
        self._is_entered = False
        self._tally.add(Figure.REDIS_ERRORS)
        self._inbox.wait(self._outage.note_failure(error))

    def _open_connection(self) -> None:
        connection = self._access.connect()
        self._store = self._access.store(connection)
        self._schedules = self._access.schedules(connection)
        self._wake_up = WakeUp(connection, self._access.namespace)

    def _declared_policy(self, name: str) -> RetryPolicy:
        """What another worker, which has a handler for this name, said of its retries."""
        return read_policy(self._store.handler_policy(name))

    # Claim, perform, settle

    @property
    def _jobs_left(self) -> int:
        """How many jobs it may still run; a large number where there is no limit."""
        words = self._row.words
        return (
            self._post.max_jobs - words[Word.DONE] - words[Word.FAILED] if self._post.max_jobs else MAX_BATCH
        )

    def _rest(self) -> None:
        """Until the daemon is resumed, or the worker whose place it takes has left."""
        if self._wake_up.is_waiting:
            self._enter()  # puts back what the wait may bring
        self._settle()
        self._outage.note_success()
        self._show("resting")
        self._inbox.wait(REST_SECONDS)

    def _work_once(self) -> None:
        # From now on there may be jobs for it: it has to come back for them.
        self._row.words[_TICK_NS] = clock.monotonic_ns()
        try:
            claim = self._wait_and_claim() if self._is_idle else self._settle_and_claim()
        finally:
            self._row.words[_TICK_NS] = 0
        if claim is None:
            return
        self._is_idle = not (claim.jobs or claim.is_gone or claim.is_cut)
        if claim.is_gone:
            self._is_entered = False
            return
        self._outage.note_success()
        if not claim.is_cut:
            # In the row: its successor goes on counting, however few claims each of them lives for.
            self._row.words[_CLAIMS] += 1
        if claim.jobs and not self._row.may_claim:
            self._give_back(claim.jobs)
        elif claim.jobs:
            self._perform(claim.jobs)

    def _settle_and_claim(self) -> Claim:
        terms = self._claim_terms()
        refused, claim = self._unsettled.send(lambda outcomes: self._store.settle_and_claim(outcomes, *terms))
        self._note_settled(refused)
        return claim

    def _wait_and_claim(self) -> Claim | None:
        """Claim as soon as there is work; None if a signal came before."""
        self._show("idle")
        terms = self._claim_terms()
        claim = self._wake_up.wait_and_claim(
            self._store.claim_call(*terms), terms.lanes, self._inbox.fileno()
        )
        self._inbox.take()
        return claim

    def _claim_terms(self) -> "_Terms":
        lanes = self._turns.lanes_after(self._row.words[_CLAIMS])
        return _Terms(self._holder, self._post.node, lanes, min(self._batch.jobs, self._jobs_left))

    def _give_back(self, jobs: list[Claimed]) -> None:
        """What was claimed at the end of a wait, after the daemon had become quiet."""
        for claimed in jobs:
            self._unsettled.add(Released(self._holder, claimed.job_id, claimed.run))

    def _settle(self) -> None:
        if len(self._unsettled):
            self._note_settled(self._unsettled.send(self._store.settle))

    def _guard(self, holder: str, job_id: str, run: int) -> bool:
        """Before a run that must not be repeated: report what has ended, for this one may take the worker along.

        If that fails the job has not begun, and closing the trip's account puts it back.
        """
        refused, may_begin = self._unsettled.send(
            lambda outcomes: self._store.settle_and_guard(outcomes, holder, job_id, run)
        )
        self._note_settled(refused)
        return may_begin

    def _note_settled(self, refused: list[str]) -> None:
        self._row.words[Word.JOB] = 0
        if refused:
            self._tally.add(Figure.REFUSED, len(refused))
            warn_of_refused(refused)

    def _perform(self, jobs: list[Claimed]) -> None:
        holder = self._holder
        self._show("busy")
        self._unstarted.extend((holder, claimed) for claimed in jobs)
        if len(jobs) > 1:
            self._helper.note_batch()
        began = clock.monotonic()
        try:
            performed = self._perform_all()
        finally:
            self._helper.note_idle()
            self._runs.count(jobs[0].started_ms)
        if performed:
            self._batch.note(performed, clock.monotonic() - began)

    def _perform_all(self) -> int:
        """Run what is left in the deque; what a drain or an interrupt finds unstarted is released."""
        performed = 0
        unstarted, unsettled, hooks = self._unstarted, self._unsettled, self._hooks
        performer, helper = self._performer, self._helper
        while unstarted:
            try:
                holder, claimed = unstarted.popleft()
            except IndexError:
                break  # the helper was quicker
            if self._is_leaving or performer.has_interrupted:
                unsettled.add(Released(holder, claimed.job_id, claimed.run))
                continue
            helper.note_job(clock.monotonic())
            outcome = performer.perform(claimed, holder)
            unsettled.add(outcome)
            if hooks is not None:
                helper.note_hooks(clock.monotonic())
                performer.tell_hooks(outcome)
            performed += 1
        return performed

    def _show(self, what: str) -> None:
        if what != self._shown:
            self._shown = what
            setproctitle(f"bananasd: {self._row.title} [{what}]")

    # The end

    def _leave(self) -> int:
        """Report everything and give back what is held, for as long as it takes; the master has its own clock."""
        if self._jobs_left <= 0:
            logger.info("worker leaves: it has run %d jobs", self._post.max_jobs)
        if self._performer.has_interrupted:
            # The interrupt may have left a reply unread.
            self._open_connection()
        while True:
            try:
                self._close_account()
                self._row.words[Word.TRIP] = 0
                self._outage.note_last_success()
                break
            except ConnectionFailed as error:
                self._tally.add(Figure.REDIS_ERRORS)
                seconds = self._outage.note_failure(error)
                if self._is_leaving and not len(self._unsettled):
                    break  # nothing to report: the scheduler puts back what is held
                self._inbox.wait(seconds)
        self._row.state = State.LEFT
        return 0
