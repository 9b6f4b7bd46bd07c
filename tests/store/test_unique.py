"""Unique keys: one job alone has a key while it lives, however it ends."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from bananasd import JobRequest
from bananasd.errors import ServerRefused
from bananasd.store.doctor import Doctor
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Accepted, Charge
from tests.store.conftest import HOLDER, LANE, OTHER, World

ANOTHER = "00000000-0000-0000-0000-000000000001"


def owner(world: World, key: str = "k") -> str | None:
    job_id = world.call("GET", world.keys.unique(key))
    return job_id and job_id.decode()


def keyed(**options: object) -> JobRequest:
    return JobRequest("greet", None, **{"unique_key": "k"} | options)


def assert_in_order(world: World) -> None:
    assert list(Doctor(world.transport, "test").examine()) == []


def test_a_duplicate_is_not_accepted_and_the_id_that_is_there_is_told(world: World) -> None:
    (job_id,) = world.submit(unique_key="k")
    before = world.dump()
    assert world.store.submit([keyed()]) == Accepted(0, {0: job_id})
    assert world.store.submit([keyed(on_duplicate="raise")]) == Accepted(0, {0: job_id})
    assert world.dump() == before
    assert (owner(world), world.record(job_id)["unique"]) == (job_id, "end k")


def test_a_key_is_one_for_all_queues_and_another_key_is_another(world: World) -> None:
    (job_id,) = world.submit(unique_key="k", queue="other")
    assert world.store.submit([keyed()]).duplicates == {0: job_id}
    assert world.store.submit([keyed(unique_key="k ")]).new == 1


def test_of_several_in_a_call_the_first_one_is_accepted(world: World) -> None:
    first, other, second, third = keyed(), JobRequest("greet", None), keyed(), keyed()
    accepted = world.store.submit([first, other, second, third])
    assert accepted == Accepted(2, {2: first.job_id, 3: first.job_id})
    assert world.ready() == [first.job_id, other.job_id]


def test_a_duplicate_twice_in_one_call_is_not_accepted_twice(world: World) -> None:
    (job_id,) = world.submit(unique_key="k")
    request = keyed()
    assert world.store.submit([request, request]) == Accepted(0, {0: job_id, 1: job_id})


@pytest.mark.parametrize("on_duplicate", ["return", "replace"])
def test_a_repeat_after_a_lost_reply_changes_nothing_and_returns_the_same(
    world: World, on_duplicate: str
) -> None:
    world.submit(unique_key="other")
    requests = [keyed(on_duplicate=on_duplicate) for _ in range(3)]
    requests.append(keyed(unique_key="other", on_duplicate=on_duplicate))
    ids = [list(world.store.submit(requests).duplicates.items())]
    before = world.dump()
    ids += [list(world.store.submit(requests).duplicates.items())]
    assert ids[0] == ids[1]
    assert world.dump() == before


def _complete(world: World, job_id: str) -> None:
    world.claim()
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"1")]) == []


def _bury(world: World, job_id: str) -> None:
    world.claim()
    assert world.store.settle([Buried(HOLDER, job_id, 1, "never")]) == []


def _reschedule_and_cancel(world: World, job_id: str) -> None:
    world.store.reschedule(job_id, "+60000")
    world.store.cancel(job_id)


def _expire(world: World, job_id: str) -> None:
    world.mark(job_id, expires_at=1)
    world.claim()
    assert world.status(job_id) == "expired"


def _lose_too_often(world: World, job_id: str) -> None:
    world.claim()
    assert world.store.recover(HOLDER, Charge.lost(job_id, "killed"), max_recoveries=1).dead == [job_id]


def _kill_for_its_time(world: World, job_id: str) -> None:
    world.claim()
    assert world.store.recover(HOLDER, Charge.failed(job_id, "slow", -1)).dead == [job_id]


def _lose_what_must_not_run_twice(world: World, job_id: str) -> None:
    world.claim()
    world.store.settle_and_guard([], HOLDER, job_id, 1)
    assert world.store.recover(HOLDER, Charge.unknown("gone")).dead == [job_id]


def _spoil_and_claim(world: World, job_id: str) -> None:
    world.call("HDEL", world.keys.job(job_id), "spec")
    assert world.claim().jobs == []
    assert world.dead() == [job_id]


def _spoil_and_mend(world: World, job_id: str) -> None:
    world.mark(job_id, lane="nowhere")
    list(Doctor(world.transport, "test", is_mending=True).examine())
    assert world.dead() == [job_id]


def _leave_guarded_with_a_stranger(world: World, job_id: str) -> None:
    world.claim()
    world.store.settle_and_guard([], HOLDER, job_id, 1)
    world.call("SREM", world.keys.holders, HOLDER)
    list(Doctor(world.transport, "test", is_mending=True).examine())
    assert world.dead() == [job_id]


def _cancel_what_nobody_holds(world: World, job_id: str) -> None:
    world.claim()
    world.store.cancel(job_id, "soft")
    world.call("DEL", world.keys.held(HOLDER))
    list(Doctor(world.transport, "test", is_mending=True).examine())
    assert world.status(job_id) == "cancelled"


def _spoil_and_promote(world: World, job_id: str) -> None:
    world.store.reschedule(job_id, "+60000")
    world.call("ZADD", world.keys.scheduled, 1, job_id)
    world.call("HDEL", world.keys.job(job_id), "lane")
    world.store.promote()
    assert world.dead() == [job_id]


def _bury_and_purge(world: World, job_id: str) -> None:
    _bury(world, job_id)
    assert world.store.purge_dead([job_id]) == 1


ENDS: dict[str, Callable[[World, str], object]] = {
    "completed": _complete,
    "dead": _bury,
    "dead and purged": _bury_and_purge,
    "cancelled while pending": lambda world, job_id: world.store.cancel(job_id),
    "cancelled while scheduled": _reschedule_and_cancel,
    "expired": _expire,
    "lost too often": _lose_too_often,
    "killed for its time": _kill_for_its_time,
    "lost and not to run twice": _lose_what_must_not_run_twice,
    "unreadable at its claim": _spoil_and_claim,
    "unreadable when due": _spoil_and_promote,
    "buried by the doctor": _spoil_and_mend,
    "buried by the doctor for its holder": _leave_guarded_with_a_stranger,
    "cancelled, and held by nobody": _cancel_what_nobody_holds,
}


@pytest.mark.parametrize("until", ["end", "start"])
@pytest.mark.parametrize("end", ENDS)
def test_the_key_dies_with_its_job_however_that_ends(world: World, end: str, until: str) -> None:
    (job_id,) = world.submit(unique_key="k", unique_until=until)
    world.enter()
    ENDS[end](world, job_id)
    assert owner(world) is None
    (other,) = world.submit(unique_key="k")
    assert owner(world) == other


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_job_leaves_a_key_alone_that_another_has_by_now(world: World, end: str) -> None:
    (job_id,) = world.submit(unique_key="k", unique_seconds=60)
    world.call("DEL", world.keys.unique("k"))  # its time is over
    world.enter()
    (other,) = world.submit(queue="other", unique_key="k")
    ENDS[end](world, job_id)
    assert owner(world) == other


def test_a_job_that_is_tried_again_keeps_its_key_meanwhile(world: World) -> None:
    (job_id,) = world.start(unique_key="k")
    world.store.settle([Retried(HOLDER, job_id, 1, 60_000, "no")])
    assert owner(world) == job_id
    world.store.reschedule(job_id, "0")
    world.claim()
    world.store.settle([Released(HOLDER, job_id, 2)])
    world.claim()
    world.store.recover(HOLDER, Charge.lost(job_id, "killed"))
    assert (owner(world), world.status(job_id)) == (job_id, "pending")


def test_until_its_start_a_job_has_its_key_until_it_is_claimed(world: World) -> None:
    (first,) = world.submit(unique_key="k", unique_until="start")
    assert world.store.submit([keyed()]).duplicates == {0: first}
    world.enter()
    world.claim()
    (second,) = world.submit(unique_key="k", unique_until="start")
    world.store.settle([Retried(HOLDER, first, 1, 60_000, "no")])
    world.store.reschedule(first, "0")
    world.store.reschedule(second, "+60000")
    assert [job.job_id for job in world.claim().jobs] == [first]
    assert owner(world) == second
    world.store.settle([Completed(HOLDER, first, 2, b"")])
    assert owner(world) == second


def test_a_key_is_free_after_its_time_at_the_latest(world: World) -> None:
    (job_id,) = world.submit(unique_key="k", unique_seconds=timedelta(minutes=1))
    assert 0 < world.call("PTTL", world.keys.unique("k")) <= 60_000
    assert world.record(job_id)["unique_ms"] == "60000"
    (other,) = world.submit(unique_key="for good")
    assert world.call("PTTL", world.keys.unique("for good")) == -1
    assert "unique_ms" not in world.record(other)
    assert_in_order(world)


def _lose_the_record(world: World, job_id: str) -> None:
    world.call("DEL", world.keys.job(job_id))


LEFTOVERS: dict[str, Callable[[World, str], object]] = {
    "a job without a record": _lose_the_record,
    "a job that has ended": lambda world, job_id: world.mark(job_id, status="completed"),
    "a record without a status": lambda world, job_id: world.call("HDEL", world.keys.job(job_id), "status"),
    "a record that is none": lambda world, job_id: world.call("SET", world.keys.job(job_id), "x"),
    "a job with another key": lambda world, job_id: world.mark(job_id, unique="end x"),
    "a job without a key": lambda world, job_id: world.call("HDEL", world.keys.job(job_id), "unique"),
    "what is no id": lambda world, _: world.call("SET", world.keys.unique("k"), "x"),
    "a job whose time to wait is over": lambda world, job_id: world.mark(job_id, expires_at=1),
    "a key of another type": lambda world, _: (
        world.call("DEL", world.keys.unique("k")),
        world.call("RPUSH", world.keys.unique("k"), "x"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFTOVERS)
def test_a_key_that_no_living_job_has_is_taken_over(world: World, what: str) -> None:
    (job_id,) = world.submit(unique_key="k")
    LEFTOVERS[what](world, job_id)
    (other,) = world.submit(unique_key="k")
    assert owner(world) == other


def test_a_job_that_lost_its_key_to_its_time_expires_and_takes_it_from_nobody(world: World) -> None:
    (old,) = world.submit(unique_key="k", expires_in=60)
    world.mark(old, expires_at=1)
    assert_in_order(world)
    (new,) = world.submit(unique_key="k")
    world.enter()
    assert [job.job_id for job in world.claim(5).jobs] == [new]
    assert (world.status(old), owner(world)) == ("expired", new)
    assert_in_order(world)


def test_a_run_keeps_its_key_however_long_its_job_might_have_waited(world: World) -> None:
    (running,) = world.start(unique_key="k", expires_in=60)
    world.mark(running, expires_at=1)
    assert world.store.submit([keyed()]).duplicates == {0: running}


# replace


def test_a_pending_job_is_replaced(world: World) -> None:
    (old,) = world.submit(unique_key="k")
    world.store.await_jobs("b", [old])
    new = keyed(on_duplicate="replace")
    assert world.store.submit([new]) == Accepted(1, {})
    assert (world.status(old), world.mail(), owner(world)) == ("cancelled", [old], new.job_id)
    assert (world.counter("cancelled"), world.counter("submitted"), world.ttl(old)) == (1, 2, -1)
    assert world.ready() == [old, new.job_id]
    assert_in_order(world)
    world.enter()
    assert [job.job_id for job in world.claim(5).jobs] == [new.job_id]
    assert world.ttl(old) > 0


def test_a_scheduled_job_is_replaced_and_so_is_one_that_waits_for_its_next_try(world: World) -> None:
    (scheduled,) = world.submit(unique_key="k", scheduled_for=timedelta(hours=1))
    (retried,) = world.start(unique_key="other")
    world.store.settle([Retried(HOLDER, retried, 1, 60_000, "no")])
    requests = [keyed(unique_key=key, on_duplicate="replace") for key in ("k", "other")]
    assert world.store.submit(requests).new == 2
    assert (world.scheduled(), world.ready()) == ([], [request.job_id for request in requests])
    for job_id in (scheduled, retried):
        assert (world.status(job_id), 0 < world.ttl(job_id) <= 86_400_000) == ("cancelled", True)
    assert_in_order(world)


def test_a_running_job_is_not_replaced(world: World) -> None:
    (running,) = world.start(unique_key="k")
    before = world.dump()
    assert world.store.submit([keyed(on_duplicate="replace")]) == Accepted(0, {0: running})
    assert world.dump() == before


def test_of_several_in_a_call_the_last_one_replaces_the_others(world: World) -> None:
    requests = [keyed(on_duplicate="replace") for _ in range(3)]
    assert world.store.submit(requests) == Accepted(3, {})
    assert [world.status(request.job_id) for request in requests] == ["cancelled", "cancelled", "pending"]
    assert owner(world) == requests[2].job_id


# Dead jobs that come back


def killed(world: World, **options: object) -> str:
    (job_id,) = world.start(unique_key="k", **options)
    world.store.settle([Buried(HOLDER, job_id, 1, "never")])
    return job_id


def test_a_dead_job_that_comes_back_has_its_key_again(world: World) -> None:
    job_id = killed(world, unique_seconds=60)
    assert world.store.requeue_dead([job_id]) == [job_id]
    assert owner(world) == job_id
    assert 0 < world.call("PTTL", world.keys.unique("k")) <= 60_000
    assert world.store.submit([keyed()]).duplicates == {0: job_id}


def test_a_dead_job_whose_key_another_has_stays_dead(world: World) -> None:
    dead = killed(world)
    (other,) = world.submit(unique_key="k")
    before = world.dump()
    assert world.store.requeue_dead([dead]) == []
    assert world.dump() == before
    world.store.cancel(other)
    assert world.store.requeue_dead([dead]) == [dead]
    assert owner(world) == dead


def test_of_two_dead_jobs_with_a_key_one_comes_back_at_a_time(world: World) -> None:
    first, second = killed(world), killed(world)
    assert world.store.requeue_dead([first, second]) == [first]
    assert (owner(world), world.dead()) == (first, [second])


def test_a_time_for_a_key_that_is_no_number_costs_no_dead_job(world: World) -> None:
    job_id = killed(world, unique_seconds=60)
    for odd in ("0", "-1", "1e300", "x"):
        world.mark(job_id, unique_ms=odd, status="failed")
        world.call("DEL", world.keys.unique("k"))
        world.call("ZADD", world.keys.dead, 1, job_id)
        assert world.store.requeue_dead([job_id]) == [job_id]
        assert (owner(world), world.call("PTTL", world.keys.unique("k"))) == (job_id, -1)


# What it costs


def commands(world: World, call: Callable[[], object]) -> dict[str, int]:
    """Which commands the scripts of a call send, and how often."""
    world.call("CONFIG", "RESETSTAT")
    call()
    told = re.findall(r"cmdstat_(\w+):calls=(\d+)", world.call("INFO", "commandstats").decode())
    return {name: int(calls) for name, calls in told if not name.startswith(("eval", "config"))}


def life(world: World, **options: object) -> dict[str, dict[str, int]]:
    """What a job's transitions cost that is submitted so."""
    requests = [JobRequest("greet", None, **options) for _ in range(3)]
    completed, dead, lost = [request.job_id for request in requests]
    return {
        "submit": commands(world, lambda: world.store.submit(requests)),
        "claim": commands(world, lambda: world.claim(3)),
        "complete": commands(world, lambda: world.store.settle([Completed(HOLDER, completed, 1, b"")])),
        "bury": commands(world, lambda: world.store.settle([Buried(HOLDER, dead, 1, "never")])),
        "recover": commands(
            world, lambda: world.store.recover(HOLDER, Charge.lost(lost, "killed"), max_recoveries=1)
        ),
        "requeue_dead": commands(world, lambda: world.store.requeue_dead([dead])),
        "cancel": commands(world, lambda: world.store.cancel(dead)),
    }


