"""cancel: end a job that has not started, or have one that runs end; and what becomes of that one."""

from datetime import timedelta

import pytest

from bananasd import ServerRefused
from bananasd.store.doctor import Doctor
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Charge
from tests.store.conftest import HOLDER, NODE, OTHER, OTHER_NODE


def test_a_pending_job_is_cancelled_and_its_record_stays_until_its_id_is_dropped(world):
    (job_id,) = world.submit()
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert (world.status(job_id), world.ready(), world.ttl(job_id)) == ("cancelled", [job_id], -1)
    assert int(world.record(job_id)["finished_at"]) <= world.now()
    world.enter()
    assert world.claim().jobs == []
    assert world.ttl(job_id) > 0


def test_a_scheduled_job_is_cancelled_and_its_record_expires(world):
    (job_id,) = world.schedule(60_000)
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert world.scheduled() == []
    assert 0 < world.ttl(job_id) <= world.store.retention.completed_ms


def test_a_job_that_waits_for_its_next_attempt_can_be_cancelled(world):
    (job_id,) = world.start()
    world.store.settle([Retried(HOLDER, job_id, 1, 0, "")])
    assert world.store.cancel(job_id) == (True, "cancelled")
    assert world.store.promote() == (0, None)


def test_a_running_job_is_left_as_it_is(world):
    (job_id,) = world.start()
    before = world.dump()
    assert world.store.cancel(job_id) == (False, "processing")
    assert world.dump() == before


def test_an_ended_job_is_left_as_it_is(world):
    (completed,) = world.start()
    world.store.settle([Completed(HOLDER, completed, 1, b"")])
    (dead,) = world.kill()
    before = world.dump()
    assert world.store.cancel(completed) == (False, "completed")
    assert world.store.cancel(dead) == (False, "failed")
    assert world.dump() == before


def test_a_repeat_says_that_it_is_cancelled(world):
    (job_id,) = world.submit()
    world.store.cancel(job_id)
    before = world.dump()
    assert world.store.cancel(job_id) == (False, "cancelled")
    assert world.dump() == before
    assert world.counter("cancelled") == 1


def test_an_unknown_job_has_no_status(world):
    assert world.store.cancel("00000000-0000-0000-0000-000000000000") == (False, "")
    assert world.dump() == {}


# A job that runs


def order(job_id, mode="soft", run=1):
    return f"{HOLDER} {job_id} {run} {mode}"


def test_a_running_job_that_is_to_end_is_told_to_its_node(world):
    (job_id,) = world.start()
    assert world.store.cancel(job_id, "soft") == (True, "processing")
    assert (world.status(job_id), world.record(job_id)["cancel"], world.held()) == (
        "processing",
        "soft",
        [job_id],
    )
    assert world.orders() == [order(job_id)]
    assert world.call("LLEN", world.keys.bell(NODE)) == 1
    for key in (world.keys.orders(NODE), world.keys.bell(NODE)):
        assert world.call("PTTL", key) > 0


def test_a_repeat_rings_once(world):
    (job_id,) = world.start()
    for _ in range(2):
        assert world.store.cancel(job_id, "soft") == (True, "processing")
    assert (set(world.orders()), world.call("LLEN", world.keys.bell(NODE))) == ({order(job_id)}, 1)


def test_hard_may_follow_soft_but_not_the_other_way_round(world):
    (job_id,) = world.start()
    for how in ("soft", "hard", "soft"):
        world.store.cancel(job_id, how)
    assert world.record(job_id)["cancel"] == "hard"
    assert world.orders() == [order(job_id), order(job_id, "hard"), order(job_id, "hard")]


@pytest.mark.parametrize("how", ["soft", "hard"])
def test_a_job_that_does_not_run_is_cancelled_at_once_whatever_is_to_become_of_a_running_one(world, how):
    (job_id,) = world.submit()
    assert world.store.cancel(job_id, how) == (True, "cancelled")
    assert world.store.cancel(job_id, how) == (False, "cancelled")
    assert world.orders() == []


def test_another_way_to_cancel_is_refused_and_nothing_is_done(world):
    (job_id,) = world.start()
    before = world.dump()
    with pytest.raises(ServerRefused, match="soft or hard, not brutal"):
        world.store.cancel(job_id, "brutal")
    assert world.dump() == before


