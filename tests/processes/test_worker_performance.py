"""One run of a handler, with interrupts at every place where one can come."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bananasd.errors import GiveUp, JobDrained, JobTimeout, LeaseLost
from bananasd.handlers import HandlerSpec, Registry
from bananasd.job import JobRequest
from bananasd.processes.board import Board
from bananasd.processes.performance import Performer, Rules, call
from bananasd.processes.row import Kind, Reason, State, Word
from bananasd.retry import RetryPolicy
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Claimed

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
    def make(function, *, is_async=False, timeout_seconds=None, max_retries=None):
        spec = HandlerSpec("tested", function, max_retries, timeout_seconds, __file__, 1, is_async)
        rules = Rules(300, RetryPolicy(max_retries=5), 1000)
        return Performer(row, Registry([spec]), rules, NoContext(), lambda name: None)

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
