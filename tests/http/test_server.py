"""The socket under the dashboard."""

import socket

import pytest

from bananasd.http.server import listen
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
    with listen("127.0.0.1", port), pytest.raises(OSError, match="Address already in use"):
        listen("127.0.0.1", port)


def test_a_name_that_there_is_not_is_told():
    with pytest.raises(OSError, match=r"not known|failure"):
        listen("no-such-host.invalid", 8580)
