"""From an address to a held connection: what is refused, what is bounded, what is never repeated."""

import gc
import os
import select
import signal
import socket
import sys

import pytest

from bananasd import ConnectionFailed, ServerRefused, clock
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.stats import Stats
from tests.conftest import wait_until
from tests.daemon import halt
from tests.patience import insist, tries
from tests.proxy import Proxy, full_listener

SECRET = "s3cr3t"


@pytest.fixture
def connect():
    """Makes connections, and closes them in the end."""
    made = []

    def connect(url: str, seconds: float = 5, **options: str) -> HeldConnection:
        made.append(HeldConnection(Server(url, seconds, **options)))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture
def frozen(own_server):
    """A server that no longer answers, though it still accepts connections; ``thaw`` lets it go on."""
    os.kill(own_server.process.pid, signal.SIGSTOP)
    own_server.thaw = lambda: os.kill(own_server.process.pid, signal.SIGCONT)
    return own_server


def connected(server, connect, seconds):
    """A connection that was made before the server froze."""
    os.kill(server.process.pid, signal.SIGCONT)
    connection = connect(server.url, seconds)
    insist(lambda: connection.trip([("PING",)]))
    halt(server.process.pid)
    return connection


# What an address becomes (tests/unit/test_address.py has the addresses themselves)


def test_a_socket_path_of_just_the_length_that_the_system_takes_is_fine():
    assert Server("unix:///" + 106 * "x", 1).address == "unix:///" + 106 * "x"


def test_the_limits_stand_whatever_the_url_says():
    url = "redis://localhost?socket_timeout=900&protocol=3&decode_responses=1&health_check_interval=1&encoding=rot13"
    connection = Server(url, 2).make_connection()
    assert (connection.socket_timeout, connection.socket_connect_timeout, connection.protocol) == (2, 2, 2)
    assert connection.health_check_interval == 0
    assert connection.retry.get_retries() == 0
    assert (connection.encoder.encoding, connection.encoder.decode_responses) == ("utf-8", False)


def test_a_password_given_apart_from_the_url_is_used(own_server, connect):
    own_server.call("CONFIG", "SET", "requirepass", SECRET)
    assert connect(own_server.url, password=SECRET).trip([("PING",)]) == [b"PONG"]


@pytest.mark.parametrize("password", [None, "wr0ng"])
def test_without_the_right_password_the_server_refuses_and_neither_is_shown(own_server, connect, password):
    own_server.call("CONFIG", "SET", "requirepass", SECRET)
    stats = Stats(connect(own_server.url, password=password), "test")
    with pytest.raises(ServerRefused) as failure:
        stats.ping()
    assert SECRET not in str(failure.value)
    assert "wr0ng" not in str(failure.value)


def test_the_url_chooses_the_database(server, connect):
    connect(f"{server.url}?db=3").trip([("SET", "here", "yes")])
    assert connect(server.url).trip([("GET", "here")]) == [None]


# A trip


def test_the_replies_come_in_the_order_of_the_commands_with_errors_among_them(server, connect):
    commands = [("SET", "a", "b"), ("INCR", "a"), ("NO SUCH COMMAND",), ("GET", "a")]
    ok, not_a_number, unknown, value = connect(server.url).trip(commands)
    assert (ok, value) == (b"OK", b"b")
    assert (isinstance(not_a_number, Exception), isinstance(unknown, Exception)) == (True, True)


