"""leave: take a node that stops off the list."""

from tests.store.conftest import LEASE_MS, NODE, OTHER, OTHER_NODE


def test_a_node_that_leaves_is_off_the_list_with_its_row(world):
    for node in (NODE, OTHER_NODE):
        world.store.beat(node, LEASE_MS, b"{}", [])
    world.store.leave(NODE)
    assert world.call("ZRANGE", world.keys.nodes, 0, -1) == [OTHER_NODE.encode()]
    assert [world.call("EXISTS", world.keys.node(node)) for node in (NODE, OTHER_NODE)] == [0, 1]


def test_leaving_twice_is_no_error(world):
    world.enter(OTHER)
    before = world.dump()
    world.store.leave(NODE)
    assert world.dump() == before
