"""mend_key: keys other than records."""

import pytest

from bananasd.store.mending import Mender
from tests.store.conftest import LANE, World


def test_keys_in_order_and_keys_that_have_gone_are_left_alone(world: World, mender: Mender) -> None:
    world.submit()
    before = world.dump()
    kinds = [
        (f"ready:{LANE}".encode(), "list"),
        (b"queues", "set"),
        (b"stats", "hash"),
        (b"dead", "zset"),
        (b"x", ""),
    ]
    assert mender.mend_keys(kinds) == []
    assert world.dump() == before


def test_a_key_of_a_wrong_type_is_set_aside_for_good(world: World, mender: Mender) -> None:
    world.call("SET", world.keys.nodes, "x", "PX", 60_000)
    (finding,) = mender.mend_keys([(b"nodes", "zset")])
    assert (finding.fault, finding.subject, finding.detail) == ("wrong_type", "nodes", "string")
    aside = f"{world.keys.prefix}aside:nodes"
    assert (world.call("GET", aside), world.call("PTTL", aside)) == (b"x", -1)


def test_counters_that_are_none_are_removed_and_the_others_stay(world: World, mender: Mender) -> None:
    world.call("HSET", world.keys.stats, "completed", "1e3", "dead", "-1", "lost", 7, "retried", "9" * 30)
    assert {found.detail.partition(" ")[0] for found in mender.mend_keys([(b"stats", "hash")])} == {
        "completed", "dead", "retried",
    }  # fmt: skip
    assert world.call("HGETALL", world.keys.stats) == [b"lost", b"7"]


@pytest.mark.parametrize("expires_at", ["-1", "many", "1", "nan", "-inf", ""])
def test_a_living_job_keeps_its_key_whatever_its_record_says_of_its_time(
    world: World, mender: Mender, expires_at: str
) -> None:
    (job_id,) = world.submit(unique_key="k")
    world.mark(job_id, expires_at=expires_at)
    assert mender.mend_keys([(b"unique:k", "string")]) == []
    assert world.call("GET", world.keys.unique("k")) == job_id.encode()


def test_a_queue_is_listed_when_one_of_its_lanes_has_jobs(world: World, mender: Mender) -> None:
    world.submit()
    world.call("DEL", world.keys.queues)
    assert [found.fault for found in mender.mend_keys([(f"ready:{LANE}".encode(), "list")])] == [
        "unlisted_queue"
    ]
    assert world.call("SMEMBERS", world.keys.queues) == [b"default"]
