"""One run of a handler: guarded against everything that it may raise, and open to an interrupt only meanwhile."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .. import clock, log
from ..errors import (
    BadPayload,
    GiveUp,
    JobCancelled,
    JobDrained,
    JobInterrupted,
    JobTimeout,
    LeaseLost,
    RetryLater,
)
from ..handlers import HandlerSpec, Registry
from ..job import Job, RunContext, encode_result, read_spec
from ..limits import MAX_SECONDS, is_id
from ..retry import RetryPolicy
from ..store.claims import Claimed
from ..store.outcomes import Buried, Completed, Outcome, Released, Retried
from . import forks
from .error_texts import error_text, fit_to_keep, last_line, said
from .handler_call import call
from .hook_calls import HookCalls
from .row import Reason, Row, Word
from .run_tally import RunTally

logger = logging.getLogger(__name__)

_NOTHING = object()
_NO_FAULT = (Reason.DRAIN, Reason.LEASE_LOST, Reason.CANCEL)
"""Whatever a handler raises when it is interrupted for one of these: that it had to go is not its fault."""
_ARMED, _DONE, _ENDED, _FAILED, _INTERRUPT, _REASON = (
    int(word) for word in (Word.ARMED, Word.DONE, Word.ENDED, Word.FAILED, Word.INTERRUPT, Word.REASON)
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a run: the job's word, else its handler's, else the configuration's."""

    timeout_seconds: float
    retry: RetryPolicy
    result_bytes: int
    on_lost: str = "retry"

    def under(self, said: HandlerSpec | Job) -> "Rules":
        """What this handler or job says, and these for the rest."""
        own = said.retry_policy if isinstance(said, Job) else said.policy
        timeout = self.timeout_seconds if said.timeout_seconds is None else said.timeout_seconds
        return Rules(timeout, own.over(self.retry), self.result_bytes, said.on_lost or self.on_lost)


