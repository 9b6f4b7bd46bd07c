"""One run of a handler, with interrupts at every place where one can come."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bananasd import JobRequest
from bananasd.errors import (
    ConnectionFailed,
    GiveUp,
    JobCancelled,
    JobDrained,
    JobInterrupted,
    JobTimeout,
    LeaseLost,
    RetryLater,
)
from bananasd.handlers import HandlerSpec, Registry
from bananasd.hooks import PARAMETERS, Hooks, WorkerInfo
from bananasd.processes.board import Board
from bananasd.processes.handler_call import call
from bananasd.processes.hook_calls import HookCalls
from bananasd.processes.news import News
from bananasd.processes.performance import Performer, Rules
from bananasd.processes.row import Kind, Reason, State, Word
from bananasd.retry import OPEN, Retry, RetryPolicy
from bananasd.store.claims import Claimed
from bananasd.store.outcomes import Buried, Completed, Released, Retried

HOLDER = "node/1.1"


class NoContext:
    def set_progress(self, job, progress):
        pass

    def should_stop(self, job):
        return False


@pytest.fixture
def row(tmp_path):
    row = Board.create(tmp_path, "node", 1).rows[0]
    row.words[Word.KIND], row.words[Word.GENERATION], row.state = Kind.WORKER, 3, State.UP
    return row


@pytest.fixture
def make_performer(row):
    def make(function, *, is_async=False, timeout_seconds=None, max_retries=None, guard=None, **options):
        spec = HandlerSpec("tested", function, max_retries, timeout_seconds, __file__, 1, is_async, **options)
        rules = Rules(300, RetryPolicy(5, Retry()), 1000)
        return Performer(row, Registry([spec]), rules, NoContext(), lambda name: OPEN, guard)

    return make


def claimed(**options):
    request = JobRequest("tested", {"x": 1}, **options)
    return Claimed("default:normal", request.job_id, 1, request.spec, 0, 0, None, 1000)


def interrupt(performer, row, reason=Reason.TIMEOUT):
    """What the master writes, and the signal."""
    row.words[Word.REASON], row.words[Word.INTERRUPT] = reason, row.words[Word.ARMED]
    performer.attend(0, None)


@pytest.mark.parametrize(
    ("reason", "kind", "outcome"),
    [
        (Reason.TIMEOUT, JobTimeout, Retried),
        (Reason.DRAIN, JobDrained, Released),
        (Reason.LEASE_LOST, LeaseLost, Released),
        (Reason.CANCEL, JobCancelled, Released),
    ],
)
def test_an_interrupt_breaks_into_the_handler_with_its_reason(row, make_performer, reason, kind, outcome):
    raised = []

    def handler(job):
        try:
            interrupt(performer, row, reason)
        except BaseException as error:
            raised.append(type(error))
            raise

    performer = make_performer(handler)
    assert type(performer.perform(claimed(), HOLDER)) is outcome
    assert raised == [kind]
    assert performer.has_interrupted


@pytest.mark.parametrize(
    ("reason", "end", "outcome"),
    [
        (Reason.DRAIN, ValueError, Released),
        (Reason.DRAIN, SystemExit, Released),
        (Reason.LEASE_LOST, ValueError, Released),
        (Reason.CANCEL, ValueError, Released),
        (Reason.TIMEOUT, ValueError, Retried),
        # What it says on purpose counts.
        (Reason.DRAIN, GiveUp, Buried),
    ],
)
def test_what_a_handler_raises_on_its_way_out_is_not_counted_if_it_had_to_go(
    row, make_performer, reason, end, outcome
):
    def handler(job):
        try:
            interrupt(performer, row, reason)
        finally:
            raise end

    performer = make_performer(handler)
    assert type(performer.perform(claimed(), HOLDER)) is outcome


def test_an_interrupt_that_a_handler_makes_up_is_a_failed_attempt(make_performer):
    def handler(job):
        raise JobDrained

    assert type(make_performer(handler).perform(claimed(), HOLDER)) is Retried


def test_an_interrupt_for_the_job_before_hits_nobody(row, make_performer):
    performer = make_performer(lambda job: performer.attend(0, None))
    performer.perform(claimed(), HOLDER)
    row.words[Word.INTERRUPT] = row.words[Word.JOB]
    assert type(performer.perform(claimed(), HOLDER)) is Completed
    assert not performer.has_interrupted


def test_an_interrupt_between_two_jobs_hits_nobody(row, make_performer):
    performer = make_performer(lambda job: None)
    performer.perform(claimed(), HOLDER)
    row.words[Word.INTERRUPT] = row.words[Word.JOB]
    performer.attend(0, None)
    row.words[Word.INTERRUPT] = 0
    performer.attend(0, None)
    assert not performer.has_interrupted


def test_numbers_of_jobs_are_not_those_of_another_child_in_the_same_row(row, make_performer):
    make_performer(lambda job: None).perform(claimed(), HOLDER)
    first = row.words[Word.JOB]
    row.words[Word.GENERATION] += 1
    make_performer(lambda job: None).perform(claimed(), HOLDER)
    assert first != row.words[Word.JOB]


@pytest.mark.parametrize("ends", ["returns", "raises"])
def test_an_interrupt_at_any_instruction_is_an_outcome_and_leaves_nothing_armed(row, make_performer, ends):
    def handler(job):
        if ends == "raises":
            raise ValueError("the handler's own")
        return 5

    performer = make_performer(handler)
    codes = {Performer._run.__code__, call.__code__, handler.__code__}
    normal = Completed if ends == "returns" else Retried
    outcomes, place = [], 0
    while place == len(outcomes):
        performer._interrupt = None
        places = Places(codes, place, lambda: interrupt(performer, row) if row.words[Word.ARMED] else None)
        outcome = in_own_thread(lambda: performed_with(places, performer))  # noqa: B023 - called at once
        assert row.words[Word.ARMED] == performer._armed == 0
        if performer.has_interrupted:
            assert type(outcome) in (normal, Retried)
        else:
            assert type(outcome) is normal
        outcomes.append((performer.has_interrupted, type(outcome)))
        place += places.was_reached
    assert len(outcomes) > 50
    assert {Completed, Retried} <= {kind for _, kind in outcomes} or ends == "raises"
    # One that comes after the return changes nothing.
    assert ends == "raises" or (True, Completed) in outcomes


def performed_with(places, performer):
    with places:
        return performer.perform(claimed(), HOLDER)


def in_own_thread(work):
    """What a trace function raises while an exception is handled stays the thread's current one: no other test's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


