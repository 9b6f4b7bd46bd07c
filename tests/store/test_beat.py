"""beat: extend a node's lease."""

import pytest

from tests.store.conftest import HOLDER, LEASE_MS, NODE, OTHER


def beat(world, *holders: str) -> list[str]:
    return world.store.beat(NODE, LEASE_MS, b'{"pid":1}', holders)


def row(world) -> dict[bytes, bytes]:
    words = world.call("HGETALL", world.keys.node(NODE))
    return dict(zip(words[::2], words[1::2], strict=True))


def alive_for_ms(world) -> int:
    return world.now() - int(row(world)[b"alive_since"])


def is_now(world, ms: int) -> bool:
    return 0 <= world.now() - ms < 10_000


def test_a_beat_extends_the_lease_to_a_whole_one_from_now(world):
    for left_ms in (-60_000, 100, 3_600_000):
        world.lease(NODE, left_ms)
        beat(world)
        assert is_now(world, int(world.call("ZSCORE", world.keys.nodes, NODE)) - LEASE_MS)


def test_it_keeps_what_the_node_says_of_itself(world):
    beat(world)
    assert row(world)[b"about"] == b'{"pid":1}'
    assert is_now(world, int(row(world)[b"beat_at"]))


def test_the_first_beat_begins_the_row_of_beats(world):
    beat(world)
    assert alive_for_ms(world) < 5_000


def test_a_beat_within_half_a_lease_continues_the_row(world):
    world.beaten(NODE, ms_ago=LEASE_MS // 2 - 5_000, alive_for_ms=60_000)
    since = row(world)[b"alive_since"]
    beat(world)
    beat(world)
    assert row(world)[b"alive_since"] == since


def test_a_beat_after_more_than_half_a_lease_begins_a_new_row(world):
    world.beaten(NODE, ms_ago=LEASE_MS // 2 + 1, alive_for_ms=60_000)
    beat(world)
    assert alive_for_ms(world) < 5_000


@pytest.mark.parametrize("ahead_ms", [1_000, 3_600_000])
def test_times_from_the_future_count_as_now(world, ahead_ms):
    world.beaten(NODE, ms_ago=-ahead_ms, alive_for_ms=-ahead_ms)
    beat(world)
    assert is_now(world, int(row(world)[b"beat_at"]))
    assert is_now(world, int(row(world)[b"alive_since"]))


def test_a_last_beat_from_the_future_does_not_break_the_row(world):
    world.beaten(NODE, ms_ago=-60_000, alive_for_ms=60_000)
    beat(world)
    assert alive_for_ms(world) >= 60_000


def test_it_tells_which_of_the_holders_are_no_longer_admitted(world):
    for holder in (HOLDER, OTHER):
        world.enter(holder)
    world.store.recover(OTHER)
    assert beat(world, HOLDER, OTHER, "n1/7.1") == [OTHER, "n1/7.1"]
    assert beat(world, HOLDER) == []


def test_a_lease_that_cannot_be_true_is_cut_down(world):
    """As after a server's clock that was a day ahead; its node's jobs would be out of reach for so long."""
    for node, ms in (("old", 86_400_000), (OTHER, 50 * LEASE_MS)):
        world.lease(node, ms)
    beat(world)
    ends = {node: int(world.call("ZSCORE", world.keys.nodes, node)) for node in ("old", OTHER)}
    assert is_now(world, ends["old"] - 100 * LEASE_MS)
    assert is_now(world, ends[OTHER] - 50 * LEASE_MS)


@pytest.mark.parametrize("ahead_ms", [5 * LEASE_MS, 3_600_000])
def test_another_nodes_lease_that_was_granted_in_the_future_counts_from_now(world, ahead_ms):
    """As after a server's clock was set back by so much. The length of it is its node's own."""
    for node, lease_ms in (("brief", LEASE_MS), ("long", 4 * LEASE_MS)):
        world.lease(node, ahead_ms + lease_ms)
        world.beaten(node, ms_ago=-ahead_ms, alive_for_ms=-ahead_ms)
    for _ in range(3):
        beat(world)
        ends = {node: int(world.call("ZSCORE", world.keys.nodes, node)) for node in ("brief", "long")}
        assert is_now(world, ends["brief"] - LEASE_MS)
        assert is_now(world, ends["long"] - 4 * LEASE_MS)


@pytest.mark.parametrize(("leases_ahead", "leases_left"), [(20, 21), (500, 100)])
def test_a_lease_that_enter_granted_in_the_future_is_left_unless_it_cannot_be_true(
    world, leases_ahead, leases_left
):
    """Nobody knows how long it was to be: its node may have a longer one than this."""
    world.enter("brief/1.1")
    world.call("ZINCRBY", world.keys.nodes, leases_ahead * LEASE_MS, "brief")
    beat(world)
    lease_end = int(world.call("ZSCORE", world.keys.nodes, "brief"))
    assert is_now(world, lease_end - leases_left * LEASE_MS)


def test_the_longer_lease_of_another_node_is_left_to_it(world):
    world.beaten(OTHER, ms_ago=1_000, alive_for_ms=60_000)
    world.lease(OTHER, 20 * LEASE_MS)
    before = world.call("ZSCORE", world.keys.nodes, OTHER)
    beat(world)
    assert world.call("ZSCORE", world.keys.nodes, OTHER) == before


def test_another_nodes_damaged_key_keeps_no_beat_back(world):
    world.lease(OTHER, 20 * LEASE_MS)
    world.call("SET", world.keys.node(OTHER), "no hash")
    assert beat(world, "nobody") == ["nobody"]


def counted(world) -> tuple[bytes | None, bytes | None]:
    return row(world).get(b"counted"), row(world).get(b"counted_before")


def backdate_counters(world, ms: int) -> None:
    world.call("HINCRBY", world.keys.node(NODE), "counted_at", -ms)


def test_it_keeps_what_the_counters_said_every_ten_seconds_and_the_time_before(world):
    world.submit(3)
    beat(world)
    first, before = counted(world)
    at, *words = first.split(b" ")
    assert (is_now(world, int(at)), words, before) == (True, [b"submitted", b"3"], b"")
    world.submit()
    backdate_counters(world, 9_000)
    beat(world)
    assert counted(world) == (first, b"")
    backdate_counters(world, 1_000)
    beat(world)
    second, before = counted(world)
    assert (second.split(b" ")[1:], before) == ([b"submitted", b"4"], first)


def test_counters_that_were_kept_in_the_future_are_kept_anew(world):
    beat(world)
    backdate_counters(world, -3_600_000)
    world.submit()
    beat(world)
    assert counted(world)[0].endswith(b"submitted 1")


def test_damaged_counters_keep_no_beat_back(world):
    world.call("SET", world.keys.stats, "no hash")
    beat(world)
    assert is_now(world, int(row(world)[b"beat_at"]))
    assert counted(world) == (None, None)
