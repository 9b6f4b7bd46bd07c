"""What is no HTTP, or stops being it half-way, is refused, and whoever sends it writes next to nothing into the log."""

import logging
import socket
from contextlib import suppress

import pytest

pytestmark = pytest.mark.usefixtures("untraced")
HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n"
CHUNKED = b"Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
NO_CHUNK = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
BROKEN = {
    "a line of HTTP/0.9": b"GET /api/dead\r\n\r\n",
    "TLS": b"\x16\x03\x01\r\n\r\n",
    "too long": b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "no chunk": b"GET /livez HTTP/1.1\r\n" + HEAD + NO_CHUNK,
    "no chunk, of a head": b"HEAD /livez HTTP/1.1\r\n" + HEAD + NO_CHUNK,
    "no chunk, of an action": b"POST /api/login HTTP/1.1\r\nOrigin: http://127.0.0.1\r\n" + HEAD + NO_CHUNK,
    "no chunk, of what is not there": b"DELETE /nowhere HTTP/1.1\r\n" + HEAD + NO_CHUNK,
    "a second request": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\0\r\n\r\n",
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_request_is_refused_with_one_line_in_the_log(site, caplog, said):
    answer = all_that_comes(site, said)
    assert b"HTTP/1.1 400 Bad Request\r\n" in answer
    assert (b"Invalid HTTP request received." in answer) is not said.startswith(b"HEAD")
    assert site.http.get("/api/session").status_code == 200
    assert [record.getMessage() for record in of_connections(caplog)] == [
        "http request broken: it is no HTTP, and was refused; broken=1 since the start"
    ]


def test_an_answer_that_was_given_is_not_followed_by_a_refusal(site, caplog):
    with peer_of(site) as peer:
        peer.sendall(b"GET /livez HTTP/1.1\r\n" + CHUNKED + b"\r\n")
        answer = peer.recv(10_000)
        peer.sendall(b"zz\r\n")
        answer += rest_of(peer)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"400" not in answer
    assert len(of_connections(caplog)) == 1


def test_an_answer_that_streams_ends_when_its_request_breaks(site, caplog):
    with peer_of(site) as peer:
        peer.sendall(b"GET /api/live HTTP/1.1\r\n" + CHUNKED + b"\r\n")
        answer = peer.recv(10_000)
        peer.sendall(b"zz\r\n")
        answer += rest_of(peer)
    assert answer.count(b"HTTP/1.1") == 1
    assert len(of_connections(caplog)) == 1


def test_broken_requests_do_not_fill_the_log(site, caplog):
    logging.getLogger("asyncio").warning("executing something took 0.7 seconds")
    for _ in range(5):
        for said in BROKEN.values():
            all_that_comes(site, said)
    told = [record.getMessage() for record in of_connections(caplog)]
    counts = [line.partition("broken=")[2].split()[0] for line in told]
    assert counts == ["1", "2", "4", "8", "16", "32"]


def test_who_asks_for_another_protocol_is_answered_in_this_one_without_a_line(site, caplog):
    for protocol in ("websocket", "h2c"):
        headers = {"Connection": "Upgrade", "Upgrade": protocol}
        assert site.http.get("/api/session", headers=headers).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def of_connections(caplog):
    """What else is logged meanwhile, on a slow machine by the event loop, is not of these tests."""
    return [record for record in caplog.records if record.name == "bananasd.http.connections"]


def peer_of(site):
    return socket.create_connection((site.config.host, site.config.port), timeout=20)


def all_that_comes(site, said):
    """The answer to one who says so much, and nothing after it."""
    with peer_of(site) as peer:
        with suppress(OSError):  # it is refused before all is said
            peer.sendall(said)
            peer.shutdown(socket.SHUT_WR)
        return rest_of(peer)


def rest_of(peer):
    said = b""
    with suppress(ConnectionResetError):  # it is closed before all is read
        while part := peer.recv(10_000):
            said += part
    return said
