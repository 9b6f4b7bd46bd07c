"""Every kind of disorder, made by hand on a real server: found, told, mended, and gone then."""

from collections.abc import Callable
from typing import Any

import pytest

from bananasd.store.doctor import Doctor
from bananasd.store.faults import FAULTS, Finding
from bananasd.store.outcomes import Buried, Completed
from bananasd.store.places import Places
from tests.store.conftest import HOLDER, LANE, NODE, World

DISORDER: dict[str, tuple[str, Callable[[World], str], str]] = {}
"""What was done → the fault that it is, how it is done (returns whose fault it is), the job's status when it is mended."""


def disorder(fault: str, status: str) -> Callable[[Callable[[World], str]], None]:
    def note(make: Callable[[World], str]) -> None:
        DISORDER[make.__name__] = (fault, make, status)

    return note


def ready_key(world: World, lane: str = LANE) -> str:
    return f"{world.keys.prefix}ready:{lane}"


def examine(world: World, *, is_mending: bool = False) -> list[Finding]:
    return list(Doctor(world.transport, "test", is_mending=is_mending).examine())


@disorder("no_record", "failed")
def an_id_in_a_lane_without_a_record(world: World) -> str:
    (job_id,) = world.submit()
    world.call("DEL", world.keys.job(job_id))
    return job_id


@disorder("no_record", "failed")
def a_held_id_without_a_record(world: World) -> str:
    (job_id,) = world.start()
    world.call("DEL", world.keys.job(job_id))
    return job_id


@disorder("no_record", "failed")
def a_scheduled_id_without_a_record(world: World) -> str:
    (job_id,) = world.schedule(60_000)
    world.call("DEL", world.keys.job(job_id))
    return job_id


@disorder("no_dead_record", "")
def a_dead_id_without_a_record(world: World) -> str:
    (job_id,) = world.kill()
    world.call("DEL", world.keys.job(job_id))
    return job_id


@disorder("no_hash", "failed")
def a_record_that_is_a_string(world: World) -> str:
    (job_id,) = world.submit()
    world.call("DEL", world.keys.job(job_id))
    world.call("SET", world.keys.job(job_id), "x")
    return job_id


@disorder("no_status", "failed")
def a_record_without_a_status(world: World) -> str:
    (job_id,) = world.submit()
    world.call("HDEL", world.keys.job(job_id), "status")
    return job_id


@disorder("bad_status", "failed")
def a_status_that_is_none(world: World) -> str:
    (job_id,) = world.submit()
    world.mark(job_id, status="asleep")
    return job_id


@disorder("bad_status", "failed")
def a_status_that_is_not_utf_8(world: World) -> str:
    (job_id,) = world.submit()
    world.call("HSET", world.keys.job(job_id), "status", b"\xff")
    return job_id


@disorder("no_lane", "failed")
def a_record_without_a_lane(world: World) -> str:
    (job_id,) = world.submit()
    world.call("HDEL", world.keys.job(job_id), "lane")
    return job_id


@disorder("bad_lane", "failed")
def a_lane_that_nobody_serves(world: World) -> str:
    (job_id,) = world.submit()
    world.mark(job_id, lane="default:urgent")
    return job_id


@disorder("no_spec", "failed")
def a_record_without_a_spec(world: World) -> str:
    (job_id,) = world.submit()
    world.call("HDEL", world.keys.job(job_id), "spec")
    return job_id


@disorder("bad_spec", "failed")
def a_spec_of_a_future_version(world: World) -> str:
    (job_id,) = world.submit()
    world.mark(job_id, spec='{"v":2,"name":"x","payload":1}')
    return job_id


@disorder("bad_spec", "failed")
def a_spec_that_is_not_utf_8(world: World) -> str:
    (job_id,) = world.schedule(60_000)
    world.call("HSET", world.keys.job(job_id), "spec", b'{"v":1,"name":"\xff","payload":1}')
    return job_id


@disorder("bad_spec", "failed")
def an_id_that_is_no_uuid(world: World) -> str:
    world.call(
        "HSET",
        world.keys.job("7"),
        "spec",
        '{"v":1,"name":"x","payload":1}',
        "lane",
        LANE,
        "status",
        "pending",
    )
    world.call("SADD", world.keys.queues, "default")
    world.call("RPUSH", ready_key(world), "7")
    return "7"


@disorder("bad_run", "failed")
def a_run_that_is_no_number(world: World) -> str:
    (job_id,) = world.start()
    world.mark(job_id, run="one")
    return job_id


@disorder("bad_counter", "pending")
def a_counter_that_is_no_number(world: World) -> str:
    (job_id,) = world.submit()
    world.mark(job_id, attempts="many")
    return job_id