LEAST = {
    "submit": {"exists": 2, "hset": 3, "rpush": 2, "sadd": 1, "hincrby": 1},
    "claim": {"time": 1, "sismember": 1, "zscore": 1, "lpop": 2, "hmget": 3, "hset": 3, "rpush": 1, "exists": 2},
    "complete": {"time": 1, "hmget": 1, "lrem": 1, "hset": 1, "pexpire": 1, "hincrby": 1},
    "bury": {"time": 1, "hmget": 1, "lrem": 1, "hset": 2, "hdel": 1, "zadd": 1, "hincrby": 1},
    "recover": {"time": 1, "hmget": 1, "hget": 1, "rpop": 2, "hset": 2, "hdel": 2, "zadd": 1, "hincrby": 2,
                "srem": 1, "exists": 1},
    "requeue_dead": {"time": 1, "hmget": 1, "zrem": 1, "hset": 1, "hdel": 1, "rpush": 1, "sadd": 1, "exists": 1},
    "cancel": {"time": 1, "hmget": 1, "zrem": 1, "hset": 1, "hdel": 1, "hincrby": 1},
}  # fmt: skip
"""What they cost a job that could not be unique, and cost one that is not."""


def test_a_job_without_a_key_costs_not_one_command_more(world: World) -> None:
    for _ in range(2):  # the second time the scripts are known
        world.call("FLUSHDB")
        world.enter()
        costs = life(world)
    assert costs == LEAST


# The words of other languages


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ('{"unique":5}', "unique"),
        ('{"unique":""}', "unique"),
        ('{"unique":null}', "unique"),
        ('{"unique":"%s"}' % ("k" * 1001), "unique"),
        ('{"unique":"k","unique_ms":0}', "unique_ms"),
        ('{"unique":"k","unique_ms":"5"}', "unique_ms"),
        ('{"unique":"k","unique_until":"now"}', "unique_until"),
        ('{"unique":"k","on_duplicate":true}', "on_duplicate"),
    ],
)
def test_what_cannot_be_right_is_told_and_nothing_is_done(world: World, extra: str, why: str) -> None:
    words = [world.keys.prefix, ANOTHER, "{}", LANE, "", extra]
    with pytest.raises(ServerRefused, match=f"BADJOB.*{ANOTHER}.*{why}"):
        world.store._run("submit", [world.keys.scheduled], words)
    assert world.dump() == {}


def test_another_holder_that_comes_late_frees_nothing(world: World) -> None:
    (job_id,) = world.start(unique_key="k")
    assert world.store.settle([Completed(OTHER, job_id, 1, b""), Completed(HOLDER, job_id, 2, b"")]) == [
        job_id,
        job_id,
    ]
    assert owner(world) == job_id
