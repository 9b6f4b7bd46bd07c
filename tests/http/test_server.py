"""The socket under the dashboard."""

import logging
import select
import socket
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bananasd.http.connections import MAX_CONNECTIONS
from bananasd.http.server import WebServer, listen
from tests.conftest import wait_until
from tests.sentinels import free_port


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_connection_sends_at_once_what_there_is(host, family):
    with listen(host, free_port()) as listener, socket.create_connection(listener.getsockname()[:2]):
        taken, _ = listener.accept()
        with taken:
            assert taken.family == family
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_port_that_is_taken_is_told():
    port = free_port()
    with listen("127.0.0.1", port), pytest.raises(OSError, match=r"Address already in use$"):
        listen("127.0.0.1", port)


def test_a_name_that_there_is_not_is_told():
    with pytest.raises(OSError, match=r"not known|failure"):
        listen("no-such-host.invalid", 8580)


@contextmanager
def flood(site, said, count=MAX_CONNECTIONS + 50):
    """So many connections, each of which has said this and then waits for ever."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.create_connection((site.config.host, site.config.port))))
            made[-1].sendall(said)
        yield made


def open_of(connections):
    """Those that the other side has not ended."""
    ended = select.poll()
    for connection in connections:
        ended.register(connection, select.POLLRDHUP)
    return len(connections) - len(ended.poll(0))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHost:",
        b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "half a request", "half a body"],
)
def test_probes_are_answered_however_many_connections_are_held(locked, said, caplog):
    caplog.set_level(logging.WARNING)
    with flood(locked, said) as held:
        for _ in range(3):
            with locked.visitor() as probe:
                assert probe.get("/livez").status_code in (200, 503)
                assert "live" in probe.get("/livez").json()
                assert "ready" in probe.get("/readyz").json()
        # A burst is counted when the next one comes.
        with locked.visitor() as probe:
            assert probe.get("/livez").status_code in (200, 503)
        wait_until(lambda: open_of(held) < MAX_CONNECTIONS)
        assert open_of(held) > MAX_CONNECTIONS // 2
    # The event loop tells of a slow machine.
    told = [record for record in caplog.records if record.name != "asyncio"]
    assert {record.name for record in told} == {"bananasd.http.connections"}
    dropped = [record.getMessage() for record in told]
    assert dropped[0].startswith(f"http connections full limit={MAX_CONNECTIONS}: ")
    assert len(dropped) < 10


def test_room_is_made_by_those_that_ask_for_nothing(site):
    with site.visitor() as watcher, watcher.stream("GET", "/api/live") as stream:
        lines = stream.iter_lines()
        next(lines)
        with flood(site, b""):
            snapshots = (line for line in lines if line.startswith("data: "))
            # The daemon has looked anew after the last of them had come.
            for _ in range(3):
                assert next(snapshots)


def test_one_that_does_not_read_its_answer_makes_room_at_once(monkeypatch, caplog):
    monkeypatch.setattr("bananasd.http.connections.MAX_CONNECTIONS", 1)
    app = Starlette(routes=[Route("/", lambda _: Response(b"x" * LONG))])
    with serving(app) as address, socket.create_connection(address, timeout=10) as deaf:
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert select.select([deaf], [], [], 15)[0]
        with socket.create_connection(address):
            wait_until(lambda: "http connections full" in caplog.text)
        # What the kernel has taken still comes.
        assert sum(len(part) for part in iter(lambda: deaf.recv(1_000_000), b"")) < LONG


LONG = 50_000_000
"""More than the kernel takes from a server whose peer does not read."""


@contextmanager
def serving(app):
    """Where an application is served as the dashboard is."""
    address = ("127.0.0.1", free_port())
    server = WebServer(SimpleNamespace(app=app, close=bool), listen(*address))
    server.start()
    try:
        yield address
    finally:
        server.stop()
        wait_until(lambda: not server.is_running)