class Places:
    """Does something at the n-th instruction of the given code."""

    def __init__(self, codes, number, do):
        self.codes, self.left, self.do = codes, number, do
        self.was_reached = False

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)

    def __exit__(self, *_):
        sys.settrace(self.before)

    def trace(self, frame, event, arg):
        if frame.f_code not in self.codes or self.was_reached:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left < 0:
                self.was_reached = True
                self.do()
        return self.trace


def test_a_result_returned_before_the_loop_of_an_async_handler_was_closed_wins(row, make_performer):
    import asyncio

    async def handler(job):
        # Runs while the loop is being closed.
        asyncio.get_running_loop().create_task(clean_up())
        return 7

    async def clean_up():
        try:
            await asyncio.sleep(1000)
        finally:
            interrupt(performer, row)

    performer = make_performer(handler, is_async=True)
    outcome = performer.perform(claimed(), HOLDER)
    assert type(outcome) is Completed
    assert outcome.result == b"7"


@pytest.mark.parametrize(
    ("of_job", "of_handler", "seconds"), [(None, None, 300), (None, 20, 20), (7, 20, 7), (0, 20, None)]
)
def test_a_jobs_own_timeout_wins_over_its_handlers_and_that_over_the_rule(
    row, make_performer, of_job, of_handler, seconds
):
    views = []
    performer = make_performer(lambda job: views.append(row.job()), timeout_seconds=of_handler)
    performer.perform(claimed(timeout_seconds=of_job), HOLDER)
    (view,) = views
    if seconds is None:
        assert (view.deadline_ns, view.later) == (0, 0)
    else:
        assert view.deadline_ns - view.started_ns == seconds * 10**9


