"""await: how jobs stand, and who is told when that changes."""

import re
from collections.abc import Callable

import pytest

from bananasd import ServerRefused
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.doctor import Doctor
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Charge
from tests.conftest import RedisServer
from tests.store.conftest import HOLDER, World

UNKNOWN = "00000000-0000-0000-0000-000000000000"


def _complete(world: World) -> str:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    return job_id


def _bury(world: World) -> str:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.settle([Buried(HOLDER, job_id, 1, "it broke")])
    return job_id


def _cancel_pending(world: World) -> str:
    (job_id,) = world.submit()
    world.store.await_jobs("b", [job_id])
    world.store.cancel(job_id)
    return job_id


def _cancel_scheduled(world: World) -> str:
    (job_id,) = world.schedule(60_000)
    world.store.await_jobs("b", [job_id])
    world.store.cancel(job_id)
    return job_id


def _expire(world: World) -> str:
    (job_id,) = world.submit(expires_in=60)
    world.store.await_jobs("b", [job_id])
    world.mark(job_id, expires_at=1)
    world.enter()
    world.claim()
    return job_id


def _lose_too_often(world: World) -> str:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.recover(HOLDER, Charge.lost(job_id, "it broke"), max_recoveries=1)
    return job_id


def _lose_the_host(world: World) -> str:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.recover(HOLDER, Charge.everything("it broke"), max_recoveries=1)
    return job_id


def _be_slow_for_the_last_time(world: World) -> str:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.store.recover(HOLDER, Charge.failed(job_id, "it broke", -1))
    return job_id


def _be_unreadable_to_a_claim(world: World) -> str:
    (job_id,) = world.submit()
    world.store.await_jobs("b", [job_id])
    world.call("HDEL", world.keys.job(job_id), "spec")
    world.enter()
    world.claim()
    return job_id


def _be_buried_by_the_doctor(world: World) -> str:
    (job_id,) = world.submit()
    world.store.await_jobs("b", [job_id])
    world.call("HDEL", world.keys.job(job_id), "spec")
    list(Doctor(world.transport, "test", is_mending=True).examine())
    return job_id


FAILURES = (
    _bury, _lose_too_often, _lose_the_host, _be_slow_for_the_last_time, _be_unreadable_to_a_claim,
    _be_buried_by_the_doctor,
)  # fmt: skip
ENDS = (_complete, _cancel_pending, _cancel_scheduled, _expire, *FAILURES)


@pytest.mark.parametrize("end", ENDS)
def test_whoever_waits_is_told_of_the_end_once(world: World, end: Callable[[World], str]) -> None:
    job_id = end(world)
    assert 0 < world.call("PTTL", world.keys.mail("b")) <= 60_000
    assert world.mail() == [job_id]


@pytest.mark.parametrize("end", FAILURES)
def test_the_failure_of_a_job_that_somebody_waits_for_outlives_its_record(
    world: World, end: Callable[[World], str]
) -> None:
    job_id = end(world)
    died_at, error = world.record(job_id)["finished_at"], world.record(job_id)["error"]
    world.store.purge_dead([job_id])
    assert world.kept(job_id) == f"!{died_at} {error}"
    assert 0 < world.call("PTTL", world.keys.result(job_id)) <= world.store.retention.failure_ms


def test_a_job_that_comes_back_from_the_dead_is_nobodys_until_somebody_asks(world: World) -> None:
    job_id = _bury(world)
    world.mail()
    world.store.requeue_dead([job_id])
    assert "waiters" not in world.record(job_id)
    assert world.kept(job_id).endswith(" it broke")
    world.claim()
    world.store.settle([Completed(HOLDER, job_id, 2, b"")])
    assert world.mail() == []


def test_a_failure_that_nobody_waits_for_is_kept_in_the_record_alone(world: World) -> None:
    (job_id,) = world.kill()
    assert world.kept(job_id) is None


def test_it_tells_how_each_job_stands_and_the_time(world: World) -> None:
    (waiting,), (running,), (later,), (dead,) = (
        world.submit(queue="other"), world.start(), world.schedule(60_000), world.kill()
    )  # fmt: skip
    before = world.now()
    now, statuses = world.store.await_jobs("b", [dead, waiting, UNKNOWN, running, later])
    assert statuses == ["failed", "pending", "", "processing", "scheduled"]
    assert before <= now <= world.now()


