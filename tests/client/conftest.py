"""What the tests of the client share: a client, the namespace that it sees, and a way to its server that loses replies."""

from collections.abc import Iterator

import pytest

from bananasd import Client
from tests.conftest import RedisServer
from tests.proxy import Proxy
from tests.store.conftest import world

__all__ = ["world"]


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    with Client(server.url, namespace="test") as client:
        yield client


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(server.socket)
    yield proxy
    proxy.close()