@pytest.mark.parametrize(("attempts", "later"), [(0, 2001), (4, 32001), (5, 0)])
def test_the_row_says_what_follows_should_the_job_be_killed_for_its_time(
    row, make_performer, attempts, later
):
    views = []
    performer = make_performer(lambda job: views.append(row.job()))
    performer.perform(claimed()._replace(attempts=attempts), HOLDER)
    assert views[0].later == later


@pytest.mark.parametrize(
    ("of_job", "of_handler", "tries"), [(None, None, 6), (None, 2, 3), (0, 2, 1), (4, 2, 5)]
)
def test_a_jobs_own_retries_win_over_its_handlers_and_those_over_the_rule(
    make_performer, of_job, of_handler, tries
):
    performer = make_performer(lambda job: 1 / 0, max_retries=of_handler)
    job = claimed(max_retries=of_job)
    kinds = [type(performer.perform(job._replace(attempts=n), HOLDER)) for n in range(tries)]
    assert kinds == [Retried] * (tries - 1) + [Buried]


def test_the_job_stays_in_the_row_after_its_end_but_not_armed(row, make_performer):
    performer = make_performer(lambda job: None)
    job = claimed()
    performer.perform(job, HOLDER)
    assert row.job().job_id == job.job_id
    assert row.words[Word.ARMED] == 0
    assert (row.words[Word.DONE], row.words[Word.FAILED]) == (1, 0)


def test_an_exception_with_a_traceback_that_cannot_be_made_is_a_failed_attempt(make_performer, monkeypatch):
    def handler(job):
        raise ValueError("shown all the same")

    def fail(*_):
        raise RecursionError

    monkeypatch.setattr("traceback.format_exception", fail)
    assert make_performer(handler).perform(claimed(), HOLDER).error == "shown all the same"


# The retry policy, of the job before that of its handler


@pytest.mark.parametrize(
    ("of_job", "of_handler", "delays_ms"),
    [
        (None, None, [2000, 4000, 8000, 16000, 32000, None]),
        (None, [1, 10], [1000, 10000, None]),
        (None, Retry(base_seconds=3, factor=1), [3000] * 5 + [None]),
        ([0.5], [1, 10], [500, None]),
        (Retry(base_seconds=0.1, factor=10, cap_seconds=2), [1, 10], [100, 1000, None]),
    ],
)
def test_pauses_are_those_of_the_job_else_of_its_handler_else_of_the_rule(
    row, make_performer, of_job, of_handler, delays_ms
):
    performer = make_performer(lambda job: 1 / 0, retry=of_handler)
    job = claimed(retry=of_job)
    told, in_the_row = [], []
    for attempts in range(len(delays_ms)):
        outcome = performer.perform(job._replace(attempts=attempts), HOLDER)
        told.append(outcome.delay_ms if type(outcome) is Retried else None)
        in_the_row.append(row.words[Word.LATER])
    assert told == delays_ms
    assert in_the_row == [0 if delay is None else delay + 1 for delay in delays_ms]


class Passing(Exception):
    pass


class Hopeless(Passing):
    pass


