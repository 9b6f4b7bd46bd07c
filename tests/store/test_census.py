"""What the doctor says of nodes and lanes."""

import pytest

from bananasd.remark import Level
from bananasd.store import census
from bananasd.store.census import namespace_remarks
from tests.store.conftest import LEASE_MS, NODE, OTHER, OTHER_NODE


def remarks(world, check: str) -> list[tuple[Level, str, str]]:
    found = [remark for remark in namespace_remarks(world.transport, "test") if remark.check == check]
    assert all(remark.remedy or remark.level is Level.OK for remark in found)
    return [(remark.level, remark.what, remark.where) for remark in found]


def serve(world, node: str = NODE, lane: str = "default:normal") -> None:
    world.store.beat(node, LEASE_MS, f'{{"lanes": {{"{lane}": 1}}}}'.encode(), [])


def test_an_empty_namespace_has_no_daemon(world):
    assert remarks(world, "nodes") == [
        (Level.WARNING, "no daemon is live: nothing runs, and no job becomes due", "namespace test")
    ]
    assert [level for level, _, _ in remarks(world, "lanes")] == [Level.OK]


def test_live_nodes_are_counted(world):
    serve(world), serve(world, OTHER_NODE)
    assert remarks(world, "nodes") == [(Level.OK, "2 live", "namespace test")]


def test_a_node_that_was_lost_with_jobs_is_a_warning(world):
    world.start(2), world.start(1, OTHER)
    world.lease(NODE, -4_000)
    live, lost = remarks(world, "nodes")
    assert live[:2] == (Level.OK, "1 live")
    assert lost[::2] == (Level.WARNING, f"node {NODE}")
    assert lost[1].endswith("s ago, without a clean stop; 2 of its jobs wait to be taken over")


def test_one_that_holds_nothing_is_only_told(world):
    serve(world, OTHER_NODE)
    world.enter(), world.lease(NODE, -60_000)
    assert [level for level, _, _ in remarks(world, "nodes")] == [Level.OK, Level.OK]


def test_of_many_those_that_hold_jobs_come_first_and_the_rest_is_counted(world, monkeypatch):
    monkeypatch.setattr(census, "MAX_NAMED", 1)
    serve(world, OTHER_NODE)
    for number in range(3):
        world.lease(f"gone{number}", -2_000 * (number + 1))
    world.start(), world.lease(NODE, -3_600_000)
    _, first, rest = remarks(world, "nodes")
    assert first[2] == f"node {NODE}"
    assert rest[:2] == (Level.OK, "3 more ended without a clean stop")


def test_a_lane_where_jobs_wait_and_nobody_takes_them_is_a_warning(world, monkeypatch):
    serve(world)
    world.submit(3), world.submit(2, "low")
    assert remarks(world, "lanes") == [
        (Level.WARNING, "2 ready, and no live worker takes them", "queue default, priority low")
    ]
    world.submit(1, "high")
    monkeypatch.setattr(census, "MAX_NAMED", 1)
    assert remarks(world, "lanes")[1][:2] == (Level.WARNING, "1 more that nobody serves")


QUIET = b'{"lanes": {}, "phase": "quiet", "would_serve": ["default:low"], "host": "web1", "master_pid": %s}'


def test_a_lane_whose_node_is_quiet_says_who_can_let_it_go_on(world):
    world.store.beat(NODE, LEASE_MS, QUIET % b"4711", [])
    world.submit(1, "low"), world.submit(1, "high")
    high, low = (one for one in namespace_remarks(world.transport, "test") if one.check == "lanes")
    assert (high.what, high.remedy) == (
        "1 ready, and no live worker takes them",
        "start a daemon, or a pool, that serves this lane",
    )
    assert low.what == (
        f"1 ready, and no live worker takes them: node {NODE} is quiet ('kill -CONT 4711' on web1 lets it go on)"
    )
    assert low.remedy == "let a quiet daemon go on, or start another that serves this lane"


@pytest.mark.parametrize("pid", [b"0", b"-1", b"true", b'"7; reboot"'])
def test_nobody_is_told_to_signal_more_than_one_process(world, pid):
    world.store.beat(NODE, LEASE_MS, QUIET % pid, [])
    world.submit(1, "low")
    assert "(SIGCONT to its master on web1 lets it go on)" in remarks(world, "lanes")[0][1]


def test_lanes_that_are_served_are_in_order_and_pauses_are_told(world):
    serve(world)
    world.submit(3)
    assert remarks(world, "lanes") == [
        (Level.OK, "3 ready, every lane with jobs is served", "namespace test")
    ]
    world.store.pause("default", None), world.store.pause("*", None)
    assert remarks(world, "lanes") == [(Level.OK, "paused: everything, queue default", "namespace test")]
