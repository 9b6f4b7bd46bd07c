"""The way to a server that Sentinels know by name: whom to ask, whom to believe, and how long that may take."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from bananasd import AsyncClient, Client, ConnectionFailed, ServerRefused
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.health import examine
from tests.patience import insist, tries
from tests.proxy import Proxy
from tests.sentinels import SERVICE, Sentinel, TcpServer, free_port, url_of

SECRET = "s3cr3t"


@pytest.fixture(scope="module")
def directory():
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def both(directory):
    servers = [TcpServer(directory / name) for name in ("one", "two")]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def servers(both):
    """Two servers that have nothing to do with each other."""
    yield both
    for server in both:
        server.call("REPLICAOF", "NO", "ONE")
        server.call("FLUSHALL")
        server.call("ACL", "DELUSER", "worker")


@pytest.fixture
def make_sentinel(tmp_path):
    made = []

    def make(primary):
        made.append(Sentinel(tmp_path / f"{len(made)}", primary))
        return made[-1]

    yield make
    for sentinel in made:
        sentinel.stop()


@pytest.fixture
def connect():
    made = []

    def connect(url, seconds=5.0, **options):
        made.append(HeldConnection(Server(url, seconds, **options)))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def url_to(*places, service=SERVICE):
    return f"redis+sentinel://{','.join(places)}/{service}"


def port_of(connection):
    (reply,) = connection.trip([("CONFIG", "GET", "port")])
    return int(reply[1])


# Where they lead


def test_a_sentinel_leads_to_the_primary(servers, make_sentinel, connect):
    sentinel = make_sentinel(servers[1])
    assert port_of(connect(url_of([sentinel]))) == servers[1].port


def test_a_client_takes_the_same_url(servers, make_sentinel):
    with Client(url_of([make_sentinel(servers[0])])) as client:
        job_id = client.submit_job("any", {})
    assert servers[0].call("EXISTS", f"{{bananas:default}}:job:{job_id}") == 1


def test_an_async_client_takes_it_too_and_follows_a_failover(directory, servers, make_sentinel):
    async def use():
        async with AsyncClient(url_of([sentinel]), timeout_seconds=20) as client:
            await client.submit_job("any", {})
            await asyncio.to_thread(killed.stop)
            sentinel.tell(servers[1])
            return await client.submit_job("any", {})

    killed = TcpServer(directory / "left")
    sentinel = make_sentinel(killed)
    job_id = asyncio.run(use())
    assert servers[1].call("EXISTS", f"{{bananas:default}}:job:{job_id}") == 1


def test_an_async_client_is_told_what_its_sentinels_say(make_sentinel, servers):
    sentinel = make_sentinel(servers[0])
    with pytest.raises(ServerRefused, match="this Sentinel knows no service 'none'"):
        asyncio.run(AsyncClient(url_to(sentinel.place, service="none")).queue_stats())
    with pytest.raises(ServerRefused, match="this is a Sentinel, which keeps no jobs"):
        asyncio.run(AsyncClient(f"redis://{sentinel.place}").queue_stats())


def test_the_url_chooses_the_database_of_the_server(servers, make_sentinel, connect):
    connect(f"{url_of([make_sentinel(servers[0])])}/3").trip([("SET", "here", "yes")])
    assert connect(f"{servers[0].url}?db=3").trip([("GET", "here")]) == [b"yes"]


def test_a_demoted_server_is_left_for_the_one_that_was_promoted(servers, make_sentinel, connect):
    sentinel = make_sentinel(servers[0])
    connection = connect(url_of([sentinel]))
    connection.trip([("PING",)])
    servers[0].call("REPLICAOF", "127.0.0.1", "1")
    sentinel.tell(servers[1])
    (refusal,) = connection.trip([("SET", "a", "b")])
    assert "replica" in str(refusal)
    assert port_of(connection) == servers[1].port


def test_a_killed_server_is_left_for_the_one_that_was_promoted(directory, servers, make_sentinel, connect):
    killed = TcpServer(directory / "killed")
    sentinel = make_sentinel(killed)
    connection = connect(url_of([sentinel]))
    connection.trip([("PING",)])
    killed.stop()
    sentinel.tell(servers[1])
    with pytest.raises(ConnectionFailed):
        connection.trip([("PING",)])
    assert port_of(connection) == servers[1].port


# Whom to believe


def test_what_is_no_primary_is_left_at_once(servers, make_sentinel, connect):
    servers[0].call("REPLICAOF", "127.0.0.1", "1")
    connection = connect(url_of([make_sentinel(servers[0])]))
    with pytest.raises(ConnectionFailed, match=f"{servers[0].place}: it is no primary") as failure:
        connection.trip([("PING",)])
    assert not isinstance(failure.value, ServerRefused), "it may be promoted in a moment"
    servers[0].call("REPLICAOF", "NO", "ONE")
    assert port_of(connection) == servers[0].port


def test_another_sentinel_is_asked_if_one_leads_to_no_primary(servers, make_sentinel, connect):
    servers[0].call("REPLICAOF", "127.0.0.1", "1")
    sentinels = [make_sentinel(server) for server in servers]
    assert port_of(connect(url_of(sentinels))) == servers[1].port


def test_a_server_that_does_not_let_its_role_be_asked_is_believed(servers, make_sentinel, connect):
    servers[0].call("ACL", "SETUSER", "worker", "on", f">{SECRET}", "~*", "+@all", "-role")
    url = url_of([make_sentinel(servers[0])]).replace("//", f"//worker:{SECRET}@")
    assert connect(url).trip([("PING",)]) == [b"PONG"]


# Passwords


@pytest.fixture
def guarded(directory, make_sentinel):
    """A server and a Sentinel with passwords of their own."""
    server = TcpServer(Path(tempfile.mkdtemp(dir=directory)) / "guarded")
    sentinel = make_sentinel(server)
    sentinel.call("SENTINEL", "SET", SERVICE, "auth-pass", "of the server")
    sentinel.password = "of the sentinel"
    server.call("CONFIG", "SET", "requirepass", "of the server")
    yield sentinel
    server.stop()


def test_server_and_sentinels_have_passwords_of_their_own(guarded, connect):
    url = f"{url_of([guarded])}?sentinel_password=of%20the%20sentinel"
    assert connect(url, password="of the server").trip([("PING",)]) == [b"PONG"]
    assert connect(url.replace("//", "//:of%20the%20server@")).trip([("PING",)]) == [b"PONG"]


@pytest.mark.parametrize("place", ["server", "sentinel"])
def test_a_wrong_password_is_a_refusal_that_does_not_show_it(guarded, connect, place):
    passwords = {"server": "of%20the%20server", "sentinel": "of%20the%20sentinel", place: SECRET}
    url = url_of([guarded]).replace("//", f"//:{passwords['server']}@")
    with pytest.raises(ServerRefused) as failure:
        connect(f"{url}?sentinel_password={passwords['sentinel']}").trip([("PING",)])
    assert SECRET not in str(failure.value)


# Whom to ask, and for how long


def test_without_any_sentinel_the_error_names_them_all(connect):
    places = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with pytest.raises(ConnectionFailed) as failure:
        connect(url_to(*places).replace("//", f"//:{SECRET}@")).trip([("PING",)])
    text = str(failure.value)
    assert text.startswith(f"{url_to(*places)}: Sentinel redis://{places[0]}: ")
    assert f"; Sentinel redis://{places[1]}: " in text
    assert SECRET not in text


def test_a_service_that_no_sentinel_knows_is_a_refusal_at_once(servers, make_sentinel):
    sentinel = make_sentinel(servers[0])
    for attempt in tries(5):
        with (
            attempt,
            pytest.raises(ServerRefused, match=f"{sentinel.place}: this Sentinel knows no service 'other'"),
        ):
            Client(url_of([sentinel], "other"), timeout_seconds=30)


def test_a_server_in_place_of_a_sentinel_is_told(servers, connect):
    with pytest.raises(ServerRefused, match=f"{servers[0].place}: it is no Sentinel, or refuses: "):
        connect(url_to(servers[0].place)).trip([("PING",)])


def test_a_sentinel_in_place_of_a_server_is_told(servers, make_sentinel, connect):
    sentinel = make_sentinel(servers[0])
    problems = examine(connect(f"redis://{sentinel.place}")).problems
    assert any("this is a Sentinel" in problem for problem in problems)


def test_a_client_that_takes_a_sentinel_for_the_server_is_told_what_to_use(servers, make_sentinel):
    sentinel = make_sentinel(servers[0])
    advice = (
        f"redis://{sentinel.place}: this is a Sentinel, which keeps no jobs; "
        f"use redis+sentinel://{sentinel.place}/SERVICE (services that it knows: '{SERVICE}')"
    )
    with Client(f"redis://{sentinel.place}") as client:
        for call in (lambda: client.submit_job("any", {}), client.queue_stats, client.dead_jobs):
            with pytest.raises(ServerRefused) as failure:
                call()
            assert str(failure.value) == advice
    with pytest.raises(
        ServerRefused, match=r"/1: this is a Sentinel, .* use redis\+sentinel://[^/]*/SERVICE "
    ):
        Client(f"redis://{sentinel.place}/1")


def test_a_server_that_does_not_know_a_command_is_no_sentinel(servers, connect):
    (refusal,) = connect(f"redis://{servers[0].place}").trip([("NONSENSE",)])
    assert "unknown command" in str(refusal)


def test_sentinels_that_are_gone_or_hang_leave_time_for_one_that_answers(servers, make_sentinel, connect):
    gone, hanging, answering = (make_sentinel(servers[0]) for _ in range(3))
    gone.stop()
    os.kill(hanging.process.pid, signal.SIGSTOP)
    assert insist(lambda: port_of(connect(url_of([gone, hanging, answering]), 2))) == servers[0].port


def test_a_sentinel_that_hangs_costs_time_once(servers, make_sentinel):
    """Not for every new connection to the same server, of whatever thread."""
    hanging, answering = (make_sentinel(servers[0]) for _ in range(2))
    os.kill(hanging.process.pid, signal.SIGSTOP)
    server = Server(url_of([hanging, answering]), 3)

    def connect_anew():
        connection = HeldConnection(server)
        assert port_of(connection) == servers[0].port
        connection.close()

    began = time.monotonic()
    insist(connect_anew)
    assert time.monotonic() - began >= 1
    for _ in range(2):
        for attempt in tries(0.5):
            with attempt:
                connect_anew()


def test_the_sentinel_that_answered_last_is_not_asked_alone(servers, make_sentinel):
    first, second = (make_sentinel(servers[0]) for _ in range(2))
    server = Server(url_of([first, second]), 3)
    for stopped in (None, first):
        if stopped:
            stopped.stop()
        connection = HeldConnection(server)
        assert port_of(connection) == servers[0].port
        connection.close()
    assert server.last_answer.address == f"redis://{second.place}"


def test_a_primary_that_hangs_leaves_time_for_another_sentinel(directory, servers, make_sentinel, connect):
    hanging = TcpServer(directory / "hanging")
    sentinels = [make_sentinel(hanging), make_sentinel(servers[0])]
    os.kill(hanging.process.pid, signal.SIGSTOP)
    try:
        assert insist(lambda: port_of(connect(url_of(sentinels), 2))) == servers[0].port
    finally:
        hanging.stop()


def test_a_primary_that_hangs_is_tried_once_whoever_names_it(directory, make_sentinel, connect):
    hanging = TcpServer(directory / "hanging twice")
    sentinels = [make_sentinel(hanging) for _ in range(3)]
    os.kill(hanging.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed) as failure:
            connect(url_of(sentinels), 1).trip([("PING",)])
    finally:
        hanging.stop()
    assert str(failure.value).count(hanging.place) == 1


def test_a_primary_that_is_slow_is_reached_however_many_name_it(servers, make_sentinel, connect):
    proxy = Proxy(servers[0].place, delay_seconds=0.8)
    try:
        proxy.mode = "delay"
        sentinels = [make_sentinel(servers[0]) for _ in range(3)]
        for sentinel in sentinels:
            sentinel.tell_port(int(proxy.url.rpartition(":")[2]))
        assert insist(lambda: connect(url_of(sentinels), 2).trip([("PING",)])) == [b"PONG"]
    finally:
        proxy.close()


@pytest.mark.parametrize("mode", ["blackhole", "drip"])
@pytest.mark.parametrize("behind", ["sentinel", "server"])
def test_whatever_hangs_the_trip_ends_by_its_deadline(servers, make_sentinel, connect, mode, behind):
    sentinel = make_sentinel(servers[0])
    proxy = Proxy(sentinel.place if behind == "sentinel" else servers[0].place)
    try:
        place = proxy.url.removeprefix("redis://")
        if behind == "server":
            sentinel.tell_port(int(place.rpartition(":")[2]))
            place = sentinel.place
        proxy.mode = mode
        for attempt in tries(1):
            with attempt, pytest.raises(ConnectionFailed):
                connect(url_to(place), 0.4).trip([("PING",)])
        proxy.mode = "pass"
        assert connect(url_to(place), 5).trip([("PING",)]) == [b"PONG"]
    finally:
        proxy.close()