@pytest.mark.parametrize(
    ("error", "retry_on", "dead_on", "outcome"),
    [
        (Passing, (Passing,), (), Retried),
        (Hopeless, Passing, (), Retried),
        (ValueError, (Passing,), (), Buried),
        (SystemExit, (Passing,), (), Buried),
        (Hopeless, None, (Hopeless,), Buried),
        (Passing, None, Hopeless, Retried),
        (Hopeless, (Passing,), (Hopeless,), Buried),
        (GiveUp, (GiveUp,), (), Buried),
        (lambda: RetryLater(5), (Passing,), (RetryLater,), Retried),
    ],
)
def test_which_failures_are_tried_again_is_the_handlers_to_say(
    make_performer, error, retry_on, dead_on, outcome
):
    def handler(job):
        raise error()

    performer = make_performer(handler, retry_on=retry_on, dead_on=dead_on)
    assert type(performer.perform(claimed(), HOLDER)) is outcome


def test_a_failure_that_no_retry_can_help_dies_with_its_own_error(make_performer):
    def handler(job):
        raise Hopeless("no such account")

    outcome = make_performer(handler, dead_on=Passing).perform(claimed(), HOLDER)
    assert outcome.error.endswith("Hopeless: no such account")


OF_TIMEOUTS = [
    (None, (), Retried),
    (None, (JobTimeout,), Buried),
    (None, (ValueError,), Retried),
    ((JobTimeout,), (), Retried),
    ((ValueError,), (), Buried),
    ((Exception,), (), Buried),
    ((JobTimeout,), (JobInterrupted,), Buried),
]


@pytest.mark.parametrize("error", [None, ValueError])
@pytest.mark.parametrize(("retry_on", "dead_on", "kind"), OF_TIMEOUTS)
def test_whether_a_job_out_of_time_is_tried_again_is_judged_by_that_whatever_its_handler_raises_then(
    row, make_performer, retry_on, dead_on, kind, error
):
    def handler(job):
        try:
            interrupt(performer, row, Reason.TIMEOUT)
        except BaseException:
            if error:
                raise error from None
            raise

    performer = make_performer(handler, retry_on=retry_on, dead_on=dead_on)
    assert type(performer.perform(claimed(), HOLDER)) is kind


@pytest.mark.parametrize(("retry_on", "dead_on", "kind"), OF_TIMEOUTS)
def test_the_row_says_what_follows_if_the_job_is_killed_for_its_time(
    row, make_performer, retry_on, dead_on, kind
):
    make_performer(lambda job: None, retry_on=retry_on, dead_on=dead_on).perform(claimed(), HOLDER)
    assert row.words[Word.LATER] == (2001 if kind is Retried else 0)


def test_what_a_handler_raises_when_a_drain_interrupts_it_is_not_judged(row, make_performer):
    def handler(job):
        try:
            interrupt(performer, row, Reason.DRAIN)
        finally:
            raise ValueError

    performer = make_performer(handler, retry_on=(Passing,), dead_on=(JobInterrupted, ValueError))
    assert type(performer.perform(claimed(), HOLDER)) is Released


# What must not run twice


@pytest.mark.parametrize(
    ("of_job", "of_handler", "is_guarded"),
    [(None, "retry", False), (None, "dead", True), ("dead", "retry", True), ("retry", "dead", False)],
)
def test_a_run_that_must_not_be_repeated_is_guarded_before_it_begins(
    make_performer, of_job, of_handler, is_guarded
):
    seen = []

    def guard(*run):
        seen.append(run)
        return True

    performer = make_performer(lambda job: seen.append("began"), guard=guard, on_lost=of_handler)
    job = claimed(on_lost=of_job)
    assert type(performer.perform(job, HOLDER)) is Completed
    assert seen == ([(HOLDER, job.job_id, 1)] if is_guarded else []) + ["began"]


def test_a_run_that_is_not_its_workers_any_more_does_not_begin(row, make_performer):
    ran = []
    performer = make_performer(ran.append, guard=lambda *run: False, on_lost="dead")
    assert type(performer.perform(claimed(), HOLDER)) is Released
    assert (ran, row.job()) == ([], None)


def test_without_an_answer_a_guarded_run_does_not_begin(row, make_performer):
    def guard(*run):
        raise ConnectionFailed

    ran = []
    with pytest.raises(ConnectionFailed):
        make_performer(ran.append, guard=guard, on_lost="dead").perform(claimed(), HOLDER)
    assert (ran, row.job()) == ([], None)


