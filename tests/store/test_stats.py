"""Counts and listings."""

from datetime import timedelta

import pytest

from bananasd import Priority, Status
from bananasd.store import heads
from bananasd.store.outcomes import Completed, Released, Retried
from bananasd.store.stats import LaneStats, Stats
from bananasd.store.store import Charge
from tests.store.conftest import HOLDER, NODE, OTHER, OTHER_NODE

MINUTE_MS = 60_000


@pytest.fixture
def stats(world) -> Stats:
    return Stats(world.transport, "test")


def lane(stats: Stats, queue: str = "default", priority: Priority = Priority.NORMAL) -> LaneStats:
    return next(lane for lane in stats.queues().lanes if (lane.queue, lane.priority) == (queue, priority))


def test_an_empty_namespace_has_nothing(stats):
    assert stats.queues() == ([], 0, 0, 0, {}, {}, {})
    assert stats.queues().ready == 0
    assert (stats.dead_jobs(0, 10), stats.dead_ids()) == ([], [])
    stats.ping()


def test_jobs_are_counted_where_they_are(world, stats):
    world.kill(1), world.start(2), world.start(1, OTHER)
    world.submit(3, "high", "gpu"), world.submit(2, "low"), world.schedule(1000, 2000)
    counted = stats.queues()
    assert (counted.ready, counted.processing, counted.scheduled, counted.dead) == (5, 3, 2, 1)
    assert [(lane.queue, lane.priority, lane.ready) for lane in counted.lanes] == [
        ("default", "high", 0), ("default", "normal", 0), ("default", "low", 2),
        ("gpu", "high", 3), ("gpu", "normal", 0), ("gpu", "low", 0),
    ]  # fmt: skip
    assert counted.counters == {"submitted": 11, "dead": 1}


def test_counters_go_on_when_the_jobs_are_gone(world, stats):
    first, second = world.start(2)
    world.store.settle([Completed(HOLDER, first, 1, b""), Retried(HOLDER, second, 1, 0, "")])
    world.store.cancel(second)
    assert stats.queues().counters == {"submitted": 2, "completed": 1, "retried": 1, "cancelled": 1}


def test_a_counter_that_is_no_number_is_left_out(world, stats):
    world.submit()
    world.call("HSET", world.keys.stats, "dead", "many")
    assert stats.queues().counters == {"submitted": 1}


def test_the_age_of_a_lane_is_how_long_its_next_job_has_waited(world, stats):
    first, _ = world.submit(2)
    assert lane(stats, priority=Priority.HIGH).oldest_seconds is None
    assert 0 <= lane(stats).oldest_seconds < 30
    world.call(
        "HSET", world.keys.job(first), "spec", f'{{"v":1,"name":"a","created_at":{world.now() - MINUTE_MS}}}'
    )
    assert 60 <= lane(stats).oldest_seconds < 90


def beat(world, node: str, about: bytes, lease_ms: int = MINUTE_MS) -> None:
    world.store.beat(node, lease_ms, about, [])


def test_the_workers_of_a_lane_are_those_of_all_nodes_whose_lease_runs(world, stats):
    world.submit(1), world.submit(1, "low")
    assert (lane(stats).workers, lane(stats).is_unserved) == (0, True)
    beat(world, "n1", b'{"lanes": {"default:normal": 2, "default:high": 1}}')
    beat(world, "n2", b'{"lanes": {"default:normal": 3}}')
    beat(world, "n3", b'{"lanes": {"default:normal": 5, "default:low": 5}}')
    world.call("ZADD", world.keys.nodes, world.now() - 1, "n3")
    assert [(one.workers, one.is_unserved) for one in stats.queues().lanes] == [
        (1, False), (5, False), (0, True)
    ]  # fmt: skip


@pytest.mark.parametrize("about", [b"", b"{", b"3", b'{"lanes": 3}', b'{"lanes": {"default:normal": "x"}}'])
def test_a_node_that_does_not_say_what_it_serves_serves_nothing(world, stats, about):
    world.submit(1)
    beat(world, "n1", about)
    assert lane(stats).workers == 0


def test_a_row_of_another_type_hides_no_other_node(world, stats):
    world.submit()
    for node in (NODE, OTHER_NODE):
        world.store.beat(node, 60_000, b'{"lanes": {"default:normal": 2}}', [])
    world.call("SET", world.keys.node(NODE), "x")
    assert lane(stats).workers == 2


