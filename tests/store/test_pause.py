"""pause: let no job of a queue begin, or none at all."""

import pytest

from bananasd import ServerRefused
from bananasd.store.claims import Claim
from bananasd.store.keys import EVERYTHING
from bananasd.store.outcomes import Completed, Released, Retried
from bananasd.store.store import Charge
from tests.store.conftest import HOLDER, LANE, OTHER, World

QUEUES = ("default", "gpu")


def ids(claim: Claim) -> list[str]:
    return [job.job_id for job in claim.jobs]


@pytest.fixture(autouse=True)
def holder(world: World) -> str:
    return world.enter()


def end_pause(world: World, queue: str = "default") -> None:
    """Let its time be over."""
    world.call("ZADD", world.keys.paused, world.now() - 1, queue)


@pytest.mark.parametrize("ms", [None, 60_000])
def test_nothing_is_claimed_from_a_paused_queue_but_from_the_others(world: World, ms: int | None) -> None:
    for priority in ("high", "normal", "low"):
        world.submit(1, priority)
    (wanted,) = world.submit(1, "low", "gpu")
    world.store.pause("default", ms)
    assert ids(world.claim(5, queues=QUEUES)) == [wanted]
    assert world.claim(5, queues=QUEUES) == Claim([])
    assert [len(world.ready(f"default:{priority}")) for priority in ("high", "normal", "low")] == [1, 1, 1]


def test_nothing_is_claimed_at_all_while_everything_is_paused(world: World) -> None:
    world.submit()
    world.submit(queue="gpu")
    world.store.pause(EVERYTHING, None)
    assert world.claim(5, queues=QUEUES) == Claim([])


def test_what_runs_goes_on_and_is_settled(world: World) -> None:
    completed, retried, released = world.start(3)
    world.store.pause("default", None)
    outcomes = [
        Completed(HOLDER, completed, 1, b""),
        Retried(HOLDER, retried, 1, 0, "no"),
        Released(HOLDER, released, 1),
    ]
    assert world.store.settle(outcomes) == []
    assert [world.status(job_id) for job_id in (completed, retried, released)] == [
        "completed", "scheduled", "pending",
    ]  # fmt: skip


def test_jobs_come_into_a_paused_lane_as_ever_and_put_no_token_there(world: World) -> None:
    dead, (lost, released), (due,) = world.kill(), world.start(2), world.schedule(-1)
    world.store.pause("default", None)
    world.take_tokens()
    world.store.settle([Released(HOLDER, released, 1)])
    world.store.recover(HOLDER, Charge.lost(lost, "killed"))
    assert world.store.promote() == (1, None)
    world.store.requeue_dead(dead)
    (new,) = world.submit()
    assert world.ready() == [lost, released, due, *dead, new]
    assert world.tokens() == 0


@pytest.mark.parametrize(("paused", "tokens"), [("default", [0, 1]), ("gpu", [1, 0])])
def test_a_claim_puts_no_token_into_a_paused_lane(world: World, paused: str, tokens: list[int]) -> None:
    """Be it passed over, or not come to."""
    world.submit(2)
    world.submit(2, queue="gpu")
    world.store.pause(paused, None)
    world.take_tokens()
    assert len(ids(world.claim(1, queues=QUEUES))) == 1
    assert [world.tokens(f"{queue}:normal") for queue in QUEUES] == tokens


def test_a_paused_lane_is_not_touched_by_a_claim(world: World) -> None:
    world.submit(2)
    world.store.pause("default", None)
    before = world.dump()
    assert world.claim(5) == Claim([])
    assert world.dump() == before


def test_a_pause_that_is_over_counts_as_none_and_is_forgotten_by_the_next_claim(world: World) -> None:
    (wanted,) = world.submit()
    world.store.pause("default", 60_000)
    end_pause(world)
    assert ids(world.claim()) == [wanted]
    assert world.call("EXISTS", world.keys.paused) == 0


def test_jobs_put_tokens_again_when_the_pause_is_over_though_nobody_has_claimed(world: World) -> None:
    world.store.pause("default", 60_000)
    end_pause(world)
    world.submit()
    assert world.tokens() == 1


def test_a_pause_of_one_queue_that_is_over_leaves_that_of_another(world: World) -> None:
    world.submit()
    world.store.pause("default", None)
    world.store.pause("gpu", 60_000)
    end_pause(world, "gpu")
    assert world.claim(queues=QUEUES) == Claim([])
    assert world.call("ZRANGE", world.keys.paused, 0, -1) == [b"default"]


def test_the_latest_pause_says_for_how_long(world: World) -> None:
    world.store.pause("default", None)
    before = world.now()
    world.store.pause("default", 60_000)
    end = int(world.call("ZSCORE", world.keys.paused, "default"))
    assert before + 60_000 <= end <= world.now() + 60_000
    world.store.pause("default", None)
    assert world.call("ZSCORE", world.keys.paused, "default") == b"inf"


def test_another_holder_is_bound_by_it_too(world: World) -> None:
    world.submit()
    world.store.pause("default", None)
    world.enter(OTHER)
    assert world.claim(holder=OTHER) == Claim([])


def test_a_gone_holder_is_told_so_though_everything_is_paused(world: World) -> None:
    world.store.pause(EVERYTHING, None)
    assert world.claim(holder=OTHER).is_gone


def test_the_queue_is_found_by_its_whole_name(world: World) -> None:
    (wanted,) = world.submit(queue="default-2")
    world.store.pause("default", None)
    assert ids(world.claim(queues=("default-2",))) == [wanted]
    assert world.tokens(LANE) == 0


@pytest.mark.parametrize("ms", ["abc", "nan", "inf", "-5", "1.5"])
def test_a_time_that_is_none_is_refused_and_nothing_is_done(world: World, ms: str) -> None:
    before = world.dump()
    with pytest.raises(ServerRefused, match=f"BADPAUSE .*: {ms}"):
        world.store._run("pause", [world.keys.paused], ["default", ms])
    assert world.dump() == before