@disorder("twice", "pending")
def an_id_twice_in_its_lane(world: World) -> str:
    job_id, _ = world.submit(2)
    world.call("RPUSH", ready_key(world), job_id)
    return job_id


@disorder("elsewhere", "pending")
def an_id_in_two_lanes(world: World) -> str:
    (job_id,) = world.submit()
    world.submit(priority="high")
    world.call("RPUSH", ready_key(world, "default:high"), job_id)
    return job_id


@disorder("elsewhere", "processing")
def a_job_that_runs_in_a_lane_too(world: World) -> str:
    (job_id,) = world.start()
    world.submit()
    world.call("RPUSH", ready_key(world), job_id)
    return job_id


@disorder("elsewhere", "pending")
def a_pending_job_among_the_scheduled(world: World) -> str:
    (job_id,) = world.submit()
    world.call("ZADD", world.keys.scheduled, 1, job_id)
    return job_id


@disorder("elsewhere", "completed")
def a_completed_job_that_is_held(world: World) -> str:
    job_id, _ = world.start(2)
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    world.call("RPUSH", world.keys.held(HOLDER), job_id)
    return job_id


@disorder("elsewhere", "cancelled")
def a_job_that_was_cancelled_as_it_ran_in_its_lane(world: World) -> str:
    job_id, _ = world.start(2)
    world.store.cancel(job_id, "soft")
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    world.call("RPUSH", ready_key(world), job_id, job_id)
    return job_id


@disorder("in_no_lane", "pending")
def a_pending_job_in_no_lane(world: World) -> str:
    (job_id,) = world.submit()
    world.call("DEL", ready_key(world))
    return job_id


@disorder("not_held", "pending")
def a_processing_job_that_nobody_holds(world: World) -> str:
    (job_id,) = world.start()
    world.call("DEL", world.keys.held(HOLDER))
    return job_id


@disorder("not_held", "pending")
def a_processing_job_without_a_holder(world: World) -> str:
    (job_id,) = world.start()
    world.call("DEL", world.keys.held(HOLDER))
    world.call("HDEL", world.keys.job(job_id), "holder")
    return job_id


@disorder("not_scheduled", "scheduled")
def a_scheduled_job_that_is_not_in_the_set(world: World) -> str:
    (job_id,) = world.schedule(60_000)
    world.call("DEL", world.keys.scheduled)
    return job_id


@disorder("not_dead", "failed")
def a_failed_job_that_is_not_among_the_dead(world: World) -> str:
    (job_id,) = world.kill()
    world.call("DEL", world.keys.dead)
    return job_id


@disorder("expires", "pending")
def a_living_job_that_would_vanish(world: World) -> str:
    (job_id,) = world.submit()
    world.call("PEXPIRE", world.keys.job(job_id), 60_000)
    return job_id


@disorder("kept", "completed")
def an_ended_job_that_would_never_vanish(world: World) -> str:
    (job_id,) = world.start()
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    world.call("PERSIST", world.keys.job(job_id))
    return job_id


@disorder("not_admitted", "")
def a_held_list_without_its_holder(world: World) -> str:
    world.start(2)
    world.call("SREM", world.keys.holders, HOLDER)
    return HOLDER


@disorder("stale_holder", "")
def a_holder_of_a_node_that_has_gone(world: World) -> str:
    world.start()
    world.store.leave(NODE)
    return HOLDER


@disorder("unknown_key", "")
def a_key_that_nobody_knows(world: World) -> str:
    world.call("SET", f"{world.keys.prefix}notes", "x")
    return "notes"


@disorder("wrong_type", "")
def a_key_of_a_wrong_type(world: World) -> str:
    world.call("SET", world.keys.dead, "x")
    return "dead"


@disorder("key_expires", "")
def a_list_that_would_vanish(world: World) -> str:
    world.submit()
    world.call("PEXPIRE", ready_key(world), 60_000)
    return f"ready:{LANE}"


@disorder("key_stays", "")
def a_mailbox_that_would_never_vanish(world: World) -> str:
    world.call("RPUSH", world.keys.mail("b"), "x")
    return "mail:b"


@disorder("stale_unique", "")
def a_key_of_a_job_that_has_gone(world: World) -> str:
    (job_id,) = world.submit(unique_key="k")
    world.store.cancel(job_id)
    world.call("SET", world.keys.unique("k"), job_id)
    return "unique:k"


@disorder("key_stays", "")
def orders_that_would_never_vanish(world: World) -> str:
    world.store.cancel(world.start()[0], "soft")
    world.call("PERSIST", world.keys.orders(NODE))
    return f"orders:{NODE}"


@disorder("key_stays", "")
def a_bell_that_would_never_vanish(world: World) -> str:
    world.store.cancel(world.start()[0], "soft")
    world.call("PERSIST", world.keys.bell(NODE))
    return f"bell:{NODE}"


