"""The helper thread of a worker, without a server."""

from collections import deque

import pytest

from bananasd import clock
from bananasd.errors import ConnectionFailed
from bananasd.processes.helper import Helper
from bananasd.processes.tally import Tally
from bananasd.processes.unsettled import Unsettled
from bananasd.store.claims import Claimed
from bananasd.store.outcomes import Completed, Released
from tests.conftest import wait_until

LONG_AGO = -1.0


class Settled:
    """A store that keeps what it is told, after so many failures."""

    def __init__(self, failures=0):
        self.outcomes, self.failures = [], failures

    def settle(self, outcomes):
        if self.failures:
            self.failures -= 1
            raise ConnectionFailed("lost")
        self.outcomes += outcomes
        return []


@pytest.fixture
def make_helper(monkeypatch):
    monkeypatch.setattr("bananasd.processes.helper.PAUSE_AFTER_FAILURE_SECONDS", 0.01)

    def make(failures=0):
        store = Settled(failures)
        unstarted, unsettled = deque(), Unsettled()
        return Helper(unstarted, unsettled, lambda: store, Tally.of_nobody()), unstarted, unsettled, store

    return make


def claimed(job_id):
    return Claimed("default:normal", job_id, 1, b"{}", 0, 0, None, 1000)


@pytest.mark.parametrize("failures", [0, 3])
def test_behind_a_long_job_everything_is_released_in_order_and_settled_under_its_own_holder(
    make_helper, failures
):
    helper, unstarted, unsettled, store = make_helper(failures)
    unsettled.add(Completed("n/1.1", "a", 1, b""))
    unstarted.extend([("n/1.1", claimed("b")), ("n/1.2", claimed("c"))])
    helper.note_job(clock.monotonic() + LONG_AGO)
    helper.note_batch()
    wait_until(lambda: len(store.outcomes) == 3)
    assert store.outcomes == [
        Completed("n/1.1", "a", 1, b""),
        Released("n/1.1", "b", 1),
        Released("n/1.2", "c", 1),
    ]
    assert not unstarted
    wait_until(lambda: not len(unsettled))


def test_what_was_claimed_is_left_alone_until_a_job_runs_long(make_helper, monkeypatch):
    monkeypatch.setattr("bananasd.processes.helper.REST_AFTER_SECONDS", 0.1)
    helper, unstarted, unsettled, store = make_helper()
    helper.note_job(clock.monotonic() + LONG_AGO)
    helper.note_idle()
    unstarted.append(("n/1.2", claimed("a")))
    unsettled.add(Completed("n/1.2", "b", 1, b""))
    helper.note_batch()
    # It rests: it has looked many times by then.
    wait_until(lambda: not helper._is_needed.is_set())
    assert len(unstarted) == len(unsettled) == 1
    assert store.outcomes == []


def test_after_a_rest_it_looks_after_the_next_batch(make_helper, monkeypatch):
    monkeypatch.setattr("bananasd.processes.helper.REST_AFTER_SECONDS", 0.01)
    helper, unstarted, _, store = make_helper()
    helper.note_batch()
    wait_until(lambda: not helper._is_needed.is_set())
    thread = helper._thread
    unstarted.append(("n/1.1", claimed("a")))
    helper.note_job(clock.monotonic() + LONG_AGO)
    helper.note_batch()
    wait_until(lambda: store.outcomes)
    assert helper._thread is thread


def test_without_room_for_a_thread_the_next_batch_tries_again(make_helper, monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    helper, unstarted, _, store = make_helper()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", fail)
        helper.note_batch()
    unstarted.append(("n/1.1", claimed("a")))
    helper.note_job(clock.monotonic() + LONG_AGO)
    helper.note_batch()
    wait_until(lambda: store.outcomes)


def test_outcomes_stay_until_the_trip_has_come_back():
    unsettled = Unsettled()
    unsettled.add(Completed("n/1.1", "a", 1, b""))

    def fail(outcomes):
        unsettled.add(Completed("n/1.1", "b", 1, b""))
        raise ConnectionFailed("lost")

    with pytest.raises(ConnectionFailed):
        unsettled.send(fail)
    assert len(unsettled) == 2


def test_an_outcome_that_comes_during_a_trip_is_not_taken_for_settled():
    unsettled = Unsettled()
    unsettled.add(Completed("n/1.1", "a", 1, b""))
    sent = []

    def trip(outcomes):
        unsettled.add(Completed("n/1.1", "b", 1, b""))
        sent.extend(outcome.job_id for outcome in outcomes)

    unsettled.send(trip)
    assert (sent, len(unsettled)) == (["a"], 1)
