"""Connections for many threads, and for the processes that they fork."""

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bananasd import ConnectionFailed
from bananasd.store.connection import Server
from bananasd.store.pool import Pool
from tests.conftest import wait_until
from tests.daemon import halt
from tests.patience import insist, tries
from tests.proxy import Proxy

CLIENT_ID = [("CLIENT", "ID")]


@pytest.fixture
def make_pool():
    made = []

    def make_pool(url: str, seconds: float = 5, **options: str) -> Pool:
        made.append(Pool(Server(url, seconds, **options)))
        return made[-1]

    yield make_pool
    for pool in made:
        pool.close()


def fails_within(seconds: float, call, *, before=lambda: None) -> None:
    for attempt in tries(seconds):
        before()
        with attempt, pytest.raises(ConnectionFailed):
            call()


def test_one_trip_after_the_other_uses_one_connection(server, make_pool):
    pool = make_pool(server.url)
    assert len({pool.call().trip(CLIENT_ID)[0] for _ in range(5)}) == 1


def test_a_call_whose_reply_was_lost_is_repeated_on_a_new_connection(server, proxy, make_pool):
    lost = proxy.drop_next_reply(b"INCR")
    assert make_pool(proxy.url).call().trip([("INCR", "count")]) == [2]
    assert lost.is_set()


def test_an_attempt_whose_reply_was_lost_is_not_repeated(server, proxy, make_pool):
    proxy.drop_next_reply(b"INCR")
    with pytest.raises(ConnectionFailed):
        make_pool(proxy.url).attempt().trip([("INCR", "count")])
    assert server.call("GET", "count") == b"1"


def test_a_connection_that_broke_while_it_was_idle_costs_a_call_nothing(own_server, make_pool):
    pool = make_pool(own_server.url)
    pool.call().trip([("PING",)])
    own_server.stop()
    own_server.start()
    assert pool.call().trip([("PING",)]) == [b"PONG"]


def test_a_server_that_comes_back_in_time_fails_no_call(own_server, make_pool):
    pool = make_pool(own_server.url, 30)
    own_server.stop()
    with ThreadPoolExecutor() as threads:
        reply = threads.submit(pool.call().trip, [("PING",)])
        own_server.start()
        assert reply.result(30) == [b"PONG"]


def test_a_call_to_a_dead_port_ends_in_its_time(make_pool):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}"
    pool = make_pool(url, 0.3)
    fails_within(2, lambda: pool.call().trip([("PING",)]))
    fails_within(2, lambda: pool.attempt().trip([("PING",)]))


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_call_to_a_frozen_server_ends_in_its_time(own_server, make_pool, is_connected):
    pool = make_pool(own_server.url, 0.3)

    def freeze() -> None:
        if is_connected:
            os.kill(own_server.process.pid, signal.SIGCONT)
            insist(lambda: pool.call().trip([("PING",)]))
        halt(own_server.process.pid)

    fails_within(2, lambda: pool.call().trip([("PING",)]), before=freeze)


def test_a_call_has_one_time_for_all_its_trips(own_server, make_pool):
    os.kill(own_server.process.pid, signal.SIGSTOP)
    pool = make_pool(own_server.url, 30)
    for attempt in tries(5, at_least=0.1):
        with attempt, pytest.raises(ConnectionFailed):  # noqa: PT012 - its time begins with it
            call = pool.call(0.2)
            call.trip([("PING",)])
    fails_within(0.2, lambda: call.trip([("PING",)]))


@pytest.mark.parametrize("options", ["", "?db=2"])
def test_a_call_over_a_slow_way_ends_in_its_time_however_many_trips_a_connect_takes(
    own_server, make_pool, options
):
    own_server.call("CONFIG", "SET", "requirepass", "secret")
    proxy = Proxy(own_server.socket, delay_seconds=0.9)
    proxy.mode = "delay"
    pool = make_pool(proxy.url + options, 1, password="secret")
    fails_within(1.5, lambda: pool.call().trip([("PING",)]))
    proxy.close()


def test_an_error_of_the_server_is_a_reply_and_no_reason_to_repeat(server, make_pool):
    server.call("SET", "a", "text")
    (reply,) = make_pool(server.url, 30).call().trip([("INCR", "a")])
    assert isinstance(reply, Exception)


def test_a_wrong_password_is_not_tried_again(own_server, make_pool):
    own_server.call("CONFIG", "SET", "requirepass", "secret")
    fails_within(5, lambda: make_pool(own_server.url, 30, password="wrong").call().trip([("PING",)]))


def test_each_of_many_threads_gets_the_replies_to_its_own_commands(server, make_pool):
    pool, start = make_pool(server.url), threading.Barrier(20)

    def echo(thread: int) -> bool:
        start.wait()
        words = [f"{thread}.{n}".encode() for n in range(100)]
        return [pool.call().trip([("ECHO", word)])[0] for word in words] == words

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(echo, range(20)))


def test_a_forked_child_uses_a_connection_of_its_own_and_leaves_its_parents_alone(server, make_pool):
    pool = make_pool(server.url)
    (parents,) = pool.call().trip(CLIENT_ID)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(pool.call().trip(CLIENT_ID)[0]).encode())
            pool.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    childs = int(os.read(reader, 100))
    os.close(reader), os.close(writer)
    assert childs != parents
    assert pool.call().trip(CLIENT_ID) == [parents]


def test_closing_leaves_no_connection_open_and_the_next_call_opens_another(server, make_pool):
    pool = make_pool(server.url)
    (client_id,) = pool.call().trip(CLIENT_ID)
    pool.close()
    wait_until(lambda: f"id={client_id} ".encode() not in server.call("CLIENT", "LIST"))
    assert pool.call().trip(CLIENT_ID) != [client_id]