@disorder("wrong_type", "")
def orders_that_are_no_list(world: World) -> str:
    world.call("SET", world.keys.orders(NODE), "x")
    return f"orders:{NODE}"


@disorder("unlisted_queue", "")
def a_queue_that_is_not_listed(world: World) -> str:
    world.submit()
    world.call("DEL", world.keys.queues)
    return f"ready:{LANE}"


@disorder("bad_count", "")
def a_sum_that_is_no_number(world: World) -> str:
    world.call("HSET", world.keys.stats, "completed", "some")
    return "stats"


def moved(world: World, *priorities: str) -> str:
    """A job that was pending in these lanes, and now is in the last of them."""
    (job_id,) = world.submit(1, priorities[0])
    for priority in priorities[1:]:
        world.store.reprioritise(job_id, priority, "")
    return job_id


@disorder("bad_moved", "pending")
def a_moved_job_that_left_more_ids_behind_than_is_said(world: World) -> str:
    job_id = moved(world, "high", "low", "normal")
    world.call("HSET", world.keys.moved, job_id, 1)
    return job_id


@disorder("bad_moved", "pending")
def a_moved_job_that_left_fewer_ids_behind_than_is_said(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.call("HSET", world.keys.moved, job_id, 2)
    return job_id


@disorder("bad_moved", "processing")
def a_job_that_was_never_moved_but_is_said_to_have_been(world: World) -> str:
    (job_id,) = world.start()
    world.call("HSET", world.keys.moved, job_id, 1)
    return job_id


@disorder("bad_moved", "pending")
def a_number_of_ids_left_behind_that_is_none(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.call("HSET", world.keys.moved, job_id, "many")
    return job_id


@disorder("bad_moved", "")
def a_moved_job_that_is_gone_with_all_its_ids(world: World) -> str:
    job_id = "00000000-0000-0000-0000-000000000000"
    world.call("HSET", world.keys.moved, job_id, 1)
    return job_id


@disorder("elsewhere", "pending")
def a_job_that_was_moved_and_nobody_knows_it(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.call("DEL", world.keys.moved)
    return job_id


@disorder("in_no_lane", "pending")
def a_moved_job_of_which_only_what_it_left_behind_is_there(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.call("DEL", ready_key(world, "default:low"))
    return job_id


@disorder("no_record", "failed")
def a_moved_job_whose_record_was_lost_while_it_waited(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.call("DEL", world.keys.job(job_id))
    return job_id


@disorder("bad_counter", "cancelled")
def a_moved_job_that_was_cancelled_with_a_counter_that_is_no_number(world: World) -> str:
    job_id = moved(world, "high", "low")
    world.store.cancel(job_id)
    world.mark(job_id, attempts="many")
    return job_id


@disorder("bad_status", "failed")
def a_moved_job_with_a_status_that_is_none(world: World) -> str:
    job_id = moved(world, "high", "low", "high")
    world.mark(job_id, status="lost")
    return job_id


@pytest.fixture(params=DISORDER)
def case(world: World, request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A fault, whose it is, and the status of the job once it is mended."""
    fault, make, status = DISORDER[request.param]
    subject = make(world)
    return fault, subject, status


def test_every_fault_has_a_case() -> None:
    assert {fault for fault, _, _ in DISORDER.values()} == set(FAULTS)


def test_a_fault_is_told_and_nothing_is_changed(world: World, case: tuple[str, str, str]) -> None:
    fault, subject, _ = case
    before = world.dump()
    assert [(found.fault, found.subject, found.is_mended) for found in examine(world)] == [
        (fault, subject, False)
    ]
    assert world.dump() == before


def test_a_fault_is_mended_once_and_no_job_is_lost(world: World, case: tuple[str, str, str]) -> None:
    fault, subject, status = case
    jobs = set(world.call("KEYS", world.keys.job("*")))
    assert [(found.fault, found.subject, found.is_mended) for found in examine(world, is_mending=True)] == [
        (fault, subject, True)
    ]
    assert examine(world) == []
    assert set(world.call("KEYS", world.keys.job("*"))) >= jobs
    if status:
        assert world.record(subject)["status"] == status
        assert bool(world.record(subject).get("error")) == (status == "failed")


def test_a_namespace_in_order_has_no_fault(world: World) -> None:
    world.kill(2)
    world.schedule(60_000, -5)
    cancelled = world.submit(3)[0]
    world.store.cancel(cancelled)
    world.start(3, priority="high")
    world.store.beat(NODE, 15_000, b"{}", [])
    assert examine(world) == []
    doctor = Doctor(world.transport, "test")
    assert list(doctor.examine()) == []
    assert doctor.looked_at == 10


def test_what_moved_jobs_leave_behind_is_no_fault_whatever_becomes_of_them(world: World) -> None:
    ways = [("high", "low"), ("high", "low", "high"), ("normal", "high", "low", "normal")]
    waiting, cancelled, running, dead, gone, later = ([moved(world, *way) for way in ways] for _ in range(6))
    for job_id in later:
        world.store.reschedule(job_id, "+60000")
    for job_id in cancelled:
        world.store.cancel(job_id)
    for job_id in (*running, *dead, *gone):
        world.mark(job_id, status="processing", holder=HOLDER, run=1)
        world.call("RPUSH", world.keys.held(HOLDER), job_id)
        world.call("LREM", ready_key(world, world.record(job_id)["lane"]), -1, job_id)
    world.enter()
    world.store.settle([Buried(HOLDER, job_id, 1, "no") for job_id in (*dead, *gone)])
    world.store.purge_dead(gone)
    assert examine(world) == []
    for priority in ("high", "normal", "low"):
        assert len(world.ready(f"default:{priority}")) > 5
    while world.claim(1).jobs:
        assert examine(world) == []
    assert (world.call("EXISTS", world.keys.moved), set(world.held())) == (0, {*waiting, *running})
    assert examine(world) == []


def test_the_namespace_of_another_is_left_alone(world: World) -> None:
    world.call("SET", "{bananas:tester}:what", "x")
    world.call("SET", "what", "x")
    assert examine(world, is_mending=True) == []


def test_what_is_set_aside_can_be_found_again(world: World) -> None:
    for text in ("x", "y"):
        world.call("SET", f"{world.keys.prefix}notes", text)
        examine(world, is_mending=True)
    assert world.call("GET", f"{world.keys.prefix}aside:notes") == b"x"
    assert world.call("GET", f"{world.keys.prefix}aside:2:notes") == b"y"


def test_jobs_come_back_when_the_key_that_held_them_became_another(world: World) -> None:
    (job_id,) = world.schedule(60_000)
    world.call("SET", world.keys.scheduled, "x")
    assert [found.fault for found in examine(world)] == ["wrong_type", "not_scheduled"]
    assert [found.fault for found in examine(world, is_mending=True)] == ["wrong_type", "not_scheduled"]
    assert world.scheduled() == [job_id]
    assert examine(world) == []


@pytest.mark.parametrize("key", ["holders", "nodes", "queues", "stats", "scheduled", "dead"])
def test_a_broken_key_keeps_the_doctor_from_nothing(world: World, key: str) -> None:
    world.kill()
    world.start()
    world.schedule(60_000)
    name = f"{world.keys.prefix}{key}"
    world.call("DEL", name)
    world.call("SET", name, "x")
    assert ("wrong_type", key) in [(found.fault, found.subject) for found in examine(world)]
    examine(world, is_mending=True)
    assert examine(world) == []


def test_jobs_keep_their_order_when_a_holder_is_mended(world: World) -> None:
    running = world.start(3)
    waiting = world.submit()
    world.call("SREM", world.keys.holders, HOLDER)
    examine(world, is_mending=True)
    assert world.ready() == running + waiting


def test_a_holder_of_a_node_that_may_come_back_is_left_to_the_scheduler(world: World) -> None:
    world.start()
    world.lease(NODE, -60_000)
    assert examine(world) == []


def test_a_job_that_moves_on_meanwhile_is_no_fault(world: World) -> None:
    (job_id,) = world.submit()
    doctor = Doctor(MovingOn(world, job_id), "test", is_mending=True)
    assert list(doctor.examine()) == []
    assert world.status(job_id) == "processing"


class MovingOn:
    """A transport on which a worker claims the job between the look at the lanes and that at the records."""

    def __init__(self, world: World, job_id: str) -> None:
        self.world, self.job_id = world, job_id

    def trip(self, commands: Any) -> list[Any]:
        if commands[0][0] == "HMGET":
            self.world.enter()
            self.world.claim()
        return self.world.transport.trip(commands)


def test_what_more_than_one_call_takes_is_mended_whole(world: World) -> None:
    ids = sorted(world.submit(1000) + world.submit(700))
    world.call("DEL", ready_key(world))
    assert len(examine(world)) == 1700
    assert len(examine(world, is_mending=True)) == 1700
    assert sorted(world.ready()) == ids


def test_places_keep_where_an_id_was_seen_how_often() -> None:
    places = Places()
    places.note(b"a", [b"1", b"1", b"2"])
    places.note(b"b", [b"1"])
    assert (places.length([b"a"]), places.length([b"a", b"b", b"c"])) == (3, 4)
    assert places.pop(b"1") == [b"a", b"a", b"b"]
    assert places.pop(b"1") == []
    assert places.rest() == [b"2"]
