"""reprioritise: let a job that waits go on waiting in another lane; and what becomes of the ids that it leaves behind."""

import pytest

from bananasd import ServerRefused
from bananasd.store.claims import Claim
from bananasd.store.doctor import Doctor
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.store import Charge
from tests.store.conftest import HOLDER, World

HIGH, LOW = "default:high", "default:low"
PRIORITIES = ("high", "normal", "low")


def ids(claim: Claim) -> list[str]:
    return [job.job_id for job in claim.jobs]


def move(world: World, job_id: str, priority: str, queue: str = "") -> None:
    assert world.store.reprioritise(job_id, priority, queue)[0]


def left(world: World, job_id: str) -> int:
    """How many ids it is said to have left behind."""
    return int(world.call("HGET", world.keys.moved, job_id) or 0)


def assert_in_order(world: World) -> None:
    """Nothing is left of what was moved, and the doctor is content."""
    world.enter()
    while world.claim(100).jobs:
        pass
    assert [world.ready(f"default:{priority}") for priority in PRIORITIES] == [[], [], []]
    assert world.call("EXISTS", world.keys.moved) == 0
    assert list(Doctor(world.transport, "test").examine()) == []


# The call


def test_a_pending_job_waits_at_the_end_of_the_other_lane_with_a_token(world: World) -> None:
    (first,), (moved,) = world.submit(1, "high"), world.submit()
    world.take_tokens()
    assert world.store.reprioritise(moved, "high", "") == (True, "pending")
    assert (world.ready("default:high"), world.tokens(HIGH)) == ([first, moved], 1)
    assert (world.record(moved)["lane"], world.status(moved)) == (HIGH, "pending")
    world.enter()
    jobs = world.claim(5).jobs
    assert [(job.job_id, job.lane) for job in jobs] == [(first, HIGH), (moved, HIGH)]


def test_another_queue_may_be_given(world: World) -> None:
    (job_id,) = world.submit()
    assert world.store.reprioritise(job_id, "low", "gpu") == (True, "pending")
    assert world.ready("gpu:low") == [job_id]
    assert world.call("SISMEMBER", world.keys.queues, "gpu") == 1
    world.enter()
    assert ids(world.claim(5)) == []
    assert ids(world.claim(5, queues=("gpu",))) == [job_id]


def test_a_scheduled_job_goes_to_its_new_lane_when_it_is_due(world: World) -> None:
    (job_id,) = world.schedule(-1)
    assert world.store.reprioritise(job_id, "high", "") == (True, "scheduled")
    assert (world.scheduled(), left(world, job_id)) == ([job_id], 0)
    world.store.promote()
    assert world.ready(HIGH) == [job_id]


def test_a_job_that_waits_for_its_next_try_comes_back_in_its_new_lane(world: World) -> None:
    (job_id,) = world.start()
    world.store.settle([Retried(HOLDER, job_id, 1, 0, "no")])
    move(world, job_id, "low")
    world.store.promote()
    assert world.ready(LOW) == [job_id]


def test_a_repeat_says_that_it_is_there_already_and_changes_nothing(world: World) -> None:
    (job_id,) = world.submit()
    move(world, job_id, "high")
    before = world.dump()
    assert world.store.reprioritise(job_id, "high", "") == (False, "pending")
    assert world.store.reprioritise(job_id, "high", "default") == (False, "pending")
    assert world.dump() == before


def test_a_job_that_runs_or_has_ended_is_left_as_it_is(world: World) -> None:
    completed, running = world.start(2)
    world.store.settle([Completed(HOLDER, completed, 1, b"")])
    (dead,), (cancelled,) = world.kill(), world.submit()
    world.store.cancel(cancelled)
    before = world.dump()
    statuses = [
        world.store.reprioritise(job_id, "high", "") for job_id in (completed, running, dead, cancelled)
    ]
    assert statuses == [(False, "completed"), (False, "processing"), (False, "failed"), (False, "cancelled")]
    assert world.dump() == before


def test_an_unknown_job_has_no_status(world: World) -> None:
    assert world.store.reprioritise("00000000-0000-0000-0000-000000000000", "high", "") == (False, "")
    assert world.dump() == {}


def test_into_a_paused_lane_it_puts_no_token(world: World) -> None:
    (job_id,) = world.submit()
    world.store.pause("gpu", None)
    move(world, job_id, "high", "gpu")
    assert (world.ready("gpu:high"), world.tokens("gpu:high")) == ([job_id], 0)


def test_who_follows_the_job_is_told(world: World) -> None:
    (job_id,) = world.submit()
    world.store.await_jobs("+b", [job_id])
    move(world, job_id, "high")
    assert world.mail() == [job_id]


# The ids that are left behind


def test_the_id_that_is_left_behind_is_dropped_by_the_claim_that_meets_it(world: World) -> None:
    (job_id,) = world.submit()
    move(world, job_id, "low")
    assert (world.ready(), world.ready(LOW), left(world, job_id)) == ([job_id], [job_id], 1)
    world.enter()
    assert ids(world.claim(5)) == [job_id]
    assert world.record(job_id)["run"] == "1"
    assert_in_order(world)


def test_a_job_that_went_away_and_came_back_runs_once(world: World) -> None:
    (job_id,), (other,) = world.submit(1, "high"), world.submit(1, "high")
    move(world, job_id, "low")
    move(world, job_id, "high")
    assert (world.ready(HIGH), left(world, job_id)) == ([job_id, other, job_id], 2)
    world.enter()
    assert ids(world.claim(5)) == [job_id, other]
    assert world.record(job_id)["run"] == "1"
    assert_in_order(world)


