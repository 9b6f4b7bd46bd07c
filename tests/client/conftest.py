"""What the tests of the client share: a client, the namespace that it sees, and a way to its server that loses replies."""

from collections.abc import Iterator

import pytest

from bananasd import Client
from tests.conftest import RedisServer
from tests.store.conftest import proxy, world

__all__ = ["proxy", "world"]


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    with Client(server.url, namespace="test") as client:
        yield client