@pytest.mark.parametrize(
    "pace",
    [
        b"[3]",
        *(
            b'{"default:normal": %s}' % pace
            for pace in (b'"five"', b"-1", b"1e12", b"1e999", b"NaN", b"true", b"{}")
        ),
    ],
)
def test_nonsense_that_a_node_tells_of_its_pace_is_passed_over(world, stats, pace):
    world.submit(1)
    beat(world, "n1", b'{"runs_per_second": %s}' % pace)
    assert lane(stats).runs_per_second is None


@pytest.mark.parametrize("phase", [b"null", b"true", b'"angry"', b'"quiet\\nand more"', b"[]", b'""'])
def test_a_node_that_says_no_known_phase_is_not_told_to_have_one(world, stats, phase):
    world.submit(1)
    beat(world, "n1", b'{"would_serve": ["default:normal"], "phase": %s}' % phase)
    assert lane(stats).why_unserved == ""


def test_a_lane_goes_as_fast_as_its_live_nodes_say_together(world, stats):
    world.submit(1)
    assert lane(stats).runs_per_second is None
    beat(world, "n1", b'{"runs_per_second": {"default:normal": 2, "gpu:low": 7}}')
    beat(world, "n2", b'{"runs_per_second": {"default:normal": 0.5, "default:low": 0}}')
    beat(world, "n3", b'{"runs_per_second": {"default:normal": 9}}')
    world.call("ZADD", world.keys.nodes, world.now() - 1, "n3")
    assert [one.runs_per_second for one in stats.queues().lanes] == [None, 2.5, 0]


def test_a_job_that_was_scheduled_has_waited_since_it_was_due(world, stats):
    (job_id,) = world.submit()
    world.call("HSET", world.keys.job(job_id), "spec", '{"v":1,"name":"a","created_at":1}')
    world.mark(job_id, due_at=world.now() - MINUTE_MS)
    assert 60 <= lane(stats).oldest_seconds < 90


def make_old(world, job_id: str) -> None:
    world.mark(job_id, spec=f'{{"v":1,"name":"a","created_at":{world.now() - MINUTE_MS}}}')


def test_a_job_whose_run_was_broken_off_has_waited_since_before_that_run(world, stats):
    (job_id,) = world.submit()
    make_old(world, job_id)
    world.enter()
    world.claim()
    world.store.settle([Released(HOLDER, job_id, 1)])
    assert 60 <= lane(stats).oldest_seconds < 90
    world.claim()
    world.store.recover(HOLDER, Charge.lost(job_id, "killed"))
    assert world.record(job_id)["recoveries"] == "1"
    assert 60 <= lane(stats).oldest_seconds < 90


def test_a_job_that_was_moved_to_another_lane_is_as_old_as_before(world, stats):
    (job_id,) = world.submit()
    make_old(world, job_id)
    world.store.reprioritise(job_id, "low", "")
    assert 60 <= lane(stats, priority=Priority.LOW).oldest_seconds < 90


def test_a_dead_job_that_was_brought_back_has_waited_since_then(world, stats):
    (job_id,) = world.kill()
    make_old(world, job_id)
    world.store.requeue_dead([job_id])
    assert 0 <= lane(stats).oldest_seconds < 30


def test_a_job_without_the_time_of_its_making_has_waited_since_its_record_changed(world, stats):
    (job_id,) = world.submit()
    world.mark(job_id, spec='{"v":1,"name":"a"}')
    assert lane(stats).oldest_seconds == 0
    world.mark(job_id, updated_at=world.now() - MINUTE_MS)
    assert 60 <= lane(stats).oldest_seconds < 90


def test_a_client_with_a_fast_clock_makes_no_negative_age(world, stats):
    (job_id,) = world.submit()
    world.mark(job_id, spec=f'{{"v":1,"name":"a","created_at":{world.now() + MINUTE_MS}}}')
    assert lane(stats).oldest_seconds == 0


def test_a_lane_whose_next_record_is_missing_has_no_age(world, stats):
    (job_id,) = world.submit()
    world.call("DEL", world.keys.job(job_id))
    assert lane(stats) == ("default", "normal", 1, None, 0, None, "")


def leave_behind(world, count: int) -> None:
    """So many ids at the front of the lane, half of jobs that were cancelled, half of such as were moved."""
    ids = world.submit(count)
    for job_id in ids[::2]:
        world.store.cancel(job_id)
    for job_id in ids[1::2]:
        world.store.reprioritise(job_id, "low", "")