class Performer:
    """Runs claimed jobs, one after the other, and says how each ended."""

    def __init__(
        self,
        row: Row,
        registry: Registry,
        rules: Rules,
        context: RunContext,
        declared_policy: Callable[[str], RetryPolicy],
        guard: Callable[[str, str, int], bool],
        hooks: HookCalls | None = None,
        runs: RunTally | None = None,
    ) -> None:
        """``guard`` keeps a run, by holder, id and number, from being repeated; False: it is not this worker's any more."""
        self.is_copy = False
        """Whether this process is one that a handler has forked."""
        self._row = row
        self._registry = registry
        self._rules = rules
        self._rules_of = {spec.name: rules.under(spec) for spec in registry}
        self._context = context
        self._declared_policy = declared_policy
        self._guard = guard
        self._hooks = hooks
        self._runs = runs or RunTally.of_nobody([spec.name for spec in registry])
        self._took_ns, self._since_ms = self._runs.took_ns, self._runs.since_ms
        self._armed = self._started_ns = 0
        self._interrupt: Reason | None = None
        # Job's numbers are never used again either: what is written into the row too late means nobody.
        self._number = row.generation << 32

    @property
    def has_interrupted(self) -> bool:
        """Whether an interrupt was raised: it may have left locks held, so this process should end soon."""
        return self._interrupt is not None

    def attend(self, _signum: int, _frame: FrameType | None) -> None:
        """The signal handler: break into the handler's call, if it is the very one that is meant.

        A signal may be late: the number in the row must be that of the call that is running now.
        """
        words = self._row.words
        if self._armed and words[_INTERRUPT] == self._armed:
            self._interrupt = Reason(words[_REASON])
            raise _interrupt_for(self._interrupt)

    def perform(self, claimed: Claimed, holder: str) -> Outcome:
        """Run one job; every way in which that can end is an outcome."""
        try:
            job = self._read(claimed)
        except ValueError as error:
            return self._without_handler(
                Buried(holder, claimed.job_id, claimed.run, f"the job cannot be run: {error}")
            )
        name = job.name
        spec = self._registry.get(name)
        if spec is None:
            return self._miss_handler(job, holder)
        rules = self._rules_of[name]
        if job.has_rules:
            rules = rules.under(job)
        if rules.on_lost == "dead" and not self._guard(holder, job.id, job.run):
            return Released(holder, job.id, job.run)  # which will be refused
        outcome = self._run(job, spec, rules, holder)
        if self._interrupt is not None:
            self._runs.note_interrupt(name, self._interrupt)
        # What it returned or raised has been looked at: until now the user's code could still hang this worker.
        self._row.words[_ENDED] = self._number
        return outcome

    def tell_hooks(self, outcome: Outcome) -> None:
        """Call the hooks that follow a run. Whoever calls this has kept the outcome: one that hangs ends the worker."""
        assert self._hooks is not None  # noqa: S101 - whoever has none calls nobody
        # As if its end were not known yet: see `Interrupter`.
        self._row.words[_ENDED] = 0
        self._hooks.after(outcome)
        self._row.words[_ENDED] = self._number

    def _miss_handler(self, job: Job, holder: str) -> Outcome:
        text = f"no handler is loaded for the name {job.name!r}"
        if self._hooks is not None:
            self._hooks.note_error(job, LookupError(text))
            # In the row, so that somebody sees it if a hook hangs.
            self._number += 1
            self._row.begin_job(
                self._number, job.id, job.name, clock.monotonic_ns(), 0, 0, job.run, job.attempt
            )
        policy = job.retry_policy.over(self._declared_policy(job.name)).over(self._rules.retry)
        return self._without_handler(self._fail(job, holder, text, policy))

    def _without_handler(self, outcome: Retried | Buried) -> Outcome:
        self._runs.note_without_handler(outcome)
        return outcome

    def _read(self, claimed: Claimed) -> Job:
        lane, job_id, run, text, attempts, recoveries, due_ms, started_ms = claimed
        if not is_id(job_id):
            raise ValueError("its id is no UUID")
        spec = read_spec(text)
        if run == attempts + 1:
            # Since when one waits that came back without an attempt's end its record does not say.
            self._since_ms[lane].append(due_ms or spec.get("created_at"))
        job = Job.claimed(job_id, spec, lane, (run, attempts, recoveries), due_ms, started_ms)
        job.bind(self._context)
        return job

    def _run(self, job: Job, spec: HandlerSpec, rules: Rules, holder: str) -> Outcome:
        self._begin(job, spec, rules)
        log.set_job(job.id, spec.name, job.attempt)
        if self._hooks is not None:
            self._hooks.before(job)
        result = _NOTHING
        try:
            try:
                self._armed = self._row.words[_ARMED] = self._number
                result = call(spec, job)
            finally:
                if self.is_copy:
                    forks.end_copy()
                self._armed = 0
                self._row.words[_ARMED] = 0
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything, SystemExit included
            # An interrupt may have come between any two steps above.
            self._armed = 0
            self._row.words[_ARMED] = 0
            if result is _NOTHING:
                return self._note_end(spec, self._raised(job, spec, rules, holder, error))
        finally:
            log.clear_job()
        return self._returned(job, spec, holder, result)

    def _begin(self, job: Job, spec: HandlerSpec, rules: Rules) -> None:
        """Show the job in the row."""
        self._number += 1
        started_ns = self._started_ns = clock.monotonic_ns()
        deadline_ns = later = 0
        if rules.timeout_seconds:
            deadline_ns = started_ns + int(rules.timeout_seconds * 1e9)
            later = _later(job, spec, rules)
        self._row.begin_job(
            self._number, job.id, spec.name, started_ns, deadline_ns, later, job.run, job.attempt
        )

    def _note_end(self, spec: HandlerSpec, outcome: Retried | Buried | Released) -> Outcome:
        self._runs.note(spec.name, outcome, clock.monotonic_ns() - self._started_ns)
        return outcome

    def _returned(self, job: Job, spec: HandlerSpec, holder: str, result: Any) -> Outcome:
        try:
            encoded = encode_result(result, self._rules.result_bytes)
        except Exception as error:  # noqa: BLE001 - a result may have code of its own, which runs here
            if self._hooks is not None:
                self._hooks.note_error(job, error)
            # The work is done: doing it again could not make the result any better.
            return self._note_end(spec, self._bury(job, holder, f"the handler returned, but {said(error)}"))
        self._row.words[_DONE] += 1
        took_ns = clock.monotonic_ns() - self._started_ns
        self._took_ns[spec.name].append(took_ns)
        if logger.isEnabledFor(logging.INFO):
            logger.info("job completed id=%s name=%s attempt=%d ms=%.0f",
                        job.id, job.name, job.attempt, took_ns / 1e6)  # fmt: skip
        return Completed(holder, job.id, job.run, encoded)

    def _raised(
        self, job: Job, spec: HandlerSpec, rules: Rules, holder: str, error: BaseException
    ) -> Retried | Buried | Released:
        if self._hooks is not None:
            self._hooks.note_error(job, error)
        if isinstance(error, RetryLater):
            return self._fail(job, holder, f"RetryLater: {said(error)}", rules.retry, _wanted_ms(error))
        final = self._final_error(spec, rules, error)
        if final is not None:
            return self._bury(job, holder, final)
        if self._interrupt in _NO_FAULT:
            # To the server a job that was cancelled is so after this, as after any other outcome.
            logger.warning("job interrupted id=%s name=%s cause=%s", job.id, job.name, type(error).__name__)
            return Released(holder, job.id, job.run)
        return self._fail(job, holder, error_text(error), rules.retry)

    def _final_error(self, spec: HandlerSpec, rules: Rules, error: BaseException) -> str | None:
        """What the job dies of at once; None if another run may follow."""
        if isinstance(error, BadPayload):
            return f"the payload does not fit the handler: {said(error)}"
        if isinstance(error, GiveUp):
            return f"the handler gave up: {said(error) or 'it gave no reason'}"
        if self._interrupt in _NO_FAULT:
            final = "the job was interrupted, and must not run twice"
            return f"{error_text(error)}\n{final}" if rules.on_lost == "dead" else None
        # Whatever it raises when its time is over: that it had to go is why.
        judged = error if self._interrupt is None else _interrupt_for(self._interrupt)
        return None if spec.is_worth_a_retry(judged) else error_text(error)

    def _fail(
        self,
        job: Job,
        holder: str,
        error: str,
        policy: RetryPolicy,
        wanted_delay_ms: int | None = None,
    ) -> Retried | Buried:
        """A failed attempt: another one after a delay, or none if there were enough."""
        delay_ms = _delay_ms(job, policy)
        if delay_ms is None:
            return self._bury(job, holder, error)
        self._row.words[_FAILED] += 1
        delay_ms = delay_ms if wanted_delay_ms is None else wanted_delay_ms
        logger.warning("job failed id=%s name=%s attempt=%d retry_in_ms=%d error=%s",
                       job.id, job.name, job.attempt, delay_ms, last_line(error))  # fmt: skip
        return Retried(holder, job.id, job.run, delay_ms, fit_to_keep(error))

    def _bury(self, job: Job, holder: str, error: str) -> Buried:
        self._row.words[_FAILED] += 1
        logger.error(
            "job dead id=%s name=%s attempt=%d error=%s", job.id, job.name, job.attempt, last_line(error)
        )
        return Buried(holder, job.id, job.run, fit_to_keep(error))


def _later(job: Job, spec: HandlerSpec, rules: Rules) -> int:
    """What shall follow if it is killed for its time: see `Word.LATER`."""
    delay_ms = _delay_ms(job, rules.retry) if spec.is_retried_after_a_timeout else None
    return 0 if delay_ms is None else delay_ms + 1


def _delay_ms(job: Job, policy: RetryPolicy) -> int | None:
    """Milliseconds until the attempt after this one, None if there is none."""
    seconds = policy.delay_seconds(job.attempt, random.random)
    return None if seconds is None else int(seconds * 1000)


def _wanted_ms(error: RetryLater) -> int | None:
    """The delay that a handler asked for; None, as if it had not, for what is no number."""
    seconds = getattr(error, "seconds", None)
    return int(max(0, min(seconds, MAX_SECONDS)) * 1000) if isinstance(seconds, (int, float)) else None


def _interrupt_for(reason: Reason) -> JobInterrupted:
    if reason is Reason.TIMEOUT:
        return JobTimeout("the job ran longer than its timeout")
    if reason is Reason.DRAIN:
        return JobDrained("the daemon stops")
    if reason is Reason.CANCEL:
        return JobCancelled("the job was cancelled")
    return LeaseLost("this node was cut off and its jobs were given to others")
