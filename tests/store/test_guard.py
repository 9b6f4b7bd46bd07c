"""guard: note that a run which is about to begin must not be repeated should it be lost."""

import pytest

from bananasd.store.outcomes import Completed, Released
from bananasd.store.store import Charge, Recovery
from tests.store.conftest import HOLDER, LEASE_MS, NODE, OTHER, OTHER_NODE, STALE


def guard(world, job_id: str, run: int = 1, holder: str = HOLDER) -> bool:
    return world.store.settle_and_guard([], holder, job_id, run)[1]


def end(world, job_id: str) -> tuple[str, str | None, str]:
    record = world.record(job_id)
    return record["status"], record.get("error"), record.get("recoveries", "0")


def test_the_record_says_which_run_must_not_be_repeated(world):
    (job_id,) = world.start()
    assert guard(world, job_id)
    assert world.record(job_id)["guarded_run"] == "1"
    before = world.dump()
    assert guard(world, job_id)
    assert world.dump() == before


# It reads the record alone: the held list decides about settling, and recovery goes by that.
@pytest.mark.parametrize("stale", [case for case in STALE if case != "not on the held list"], indirect=True)
def test_a_run_that_is_over_may_not_begin_and_nothing_changes(world, stale):
    holder, job_id, run = stale
    before = world.dump()
    assert not guard(world, job_id, run, holder)
    assert world.dump() == before


def test_what_has_ended_is_reported_in_the_same_trip(world):
    done, next_one = world.start(2)
    outcomes = [Completed(HOLDER, done, 1, b""), Completed(HOLDER, done, 9, b"")]
    assert world.store.settle_and_guard(outcomes, HOLDER, next_one, 1) == ([done], True)
    assert (world.status(done), world.held()) == ("completed", [next_one])


# Its loss


@pytest.mark.parametrize("kind", ["lost", "all", "nothing"])
def test_a_guarded_run_that_is_lost_is_dead_at_once_with_the_cause(world, kind):
    guarded, other = world.start(2)
    guard(world, guarded)
    ran = guarded if kind == "lost" else ""
    recovery = world.store.recover(HOLDER, Charge(kind, ran, "the host burnt down"), max_recoveries=3)
    assert recovery == Recovery([other], [], [guarded], [])
    assert end(world, guarded) == ("failed", "the host burnt down", "1")
    assert (world.dead(), world.ready(), world.held()) == ([guarded], [other], [])
    assert world.counter("lost") == (2 if kind == "all" else 1)


def test_one_that_had_ended_but_was_not_reported_is_dead_and_says_so(world):
    ended, ran = world.start(2)
    guard(world, ended)
    assert world.store.recover(HOLDER, Charge.lost(ran, "killed")) == Recovery([ran], [], [ended], [])
    assert end(world, ended) == ("failed", "how it ended was not reported: killed", "1")


def test_a_worker_that_knows_it_not_to_have_begun_puts_it_back(world):
    (job_id,) = world.start()
    guard(world, job_id)
    assert world.store.recover(HOLDER) == Recovery([job_id], [], [], [])
    assert end(world, job_id) == ("pending", None, "0")


def test_one_that_was_killed_for_its_time_is_a_failed_attempt(world):
    (job_id,) = world.start()
    guard(world, job_id)
    assert world.store.recover(HOLDER, Charge.failed(job_id, "too slow", 5)) == Recovery([], [job_id], [], [])


def test_a_node_that_is_lost_takes_only_those_along_that_had_begun(world):
    begun, waiting = world.start(2, holder=OTHER)
    guard(world, begun, holder=OTHER)
    world.lease(OTHER_NODE, -1)
    world.lease(NODE, 10_000)
    world.beaten(NODE, ms_ago=0, alive_for_ms=LEASE_MS + 1)
    charge = Charge.everything("host lost")
    recovery = world.store.recover(OTHER, charge, judge=NODE, lease_ms=LEASE_MS)
    assert recovery == Recovery([waiting], [], [begun], [])
    assert not guard(world, begun, holder=OTHER)


@pytest.mark.parametrize("way", ["released", "dead and brought back"])
def test_the_note_holds_for_no_other_run(world, way):
    (job_id,) = world.start()
    guard(world, job_id)
    if way == "released":
        world.store.settle([Released(HOLDER, job_id, 1)])
    else:
        world.store.recover(HOLDER, Charge.lost(job_id, "killed"))
        world.store.requeue_dead([job_id])
        world.enter()
    assert world.claim().jobs[0].run == 2
    assert world.store.recover(HOLDER, Charge.everything("lost")) == Recovery([job_id], [], [], [])


# The doctor's part


def test_of_a_holder_that_nobody_would_recover_the_guarded_run_is_dead(world, mender):
    guarded, other = world.start(2)
    guard(world, guarded)
    world.call("SREM", world.keys.holders, HOLDER)
    mender.mend_holder(HOLDER)
    assert (world.dead(), world.ready()) == ([guarded], [other])
    assert "must not be repeated" in world.record(guarded)["error"]
