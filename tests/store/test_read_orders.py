"""read_orders: what cancels of running jobs ask of a node."""

from bananasd.store.orders import Order, read
from bananasd.store.outcomes import Completed, Released
from tests.store.conftest import HOLDER, NODE


def cancelled(world, how="soft", count=1):
    ids = world.start(count)
    for job_id in ids:
        world.store.cancel(job_id, how)
    return ids


def test_an_order_stays_until_it_is_done(world):
    first, second = cancelled(world, count=2)
    orders = world.orders()
    assert orders == world.orders() == [f"{HOLDER} {job_id} 1 soft" for job_id in (first, second)]
    assert world.orders(orders[0]) == world.orders(orders[0]) == orders[1:]


def test_a_repeated_order_is_done_once(world):
    (job_id,) = cancelled(world)
    world.store.cancel(job_id, "soft")
    (order, _) = world.orders()
    assert world.orders(order) == []


def test_the_order_of_a_run_that_is_over_is_dropped(world):
    (job_id,) = cancelled(world)
    world.store.settle([Completed(HOLDER, job_id, 1, b"")])
    assert world.orders() == []
    assert world.call("EXISTS", world.keys.orders(NODE)) == 0


def test_the_order_of_an_earlier_run_is_dropped(world):
    (job_id,) = cancelled(world)
    world.call("HDEL", world.keys.job(job_id), "cancel")  # as a server that lost its last second
    world.store.settle([Released(HOLDER, job_id, 1)])
    assert world.claim().jobs[0].run == 2
    assert world.orders() == []


def test_the_order_of_another_holder_is_dropped(world):
    (job_id,) = cancelled(world)
    world.mark(job_id, holder="n1/9.1")
    assert world.orders() == []


def test_what_is_no_order_is_dropped(world):
    world.call("RPUSH", world.keys.orders(NODE), "nonsense", "a b c d", "")
    assert world.orders() == []
    assert world.call("EXISTS", world.keys.orders(NODE)) == 0


def test_a_key_that_is_no_list_is_left_to_the_doctor(world):
    world.call("SET", world.keys.orders(NODE), "x")
    assert world.orders("y") == []


def test_a_node_without_orders_has_none(world):
    assert world.orders() == []
    assert world.dump() == {}


def test_an_order_says_which_run_and_how(world):
    (job_id,) = cancelled(world, "hard")
    words = f"{HOLDER} {job_id} 1 hard"
    assert read([words.encode()]) == [Order(HOLDER, job_id, 1, True, words)]
