"""When a job is interrupted, when its worker is killed, and when both are let be; no processes, no time."""

import signal

import pytest

from bananasd.processes import interrupts
from bananasd.processes.board import Board
from bananasd.processes.child import ATTENTION
from bananasd.processes.interrupts import Interrupter
from bananasd.processes.row import Cause, Kind, Reason, State, Word

PID, GRACE_SECONDS = 4711, 5


@pytest.fixture
def sent(monkeypatch):
    """The signals that were sent, and to whom: a pid, or with a minus a group."""
    sent = []
    monkeypatch.setattr("os.kill", lambda pid, signum: sent.append((pid, signum)))
    monkeypatch.setattr("os.killpg", lambda group, signum: sent.append((-group, signum)))
    return sent


@pytest.fixture
def row(tmp_path):
    row = Board.create(tmp_path, "node", 1).rows[0]
    row.words[Word.KIND], row.words[Word.PID], row.words[Word.GENERATION] = Kind.WORKER, PID, 1
    row.state = State.UP
    return row


@pytest.fixture
def watch(row, sent):
    """One look at the row; what was sent."""
    interrupter = Interrupter()

    def watch(now, *, is_draining=False):
        sent.clear()
        interrupter.watch([row], now, GRACE_SECONDS, is_draining=is_draining)
        return [signum for _, signum in sent]

    return watch


def arm(row, number, deadline=0):
    row.begin_job(number, "11111111-1111-4111-8111-111111111111", "x", 1, int(deadline * 1e9), 0)
    row.words[Word.ARMED] = number


def test_a_job_is_interrupted_at_its_deadline_then_each_second_and_killed_after_the_grace(row, watch, sent):
    arm(row, 7, deadline=100)
    told = {now: watch(now) for now in (99.9, 100, 100.5, 101, 101.5, 102, 104.9)}
    assert [now for now, signums in told.items() if signums] == [100, 101, 102, 104.9]
    assert {signum for signums in told.values() for signum in signums} == {ATTENTION}
    assert (row.words[Word.INTERRUPT], row.words[Word.REASON]) == (7, Reason.TIMEOUT)
    watch(105)
    assert sent == [(-PID, signal.SIGKILL), (PID, signal.SIGKILL)]
    assert (row.words[Word.CAUSE], row.words[Word.CAUSE_JOB]) == (Cause.TIME, 7)
    assert watch(106) == []


def test_a_job_without_a_deadline_is_let_be(row, watch):
    arm(row, 7)
    assert watch(10**6) == []


def test_a_finished_job_that_has_not_been_settled_is_let_be(row, watch):
    arm(row, 7, deadline=100)
    watch(100)
    row.words[Word.ARMED], row.words[Word.ENDED] = 0, 7
    assert watch(200) == watch(300) == []


def test_a_worker_that_hangs_in_what_its_handler_left_is_killed_after_the_grace(row, watch):
    arm(row, 7)
    row.words[Word.ARMED] = 0
    assert watch(100) == watch(104.9) == []
    assert watch(105) == [signal.SIGKILL, signal.SIGKILL]
    assert (row.words[Word.CAUSE], row.words[Word.CAUSE_JOB]) == (Cause.HUNG, 7)


def test_each_job_has_its_own_time_to_be_looked_at(row, watch):
    for job in (7, 8, 9):
        arm(row, job)
        row.words[Word.ARMED] = 0
        assert watch(100 + 3 * job) == []
    row.words[Word.ENDED] = 9
    assert watch(200) == []


def test_the_first_cause_of_a_kill_stands(row, watch):
    arm(row, 7, deadline=100)
    watch(100)
    watch(105)
    interrupts.kill(row, Cause.STOP)
    assert row.words[Word.CAUSE] == Cause.TIME


def test_the_next_job_has_its_own_grace(row, watch):
    arm(row, 7, deadline=100)
    watch(100)
    arm(row, 8, deadline=101)
    assert watch(105) == [ATTENTION]
    assert row.words[Word.INTERRUPT] == 8
    assert watch(109.9) == [ATTENTION]
    assert watch(110) == [signal.SIGKILL, signal.SIGKILL]