@pytest.mark.parametrize(
    ("end", "outcome"), [(None, Buried), (ValueError, Buried), (lambda: RetryLater(0), Retried)]
)
def test_a_guarded_run_that_a_drain_breaks_into_is_dead_unless_its_handler_says_otherwise(
    row, make_performer, end, outcome
):
    def handler(job):
        try:
            interrupt(performer, row, Reason.DRAIN)
        except BaseException:
            if end:
                raise end() from None
            raise

    performer = make_performer(handler, guard=lambda *run: True, on_lost="dead")
    ended = performer.perform(claimed(), HOLDER)
    assert type(ended) is outcome
    if outcome is Buried:
        assert ended.error.endswith("the job was interrupted, and must not run twice")


# Payloads of a type


@pytest.mark.parametrize("is_async", [False, True])
def test_a_typed_handler_gets_its_payload_as_that_type(make_performer, is_async):
    def handler(job, payload: dict[str, float]):
        return [payload["x"], job.payload]

    async def handler_async(job, payload: dict[str, float]):
        return handler(job, payload)

    performer = make_performer(handler_async if is_async else handler, is_async=is_async)
    assert performer.perform(claimed(), HOLDER).result == b'[1.0,{"x":1}]'


@pytest.mark.parametrize("retry_on", [None, (Exception,)])
def test_a_payload_that_does_not_fit_is_dead_at_once_and_the_handler_does_not_begin(
    row, make_performer, retry_on
):
    ran = []

    def handler(job, payload: dict[str, str]):
        ran.append(payload)

    outcome = make_performer(handler, retry_on=retry_on).perform(claimed(), HOLDER)
    assert (type(outcome), ran) == (Buried, [])
    assert outcome.error == "the payload does not fit the handler: $[...]: expected str, got int"
    assert (row.words[Word.ARMED], row.words[Word.FAILED]) == (0, 1)


def test_code_of_a_payloads_type_that_fails_is_a_failed_attempt(make_performer):
    class Model:
        @classmethod
        def model_validate_json(cls, payload):
            raise LookupError("not now")

    def handler(job, payload: Model):
        pass

    assert make_performer(handler).perform(claimed(), HOLDER).error.endswith("LookupError: not now")


class Calls:
    """Hooks that do this, and note what they are called with."""

    def __init__(self, do):
        self.do, self.told = do, []

    def hook(self, *arguments):
        self.told.append(arguments)
        self.do()


@pytest.mark.parametrize("reason", list(Reason))
def test_an_interrupt_that_comes_while_a_hook_runs_hits_neither_the_hook_nor_the_job(row, reason):
    def interrupt_now():
        row.words[Word.REASON], row.words[Word.INTERRUPT] = reason, row.words[Word.JOB]
        performer.attend(0, None)
        passed.append(row.words[Word.ARMED])

    passed = []
    calls = Calls(interrupt_now)
    hooks = HookCalls(
        Hooks("hooks.py", dict.fromkeys(PARAMETERS, calls.hook)),
        WorkerInfo("node", "worker 0", ""),
        News(row.head),
    )
    spec = HandlerSpec("tested", lambda job: 5, None, None, __file__, 1, is_async=False)
    rules = Rules(300, RetryPolicy(5, Retry()), 1000)
    performer = Performer(row, Registry([spec]), rules, NoContext(), lambda name: OPEN, None, hooks)
    outcome = performer.perform(claimed(), HOLDER)
    performer.tell_hooks(outcome)
    assert isinstance(outcome, Completed) and outcome.result == b"5"
    assert passed == [0, 0] and not performer.has_interrupted
    assert [end.outcome for _, end in calls.told[1:]] == ["completed"]
    assert row.words[Word.ENDED] == row.words[Word.JOB]
