"""mend_holder: only what nobody else would recover."""

import pytest

from bananasd.store.mending import STALE_MS, Mender
from tests.store.conftest import HOLDER, NODE, World


def test_a_holder_with_a_lease_is_left_alone(world: World, mender: Mender) -> None:
    world.start()
    before = world.dump()
    assert mender.mend_holder(HOLDER) is None
    assert world.dump() == before


@pytest.mark.parametrize(
    ("lease_ms", "beaten_ms_ago", "is_given_up"),
    [(-60_000, STALE_MS * 2, False), (-STALE_MS * 2, 60_000, False), (-STALE_MS * 2, STALE_MS * 2, True)],
    ids=["lease just over", "has just beaten", "gone"],
)
def test_a_node_is_given_up_when_lease_and_beat_are_long_over(
    world: World, mender: Mender, lease_ms: int, beaten_ms_ago: int, is_given_up: bool
) -> None:
    (job_id,) = world.start()
    world.lease(NODE, lease_ms)
    world.beaten(NODE, ms_ago=beaten_ms_ago, alive_for_ms=beaten_ms_ago)
    finding = mender.mend_holder(HOLDER)
    assert (finding is not None) == is_given_up
    assert world.status(job_id) == ("pending" if is_given_up else "processing")
    assert (HOLDER in world.store.holders()) != is_given_up


def test_a_node_of_which_nothing_is_known_is_given_up(world: World, mender: Mender) -> None:
    world.start()
    world.store.leave(NODE)
    finding = mender.mend_holder(HOLDER)
    assert finding is not None
    assert finding.fault == "stale_holder"
    assert world.held() == []


def test_a_list_of_thousands_is_put_back_whole_and_in_order(world: World, mender: Mender) -> None:
    ids = [*world.start(1000), *world.start(700)]
    world.call("SREM", world.keys.holders, HOLDER)
    finding = mender.mend_holder(HOLDER)
    assert finding is not None
    assert finding.detail == "1,700 held"
    assert world.ready() == ids


def test_what_is_not_its_own_is_not_put_back(world: World, mender: Mender) -> None:
    own, other = world.start(2)
    world.mark(other, holder="n2/1.1")
    world.call("RPUSH", world.keys.held("n2/1.1"), other)
    missing = world.start()[0]
    world.call("DEL", world.keys.job(missing))
    world.call("SREM", world.keys.holders, HOLDER)
    mender.mend_holder(HOLDER)
    assert (world.ready(), world.dead(), world.held("n2/1.1")) == ([own], [missing], [other])


def test_nothing_is_counted(world: World, mender: Mender) -> None:
    (job_id,) = world.start()
    world.call("SREM", world.keys.holders, HOLDER)
    mender.mend_holder(HOLDER)
    record = world.record(job_id)
    assert (record.get("attempts"), record.get("recoveries"), record["run"]) == (None, None, "1")
    assert world.tokens() == 1
