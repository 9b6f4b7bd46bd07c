"""mend_job: what test_doctor.py cannot make happen, for the doctor never asks in vain."""

import hashlib

import pytest

from bananasd.store.mending import Mender, Suspect
from tests.store.conftest import HOLDER, LANE, World

PLACES = [f"ready:{LANE}".encode(), f"held:{HOLDER}".encode(), b"scheduled", b"dead", b"ready:default:high"]


@pytest.mark.parametrize("places", [[], PLACES, [PLACES[0]] * 3], ids=["nowhere", "everywhere", "thrice"])
def test_jobs_in_order_are_left_alone_wherever_they_are_said_to_have_been(
    world: World, mender: Mender, places: list[bytes]
) -> None:
    ids = [*world.kill(), *world.start(), *world.schedule(60_000), *world.submit(2), "never heard of"]
    world.store.cancel(ids[-2])
    before = world.dump()
    assert mender.mend_jobs([Suspect(job_id.encode(), places) for job_id in ids]) == []
    assert world.dump() == before


@pytest.mark.parametrize("places", [[], PLACES, [PLACES[0]] * 3], ids=["nowhere", "everywhere", "thrice"])
def test_moved_jobs_in_order_are_left_alone_wherever_they_are_said_to_have_been(
    world: World, mender: Mender, places: list[bytes]
) -> None:
    """What they have left behind is counted in all lanes, for they may have been moved since they were seen."""
    waiting, cancelled, later, gone = world.submit(4)
    for job_id in (waiting, cancelled, later, gone):
        for priority in ("high", "low", "high"):
            world.store.reprioritise(job_id, priority, "")
    world.store.cancel(cancelled)
    world.store.reschedule(later, "+60000")
    world.store.reschedule(gone, "+60000")
    world.call("DEL", world.keys.job(gone))
    world.call("ZREM", world.keys.scheduled, gone)
    before = world.dump()
    ids = (waiting, cancelled, later, gone)
    assert [mender.mend_jobs([Suspect(job_id.encode(), places)]) for job_id in ids] == [[]] * 4
    assert mender.mend_jobs([Suspect(job_id.encode(), places) for job_id in ids]) == []
    assert world.dump() == before


def test_of_a_moved_job_that_is_buried_those_ids_stay_counted_that_were_not_seen(
    world: World, mender: Mender
) -> None:
    (job_id,) = world.submit()
    world.store.reprioritise(job_id, "high", "")
    world.store.reprioritise(job_id, "low", "")
    world.mark(job_id, status="lost")
    suspect = Suspect(job_id.encode(), [PLACES[0], b"ready:default:low"])
    assert [found.fault for found in mender.mend_jobs([suspect])] == ["bad_status"]
    assert (world.ready("default:high"), world.call("HGET", world.keys.moved, job_id)) == ([job_id], b"1")
    world.enter()
    assert world.claim(5).jobs == []
    assert (world.dead(), world.call("EXISTS", world.keys.moved)) == ([job_id], 0)


def test_a_complaint_is_for_the_spec_that_was_read(world: World, mender: Mender) -> None:
    (job_id,) = world.submit()
    another = hashlib.sha1(b"another", usedforsecurity=False).hexdigest()
    suspect = Suspect(job_id.encode(), [PLACES[0]], "it is none", another)
    assert mender.mend_jobs([suspect]) == []
    digest = hashlib.sha1(world.record(job_id)["spec"].encode(), usedforsecurity=False).hexdigest()
    assert [found.fault for found in mender.mend_jobs([suspect._replace(digest=digest)])] == ["bad_spec"]
    assert (world.dead(), world.ready()) == ([job_id], [])
    assert world.record(job_id)["error"] == "the job cannot be run: it is none"


def test_a_job_that_runs_is_left_until_its_run_ends(world: World, mender: Mender) -> None:
    (job_id,) = world.start()
    world.call("HDEL", world.keys.job(job_id), "spec", "lane")
    assert mender.mend_jobs([Suspect(job_id.encode(), [PLACES[1]])]) == []


def test_a_repeat_changes_nothing(world: World, mender: Mender) -> None:
    (job_id,) = world.submit()
    world.call("DEL", world.keys.job(job_id))
    suspects = [Suspect(job_id.encode(), [PLACES[0]])]
    assert len(mender.mend_jobs(suspects)) == 1
    before = world.dump()
    assert mender.mend_jobs(suspects) == []
    assert world.dump() == before


def test_a_lane_that_gets_a_job_back_has_a_token(world: World, mender: Mender) -> None:
    (job_id,) = world.submit()
    world.call("DEL", f"{world.keys.prefix}ready:{LANE}")
    world.take_tokens()
    mender.mend_jobs([Suspect(job_id.encode(), [])])
    assert world.tokens() == 1


@pytest.mark.parametrize("run", [1, 2])
def test_a_run_that_nobody_holds_is_not_repeated_if_it_is_the_guarded_one(
    world: World, mender: Mender, run: int
) -> None:
    (job_id,) = world.start()
    world.store.settle_and_guard([], HOLDER, job_id, 1)
    world.mark(job_id, run=run)
    world.call("DEL", world.keys.held(HOLDER))
    assert [found.fault for found in mender.mend_jobs([Suspect(job_id.encode(), [])])] == ["not_held"]
    assert (world.dead(), world.ready()) == (([job_id], []) if run == 1 else ([], [job_id]))