def test_what_has_ended_or_is_not_there_is_left_as_it_is(world: World) -> None:
    (dead,) = world.kill()
    before = world.dump()
    world.store.await_jobs("b", [dead, UNKNOWN])
    world.call("SET", world.keys.job(UNKNOWN), "x")
    assert world.store.await_jobs("b", [UNKNOWN])[1] == [""]
    world.call("DEL", world.keys.job(UNKNOWN))
    assert world.dump() == before


def test_a_server_that_was_demoted_is_not_believed(own_server: RedisServer) -> None:
    world = World(HeldConnection(Server(own_server.url, 5)))
    own_server.call("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(ServerRefused, match="read only replica"):
        world.store.await_jobs("b", [UNKNOWN])


def test_a_mailbox_is_named_once_beside_others(world: World) -> None:
    (job_id,) = world.submit()
    for box in ("b", "long-b", "+b", "b", "+b"):
        world.store.await_jobs(box, [job_id])
    assert world.record(job_id)["waiters"] == "b long-b +b"


def test_those_who_asked_last_are_in_the_record_and_it_does_not_grow(world: World) -> None:
    (job_id,) = world.submit()
    boxes = [f"{n:032x}" for n in range(1100)]
    for box in boxes:
        world.store.await_jobs(box, [job_id])
    named = world.record(job_id)["waiters"].split()
    assert named == boxes[-len(named) :]
    assert 1000 <= len(named) <= 1040


def test_changes_are_told_to_those_who_want_them(world: World) -> None:
    (job_id,) = world.submit()
    world.store.await_jobs("b", [job_id])
    world.store.await_jobs("+c", [job_id])
    world.enter()
    steps: list[Callable[[], object]] = [
        world.claim,
        lambda: world.store.progress(HOLDER, job_id, 1, b"{}"),
        lambda: world.store.settle([Released(HOLDER, job_id, 1)]),
        world.claim,
        lambda: world.store.settle([Retried(HOLDER, job_id, 2, 0, "")]),
        world.store.promote,
        world.claim,
        lambda: world.store.recover(HOLDER, Charge.failed(job_id, "", 0)),
        world.store.promote,
        world.enter,
        world.claim,
        lambda: world.store.recover(HOLDER, Charge.lost(job_id, "")),
        world.enter,
        world.claim,
        lambda: world.store.recover(HOLDER),
    ]
    for step in steps:
        step()
        assert world.mail("c") == ([] if step == world.enter else [job_id])
    world.store.cancel(job_id)
    assert (world.mail("b"), world.mail("c")) == ([job_id], [job_id])


def test_a_mailbox_keeps_the_latest_thousand(world: World) -> None:
    ids = world.submit(1001)
    world.store.await_jobs("b", ids[:500])
    world.store.await_jobs("b", ids[500:])
    for job_id in ids:
        world.store.cancel(job_id)
    assert world.call("LLEN", world.keys.mail("b")) == 1000
    assert world.mail() == ids[1:]


def test_a_mailbox_of_another_type_holds_up_no_job(world: World) -> None:
    (job_id,) = world.start()
    world.store.await_jobs("b", [job_id])
    world.call("SET", world.keys.mail("b"), "x")
    assert world.store.settle([Completed(HOLDER, job_id, 1, b"")]) == []
    assert world.status(job_id) == "completed"


def test_a_job_that_nobody_waits_for_costs_no_command_more(world: World) -> None:
    def commands(*, is_awaited: bool) -> dict[str, int]:
        (job_id,) = world.start()
        if is_awaited:
            world.store.await_jobs("b", [job_id])
        world.call("CONFIG", "RESETSTAT")
        world.store.settle([Completed(HOLDER, job_id, 1, b"")])
        told = re.findall(r"cmdstat_(\w+):calls=(\d+)", world.call("INFO", "commandstats").decode())
        return {name: int(calls) for name, calls in told if not name.startswith(("eval", "config"))}

    usual = {"time": 1, "hmget": 1, "lrem": 1, "hset": 1, "pexpire": 1, "hincrby": 1}
    assert commands(is_awaited=False) == usual
    assert commands(is_awaited=True) == usual | {"rpush": 1, "pexpire": 2}