def test_a_dead_port_is_named_at_once(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"redis://127.0.0.1:{closed.getsockname()[1]}"
    for attempt in tries(5):
        with attempt, pytest.raises(ConnectionFailed, match=address):
            connect(address, 30).trip([("PING",)])


def test_a_missing_socket_is_named_at_once(connect, tmp_path):
    for attempt in tries(5):
        with attempt, pytest.raises(ConnectionFailed, match=r"unix:///.*/none\.sock"):
            connect("unix:///tmp/bananasd-test/none.sock", 30).trip([("PING",)])


def test_a_trip_to_a_frozen_server_ends_in_its_time(frozen, connect):
    for attempt in tries(2, at_least=0.2):
        with attempt, pytest.raises(ConnectionFailed):
            connect(frozen.url, 0.2).trip([("PING",)])


def test_a_trip_to_a_server_that_freezes_ends_in_its_time(own_server, connect):
    for attempt in tries(2, at_least=0.2):
        connection = connected(own_server, connect, 0.2)
        with attempt, pytest.raises(ConnectionFailed):
            connection.trip([("PING",)])


def test_a_trip_until_a_deadline_ends_by_it_even_if_the_deadline_has_passed(frozen, connect):
    connection = connect(frozen.url, 30)
    for seconds in (0.2, 0, -1):
        for attempt in tries(2):
            with attempt, pytest.raises(ConnectionFailed):
                connection.trip_until(clock.deadline_in(seconds), [("PING",)])


def test_a_long_command_to_a_frozen_server_ends_by_the_deadline_of_its_trip(own_server, connect):
    for attempt in tries(2):
        connection = connected(own_server, connect, 30)
        with attempt, pytest.raises(ConnectionFailed):
            connection.trip_until(clock.deadline_in(0.2), [("SET", "a", b"x" * 64 * 1024 * 1024)])


def test_after_a_failure_the_next_trip_connects_anew_and_takes_no_late_reply_for_its_own(frozen, connect):
    connection = connect(frozen.url)
    with pytest.raises(ConnectionFailed):
        connection.trip_until(clock.deadline_in(0.2), [("ECHO", "late")])
    frozen.thaw()
    wait_until(frozen.answers)
    assert connection.trip([("ECHO", "mine")]) == [b"mine"]


def test_a_trip_whose_reply_was_lost_is_not_repeated(server, proxy, connect):
    connection = connect(proxy.url)
    lost = proxy.drop_next_reply(b"INCR")
    with pytest.raises(ConnectionFailed):
        connection.trip([("INCR", "count")])
    assert lost.is_set()
    assert server.call("GET", "count") == b"1"
    assert connection.trip([("INCR", "count")]) == [2]


def test_what_breaks_into_a_trip_leaves_no_reply_for_the_next(frozen, connect):
    connection = connect(frozen.url)
    previous = signal.signal(signal.SIGALRM, lambda *_: sys.exit())
    try:
        with pytest.raises(SystemExit):  # noqa: PT012 - it may come at any time
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            connection.trip([("ECHO", "late")])
    finally:
        signal.signal(signal.SIGALRM, previous)
    frozen.thaw()
    assert connection.trip([("ECHO", "mine")]) == [b"mine"]


def test_a_server_that_was_restarted_costs_one_trip(own_server, connect):
    connection = connect(own_server.url)
    connection.trip([("PING",)])
    own_server.stop()
    own_server.start()
    with pytest.raises(ConnectionFailed):
        connection.trip([("PING",)])
    assert connection.trip([("PING",)]) == [b"PONG"]


def test_a_reply_that_drips_in_gains_no_time(proxy, connect):
    connection = connect(proxy.url, 0.3)
    for attempt in tries(1, at_least=0.3):
        proxy.mode = "pass"
        insist(lambda: connection.trip([("PING",)]))
        proxy.mode = "drip"
        with attempt, pytest.raises(ConnectionFailed):
            connection.trip([("ECHO", 1000 * "x")])


def test_a_connect_whose_replies_drip_in_ends_by_the_deadline_of_its_trip(proxy, connect):
    proxy.mode = "drip"
    for attempt in tries(1):
        with attempt, pytest.raises(ConnectionFailed):
            connect(f"{proxy.url}?db=2", 0.3).trip([("PING",)])


def test_a_reply_that_drips_in_is_complete_if_there_is_time(proxy, connect):
    proxy.delay_seconds = 0.001
    proxy.mode = "drip"
    assert connect(proxy.url).trip([("ECHO", 50 * "x")]) == [50 * b"x"]


def test_a_name_that_the_lookup_cannot_write_is_a_failed_connection(connect, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        "a..b".encode("idna")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ConnectionFailed, match="redis://host:6379"):
        connect("redis://host").trip([("PING",)])


def test_a_name_with_many_addresses_that_do_not_answer_takes_no_more_time(connect, monkeypatch):
    with full_listener() as port:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 6
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        for attempt in tries(1.2, at_least=0.5):
            with attempt, pytest.raises(ConnectionFailed):
                connect("redis://many.example", 0.6).trip([("PING",)])


@pytest.mark.parametrize("mode", ["refuse", "deaf", "drop-reply", "blackhole"])
def test_no_fault_on_the_way_outlasts_its_end(proxy, connect, mode):
    connection = connect(proxy.url)
    connection.trip([("PING",)])
    proxy.mode = mode
    for _ in range(2):
        with pytest.raises(ConnectionFailed):
            connection.trip_until(clock.deadline_in(0.2), [("PING",)])
    proxy.mode = "pass"
    assert connection.trip([("ECHO", "again")]) == [b"again"]


# Asking: a blocking command whose reply is waited for beside a file descriptor


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader), os.close(writer)


def test_a_blocking_command_is_answered_as_soon_as_there_is_something(server, connect, pipe):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 1))
    assert connection.answer(0, pipe[0]) == []
    server.call("RPUSH", "tokens", "x")
    assert connection.answer(5, pipe[0]) == [[b"tokens", b"x"]]


def test_the_wait_ends_when_its_time_is_over_and_goes_on_where_it_was(server, connect, pipe):
    connection = connect(server.url)
    for _ in range(3):
        connection.ask(("BLPOP", "tokens", 1))
        assert connection.answer(0.01, pipe[0]) == []
    server.call("RPUSH", "tokens", "x", "y")
    assert connection.answer(5, pipe[0]) == [[b"tokens", b"x"]]
    assert server.call("LRANGE", "tokens", 0, -1) == [b"y"]


def test_the_wait_ends_early_when_the_other_descriptor_is_readable(server, connect, pipe):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 60))
    os.write(pipe[1], b"!")
    for attempt in tries(1):
        with attempt:
            assert connection.answer(5, pipe[0]) == []