def test_a_job_that_ends_just_before_the_kill_is_let_be(row, watch, monkeypatch):
    arm(row, 7, deadline=100)
    watch(100)
    kill_for = interrupts._kill_for

    def end_first(row, armed, reason):
        row.words[Word.ARMED] = 0
        kill_for(row, armed, reason)

    monkeypatch.setattr(interrupts, "_kill_for", end_first)
    assert watch(105) == []
    assert row.words[Word.CAUSE] == Cause.NONE


def test_a_lost_job_is_interrupted_and_killed_without_a_charge(row, watch):
    arm(row, 7)
    row.words[Word.LOST] = 6
    assert watch(1) == []
    row.words[Word.LOST] = 7
    assert watch(2) == [ATTENTION]
    assert row.words[Word.REASON] == Reason.LEASE_LOST
    watch(7)
    assert row.words[Word.CAUSE] == Cause.LEASE_LOST


def test_a_cancelled_job_is_interrupted_after_a_second_and_killed_after_the_grace(row, watch, sent):
    arm(row, 7)
    row.cancel(7, is_hard=False)
    told = {now: watch(now) for now in (100, 100.9, 101, 101.5, 102, 105.9)}
    assert [now for now, signums in told.items() if signums] == [101, 102, 105.9]
    assert {signum for signums in told.values() for signum in signums} == {ATTENTION}
    assert (row.words[Word.INTERRUPT], row.words[Word.REASON]) == (7, Reason.CANCEL)
    watch(106)
    assert sent == [(-PID, signal.SIGKILL), (PID, signal.SIGKILL)]
    assert (row.words[Word.CAUSE], row.words[Word.CAUSE_JOB]) == (Cause.CANCELLED, 7)


def test_a_hard_cancel_kills_at_once_whatever_the_job_has_been_asked_before(row, watch):
    arm(row, 7, deadline=100)
    assert watch(100) == [ATTENTION]
    row.cancel(7, is_hard=True)
    assert watch(100.1) == [signal.SIGKILL, signal.SIGKILL]
    assert (row.words[Word.CAUSE], row.words[Word.CAUSE_JOB]) == (Cause.CANCELLED, 7)
    assert watch(200) == []


def test_the_next_job_is_let_be_by_a_cancel_that_came_too_late(row, watch):
    for is_hard in (False, True):
        arm(row, 8)
        row.cancel(7, is_hard=is_hard)
        assert watch(100) == watch(200) == []


def test_a_cancelled_job_that_has_finished_is_let_be(row, watch):
    arm(row, 7)
    row.cancel(7, is_hard=True)
    row.words[Word.ARMED], row.words[Word.ENDED] = 0, 7
    assert watch(100) == watch(200) == []


def test_each_cancelled_job_has_its_own_second(row, watch):
    arm(row, 7)
    row.cancel(7, is_hard=False)
    watch(100)
    arm(row, 8)
    row.cancel(8, is_hard=False)
    assert watch(101) == watch(101.9) == []
    assert watch(102) == [ATTENTION]


def test_a_deadline_that_comes_within_that_second_is_kept(row, watch):
    arm(row, 7, deadline=100.5)
    row.cancel(7, is_hard=False)
    assert watch(100) == []
    assert watch(100.5) == [ATTENTION]
    assert row.words[Word.REASON] == Reason.TIMEOUT


def test_a_drain_interrupts_but_does_not_kill_for_the_grace(row, watch):
    arm(row, 7)
    assert watch(1) == []
    assert watch(2, is_draining=True) == [ATTENTION]
    assert row.words[Word.REASON] == Reason.DRAIN
    assert watch(60, is_draining=True) == [ATTENTION]
    assert row.words[Word.CAUSE] == Cause.NONE


def test_a_deadline_that_comes_after_the_drains_interrupt_charges_nothing(row, watch):
    arm(row, 7, deadline=100)
    watch(99, is_draining=True)
    assert watch(104.5, is_draining=True) == [ATTENTION]
    assert row.words[Word.REASON] == Reason.DRAIN
    assert row.words[Word.CAUSE] == Cause.NONE


def test_a_kill_names_the_job_that_ran(row, sent):
    arm(row, 7)
    interrupts.kill(row, Cause.STOP)
    assert (row.words[Word.CAUSE], row.words[Word.CAUSE_JOB]) == (Cause.STOP, 7)
    assert sent == [(-PID, signal.SIGKILL), (PID, signal.SIGKILL)]