def test_the_age_of_a_lane_is_that_of_the_first_job_that_waits_in_it(world, stats):
    leave_behind(world, 6)
    old, _ = world.submit(2)
    world.mark(old, spec=f'{{"v":1,"name":"a","created_at":{world.now() - MINUTE_MS}}}')
    assert 60 <= lane(stats).oldest_seconds < 90
    assert lane(stats).ready == 8
    # The moved ones wait there.
    assert 0 <= lane(stats, priority=Priority.LOW).oldest_seconds < 30


def test_a_lane_of_nothing_but_what_was_left_behind_has_no_age(world, stats):
    leave_behind(world, 4)
    assert (lane(stats).ready, lane(stats).oldest_seconds) == (4, None)


def test_a_lane_is_looked_through_only_so_far(world, stats, monkeypatch):
    monkeypatch.setattr(heads, "MAX_LOOK", 2)
    monkeypatch.setattr(heads, "MIN_LOOK", 2)
    leave_behind(world, 3)
    world.submit()
    assert lane(stats).oldest_seconds is None
    monkeypatch.setattr(heads, "MAX_LOOK", 3)
    assert lane(stats).oldest_seconds is not None


def test_rates_are_what_was_counted_since_a_live_node_kept_the_counters(world, stats):
    world.submit(30)
    beat(world, "n1", b"{}")
    assert stats.queues().rates == {}
    counted_at = world.now() - 10_000
    world.call("HSET", world.keys.node("n1"), "counted_before", f"{counted_at} submitted 10")
    measured = stats.queues().rates
    assert list(measured) == ["submitted"]
    assert 20_000 / (world.now() - counted_at) <= measured["submitted"] <= 2.0
    world.lease("n1", -1)
    assert stats.queues().rates == {}


def test_an_unknown_job_is_none(stats):
    assert stats.job("00000000-0000-0000-0000-000000000000") is None


def test_a_job_is_read_as_it_stands(world, stats):
    (job_id,) = world.start(
        payload={"to": "José"}, description="a greeting", max_retries=7, timeout_seconds=5
    )
    world.store.progress(HOLDER, job_id, 1, b'{"done":1,"total":2,"note":""}')
    job = stats.job(job_id)
    assert (job.id, job.name, job.payload, job.description) == (job_id, "greet", {"to": "José"}, "a greeting")
    assert (job.status, job.queue, job.priority) == (Status.PROCESSING, "default", Priority.NORMAL)
    assert (job.attempts, job.recoveries, job.max_retries, job.timeout_seconds) == (0, 0, 7, 5)
    assert job.progress == {"done": 1, "total": 2, "note": ""}
    assert job.created_at <= job.started_at <= job.updated_at
    assert (job.finished_at, job.scheduled_for, job.error, job.result) == (None, None, None, None)


def test_a_scheduled_job_tells_its_time(world, stats):
    (job_id,) = world.submit(scheduled_for=timedelta(hours=1))
    job = stats.job(job_id)
    assert job.status == Status.SCHEDULED
    assert timedelta(minutes=59) < job.scheduled_for - job.created_at < timedelta(minutes=61)


def test_a_completed_job_has_its_result(world, stats):
    (job_id,) = world.start()
    world.store.settle([Completed(HOLDER, job_id, 1, b'{"sum":[1,2.5]}')])
    job = stats.job(job_id)
    assert (job.status, job.result) == (Status.COMPLETED, {"sum": [1, 2.5]})
    assert job.updated_at == job.finished_at >= job.started_at


def test_a_job_whose_record_was_lost_can_be_read_as_dead_with_the_reason(world, stats):
    (job_id,) = world.submit(queue="gpu")
    world.call("DEL", world.keys.job(job_id))
    world.enter()
    world.claim(queues=("gpu",))
    (job,) = stats.dead_jobs(0, 10)
    assert (job.id, job.name, job.queue, job.status) == (job_id, "", "gpu", Status.FAILED)
    assert "unreadable" in job.error


def test_dead_jobs_are_listed_from_the_latest_on_and_by_page(world, stats):
    ids = world.kill(5)
    world.age(*((job_id, age) for age, job_id in enumerate(ids)))
    assert [job.id for job in stats.dead_jobs(0, 10)] == ids
    assert [job.id for job in stats.dead_jobs(1, 2)] == ids[1:3]
    assert stats.dead_jobs(5, 2) == []
    assert stats.dead_ids() == ids[::-1]