def test_a_trip_gives_the_wait_up_and_its_reply_is_not_taken_for_the_trips(server, connect, pipe):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 1))
    server.call("RPUSH", "tokens", "x")
    assert connection.trip([("ECHO", "mine")]) == [b"mine"]
    assert connection.answer(0, pipe[0]) == []


def test_the_server_ends_the_wait_without_a_fault(server, connect, pipe):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 0.01))
    assert connection.answer(5, pipe[0]) == [None]
    assert connection.trip([("PING",)]) == [b"PONG"]


def test_waiting_on_a_frozen_server_fails_once_the_reply_is_overdue(frozen, connect, pipe, monkeypatch):
    monkeypatch.setattr("bananasd.store.connection.BLOCK_SECONDS", 0.1)
    connection = connect(frozen.url, 0.2)
    connection.ask(("BLPOP", "tokens", 0.1))
    assert connection.answer(0.01, pipe[0]) == []
    for attempt in tries(2):
        with attempt, pytest.raises(ConnectionFailed, match="no answer within"):
            connection.answer(30, pipe[0])
        connection.ask(("BLPOP", "tokens", 0.1))


def test_an_answer_that_drips_in_gains_no_time(server, proxy, connect, pipe):
    connection = connect(proxy.url, 0.3)
    for attempt in tries(2):
        proxy.mode = "pass"
        insist(lambda: connection.ask(("BLPOP", "tokens", 1)))
        proxy.mode = "drip"
        server.call("RPUSH", "tokens", 1000 * "x")
        with attempt, pytest.raises(ConnectionFailed):
            connection.answer(5, pipe[0])


def test_waiting_on_a_connection_that_ends_fails(proxy, connect, pipe):
    connection = connect(proxy.url)
    connection.ask(("BLPOP", "tokens", 1))
    proxy.mode = "refuse"
    with pytest.raises(ConnectionFailed):
        connection.answer(5, pipe[0])
    with pytest.raises(ConnectionFailed):
        connection.ask(("BLPOP", "tokens", 1))


def test_an_error_of_the_server_is_the_answer(server, connect, pipe):
    server.call("SET", "tokens", "no list")
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 1))
    (answer,) = connection.answer(5, pipe[0])
    assert isinstance(answer, Exception)


def test_what_is_to_be_done_after_the_wait_is_done_at_its_end_and_not_before(server, connect, pipe):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 1), ("INCR", "done"), ("ECHO", "last"))
    assert connection.answer(0.01, pipe[0]) == []
    assert connection.is_asking
    assert server.call("GET", "done") is None
    server.call("RPUSH", "tokens", "x")
    assert connection.answer(5, pipe[0]) == [[b"tokens", b"x"], 1, b"last"]
    assert not connection.is_asking
    assert connection.trip([("PING",)]) == [b"PONG"]


def test_what_was_to_be_done_after_a_wait_is_not_done_once_the_connection_is_closed(server, connect):
    connection = connect(server.url)
    connection.ask(("BLPOP", "tokens", 1), ("INCR", "done"))
    connection.close()
    wait_until(lambda: b"blocked_clients:0" in server.call("INFO", "clients"))
    server.call("RPUSH", "tokens", "x")
    assert (server.call("GET", "done"), server.call("LLEN", "tokens")) == (None, 1)


def test_a_connection_that_is_dropped_is_closed_at_once(server, connect):
    gc.disable()
    try:
        connection = HeldConnection(Server(server.url, 5))
        connection.trip([("CLIENT", "SETNAME", "dropped")])
        assert b"name=dropped" in server.call("CLIENT", "LIST")
        del connection
        wait_until(lambda: b"name=dropped" not in server.call("CLIENT", "LIST"))
    finally:
        gc.enable()


# The proxy itself


def test_what_a_blackhole_swallowed_arrives_when_it_ends(server, proxy, connect):
    connection = connect(proxy.url)
    connection.trip([("PING",)])
    proxy.mode = "blackhole"
    with pytest.raises(ConnectionFailed):
        connection.trip_until(clock.deadline_in(0.1), [("INCR", "count")])
    assert server.call("GET", "count") is None
    proxy.mode = "pass"
    wait_until(lambda: server.call("GET", "count") == b"1")


def test_a_delayed_reply_is_late_by_that_much(proxy, connect):
    connection = connect(proxy.url)
    connection.trip([("PING",)])
    proxy.mode = "delay"
    for attempt in tries(5, at_least=proxy.delay_seconds):
        with attempt:
            connection.trip([("PING",)])


def test_a_closed_proxy_leaves_nothing_open(server, connect):
    proxy = Proxy(server.socket)
    connection = connect(proxy.url)
    connection.trip([("PING",)])
    connection.ask(("BLPOP", "tokens", 1))
    fd = connection.wire.sock.fileno()
    proxy.close()
    assert select.select([fd], [], [], 5)[0] == [fd]
    with pytest.raises(ConnectionFailed):
        connection.trip([("PING",)])
