"""Whether a server can be trusted with jobs."""

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from bananasd import ServerRefused
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.health import examine

GOOD = {
    "redis_version": "6.2.0",
    "redis_mode": "standalone",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
}


class Answers:
    """A transport that knows one INFO."""

    def __init__(self, **info: str) -> None:
        lines = [f"{name}:{value}" for name, value in (GOOD | info).items()]
        self.reply: Any = "\r\n".join(["# Server", *lines, ""]).encode()

    def trip(self, commands: Any) -> list[Any]:
        return [self.reply]


class Refuses:
    """A transport whose server answers with an error."""

    def __init__(self, error: ResponseError) -> None:
        self.error = error

    def trip(self, commands: Any) -> list[Any]:
        return [self.error]


def test_a_fit_server_has_nothing_said_of_it():
    assert examine(Answers()) == ("redis 6.2.0", [], [])


def test_valkey_goes_by_its_own_version():
    assert examine(Answers(redis_version="7.2.4", valkey_version="9.1.2")).version == "valkey 9.1.2"


@pytest.mark.parametrize(("info", "problem"), [
    ({"redis_version": "6.0.16"}, "too old"),
    ({"redis_version": "5.9"}, "too old"),
    ({"redis_version": "unknown"}, "too old"),
    ({"maxmemory_policy": "allkeys-lru"}, "allkeys-lru"),
    ({"redis_mode": "cluster"}, "cluster"),
    ({"redis_mode": "sentinel"}, "this is a Sentinel"),
    ({"cluster_enabled": "1"}, "cluster"),
])  # fmt: skip
def test_an_unfit_server_has_its_problem_named(info, problem):
    (found,) = examine(Answers(**info)).problems
    assert problem in found


def test_a_server_that_keeps_nothing_is_worth_a_warning():
    assert "appendonly" in examine(Answers(aof_enabled="0")).warnings[0]


def test_the_servers_that_tests_use_are_fit(own_server):
    connection = HeldConnection(Server(own_server.url, 5))
    health = examine(connection)
    connection.close()
    assert health.version.split()[0] in ("valkey", "redis")
    assert (health.problems, health.warnings) == ([], [])


@pytest.mark.parametrize("error", [NoPermissionError("NOPERM"), ResponseError("ERR unknown command 'INFO'")])
def test_a_server_that_may_never_be_asked_is_taken_with_a_warning(error):
    assert "see to it yourself" in examine(Refuses(error)).warnings[0]


def test_a_server_that_cannot_be_asked_yet_raises():
    with pytest.raises(ServerRefused):
        examine(Refuses(ResponseError("BUSY Redis is busy running a script")))
