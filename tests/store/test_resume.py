"""resume: end the pause of a queue, or that of everything."""

import pytest

from bananasd.store.keys import EVERYTHING
from tests.store.conftest import World


@pytest.mark.parametrize("what", ["default", EVERYTHING])
def test_jobs_are_claimed_again_and_each_lane_that_holds_some_gets_a_token(world: World, what: str) -> None:
    world.store.pause(what, None)
    world.submit(2, "high")
    world.submit(1, "low")
    assert world.store.resume(what)
    lanes = ("default:high", "default:normal", "default:low")
    assert [world.tokens(lane) for lane in lanes] == [1, 0, 1]
    world.enter()
    assert len(world.claim(5).jobs) == 3


def test_to_resume_everything_wakes_every_queue_but_one_that_is_paused_by_its_name(world: World) -> None:
    for queue in ("default", "gpu", "mail"):
        world.submit(queue=queue)
    world.store.pause(EVERYTHING, None)
    world.store.pause("gpu", None)
    world.take_tokens()
    assert world.store.resume(EVERYTHING)
    assert [world.tokens(f"{queue}:normal") for queue in ("default", "gpu", "mail")] == [1, 0, 1]
    world.enter()
    assert len(world.claim(5, queues=("default", "gpu", "mail")).jobs) == 2


def test_a_queue_that_is_resumed_while_everything_is_paused_stays_so_and_gets_no_token(world: World) -> None:
    world.submit()
    world.store.pause(EVERYTHING, None)
    world.store.pause("default", None)
    world.take_tokens()
    assert world.store.resume("default")
    assert world.tokens() == 0
    world.enter()
    assert world.claim().jobs == []


def test_a_token_that_lies_there_is_not_doubled(world: World) -> None:
    world.submit()
    world.store.pause("default", None)
    assert world.store.resume("default")
    assert world.tokens() == 1


def test_a_repeat_says_that_there_was_no_pause(world: World) -> None:
    world.store.pause("default", None)
    assert world.store.resume("default")
    before = world.dump()
    assert not world.store.resume("default")
    assert world.dump() == before


def test_a_pause_that_is_over_is_none_to_be_ended(world: World) -> None:
    world.store.pause("default", 60_000)
    world.call("ZADD", world.keys.paused, 1, "default")
    assert not world.store.resume("default")
    assert world.call("EXISTS", world.keys.paused) == 0


def test_of_a_namespace_without_queues_nothing_is_woken(world: World) -> None:
    world.store.pause(EVERYTHING, None)
    assert world.store.resume(EVERYTHING)
    assert world.dump() == {}