def _retry(world: World, job_id: str) -> None:
    world.store.settle([Retried(HOLDER, job_id, 1, 0, "no")])
    world.store.promote()


def _die_and_come_back(world: World, job_id: str) -> None:
    world.store.settle([Buried(HOLDER, job_id, 1, "no")])
    world.store.requeue_dead([job_id])


COMEBACKS = {
    "released": lambda world, job_id: world.store.settle([Released(HOLDER, job_id, 1)]),
    "recovered": lambda world, job_id: world.store.recover(HOLDER, Charge.lost(job_id, "killed")),
    "retried": _retry,
    "brought back from the dead": _die_and_come_back,
}


@pytest.mark.parametrize("comeback", COMEBACKS)
@pytest.mark.parametrize("way", [("low",), ("low", "normal"), ("high", "low", "normal", "high")])
def test_a_job_that_comes_back_while_old_ids_of_it_lie_in_lanes_runs_once_more(
    world: World, comeback: str, way: tuple[str, ...]
) -> None:
    (job_id,) = world.submit()
    for priority in way:
        move(world, job_id, priority)
    world.enter()
    assert ids(world.claim()) == [job_id]
    COMEBACKS[comeback](world, job_id)
    world.enter()
    assert ids(world.claim(5)) == [job_id]
    assert ids(world.claim(5)) == []
    assert (world.record(job_id)["run"], world.held()) == ("2", [job_id])
    assert_in_order(world)


def test_a_moved_job_that_is_cancelled_keeps_its_record_until_its_own_id_is_dropped(world: World) -> None:
    (job_id,) = world.submit(1, "high")
    move(world, job_id, "normal")
    move(world, job_id, "low")
    move(world, job_id, "normal")
    world.store.cancel(job_id)
    world.enter()
    assert ids(world.claim(5, queues=("gpu",))) == []
    assert world.ttl(job_id) == -1
    assert ids(world.claim(5)) == []
    assert 0 < world.ttl(job_id) <= world.store.retention.completed_ms
    assert_in_order(world)


@pytest.mark.parametrize("gone", ["expired", "purged"])
def test_an_id_that_outlives_its_record_is_dropped_and_no_dead_letter(world: World, gone: str) -> None:
    """A lane that nobody serves, or that is paused, may keep it for longer than the record of a job that has ended."""
    (job_id,) = world.submit()
    move(world, job_id, "high", "gpu")
    world.enter()
    assert ids(world.claim(queues=("gpu",))) == [job_id]
    if gone == "expired":
        world.store.settle([Completed(HOLDER, job_id, 1, b"")])
        world.call("DEL", world.keys.job(job_id))
    else:
        world.store.settle([Buried(HOLDER, job_id, 1, "no")])
        world.store.purge_dead([job_id])
    assert list(Doctor(world.transport, "test").examine()) == []
    assert ids(world.claim(5)) == []
    assert world.dead() == []
    assert_in_order(world)


def test_a_new_job_with_the_id_of_one_that_was_moved_and_is_gone_runs_once(world: World) -> None:
    (job_id,) = world.submit()
    move(world, job_id, "high", "gpu")
    world.enter()
    world.claim(queues=("gpu",))
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    world.call("DEL", world.keys.job(job_id))
    world.submit(1, job_id=job_id)
    assert world.ready() == [job_id, job_id]
    assert ids(world.claim(5)) == [job_id]
    assert_in_order(world)


def test_an_id_in_a_lane_that_is_not_its_jobs_and_was_never_left_there_is_run_all_the_same(
    world: World,
) -> None:
    """Somebody has put it there: the job shall not vanish for that."""
    (job_id,) = world.submit()
    world.mark(job_id, lane=LOW)
    world.enter()
    assert ids(world.claim()) == [job_id]


def test_after_a_thousand_ids_that_were_left_behind_a_claim_asks_to_be_called_again(world: World) -> None:
    moved = world.submit(1001, "high")
    for job_id in moved:
        move(world, job_id, "low")
    world.enter()
    assert world.claim() == Claim([], is_cut=True)
    assert (world.ready(HIGH), world.call("HLEN", world.keys.moved)) == (moved[1000:], 1)
    assert ids(world.claim()) == moved[:1]


def test_a_suspect_that_was_moved_is_still_claimed_alone(world: World) -> None:
    suspect, other = world.submit(2)
    world.mark(suspect, recoveries=1)
    move(world, suspect, "high")
    world.enter()
    assert ids(world.claim(5)) == [suspect]
    assert ids(world.claim(5)) == [other]
    assert_in_order(world)


def test_a_moved_job_that_has_expired_ends_when_its_own_id_is_met(world: World) -> None:
    (job_id,) = world.submit(1, "high", expires_in=60)
    move(world, job_id, "low")
    world.mark(job_id, expires_at=1)
    world.enter()
    assert ids(world.claim(5)) == []
    assert (world.status(job_id), world.counter("expired")) == ("expired", 1)
    assert_in_order(world)


@pytest.mark.parametrize(
    ("priority", "queue"), [("urgent", ""), ("", ""), ("high", "x y"), ("high", "a:b"), ("low", "q" * 65)]
)
def test_a_lane_that_cannot_be_is_refused_and_nothing_is_done(
    world: World, priority: str, queue: str
) -> None:
    (job_id,) = world.submit()
    before = world.dump()
    with pytest.raises(
        ServerRefused, match=f"BADLANE it is no QUEUE:PRIORITY: {queue or 'default'}:{priority}"
    ):
        world.store.reprioritise(job_id, priority, queue)
    assert world.dump() == before