@pytest.mark.parametrize("keep", ["", "a day", "-1", "1.5"])
def test_a_time_to_keep_the_record_that_is_none_is_refused_and_nothing_is_done(world, keep):
    (job_id,) = world.submit(unique_key="k", scheduled_for=timedelta(hours=1))
    before = world.dump()
    with pytest.raises(ServerRefused, match="BADCANCEL a record is kept for a number of milliseconds"):
        world.store._run("cancel", [world.keys.scheduled], [world.keys.prefix, job_id, keep, ""])
    assert world.dump() == before


def test_the_orders_of_a_node_that_reads_none_do_not_fill_the_server(world):
    (job_id,) = world.start()
    for _ in range(1010):
        world.store.cancel(job_id, "soft")
    assert world.call("LLEN", world.keys.orders(NODE)) == 1000


ENDS = {
    "completed": lambda w, job_id: w.store.settle([Completed(HOLDER, job_id, 1, b"5")]) == [],
    "retried": lambda w, job_id: w.store.settle([Retried(HOLDER, job_id, 1, 0, "no")]) == [],
    "buried": lambda w, job_id: w.store.settle([Buried(HOLDER, job_id, 1, "never")]) == [],
    "released": lambda w, job_id: w.store.settle([Released(HOLDER, job_id, 1)]) == [],
    "put back": lambda w, job_id: w.store.recover(HOLDER).cancelled == [job_id],
    "lost": lambda w, job_id: w.store.recover(HOLDER, Charge.lost(job_id, "killed")).cancelled == [job_id],
    "lost for the last time": lambda w, job_id: (
        w.store.recover(HOLDER, Charge.everything("lost"), max_recoveries=1).cancelled == [job_id]
    ),
    "out of time": lambda w, job_id: w.store.recover(HOLDER, Charge.failed(job_id, "slow", 9)).cancelled == [job_id],
    "lost while guarded": lambda w, job_id: (
        w.store.settle_and_guard([], HOLDER, job_id, 1)[1]
        and w.store.recover(HOLDER, Charge.unknown("gone")).cancelled == [job_id]
    ),
    "held by nobody who is admitted": lambda w, job_id: (
        w.call("SREM", w.keys.holders, HOLDER) == 1 and mended(w) == ["not_admitted"]
    ),
    "held by nobody": lambda w, job_id: w.call("DEL", w.keys.held(HOLDER)) == 1 and mended(w) == ["not_held"],
}  # fmt: skip
"""Every way in which a run ends, and its reply."""


def mended(world):
    return [finding.fault for finding in Doctor(world.transport, "test", is_mending=True).examine()]


@pytest.mark.parametrize("end", ENDS)
def test_however_its_run_ends_the_job_is_cancelled(world, end):
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.cancel(job_id, "soft")
    assert ENDS[end](world, job_id)
    record = world.record(job_id)
    assert (record["status"], "holder" in record, record.get("attempts"), "error" in record) == (
        "cancelled",
        False,
        None,
        False,
    )
    assert int(record["finished_at"]) <= world.now()
    assert 0 < world.ttl(job_id) <= world.store.retention.completed_ms
    assert (world.held(), world.ready(), world.scheduled(), world.dead(), world.kept(job_id)) == (
        [],
        [],
        [],
        [],
        None,
    )
    assert (world.counter("cancelled"), world.mail()) == (1, [job_id])
    assert sum(world.counter(name) for name in ("completed", "retried", "dead", "lost")) == 0
    assert mended(world) == []


def test_only_the_job_that_was_cancelled_is(world):
    before, cancelled, behind = world.start(3)
    world.store.cancel(cancelled, "hard")
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"") for job_id in (before, cancelled)]) == []
    assert world.store.recover(HOLDER).requeued == [behind]
    assert [world.status(job_id) for job_id in (before, cancelled, behind)] == [
        "completed",
        "cancelled",
        "pending",
    ]


def test_of_a_run_that_is_over_nothing_more_is_taken(world):
    (job_id,) = world.start()
    world.store.cancel(job_id, "soft")
    world.store.settle([Released(HOLDER, job_id, 1)])
    before = world.dump()
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"5")]) == [job_id]
    assert world.dump() == before


def test_the_order_goes_to_the_node_that_runs_it(world):
    (job_id,) = world.start(holder=OTHER)
    world.store.cancel(job_id, "soft")
    assert (world.orders(), world.orders(node=OTHER_NODE)) == ([], [f"{OTHER} {job_id} 1 soft"])
