"""What the doctor says of a server."""

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from bananasd import ConnectionFailed
from bananasd.remark import Level
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.vitals import Trip, fitness, memory, persistence, round_trip, server_remarks, skew

MB = 1024 * 1024
GOOD = {"redis_version": "7.0.15", "redis_mode": "standalone", "aof_enabled": "1", "maxmemory_policy": "noeviction"}  # fmt: skip


def of(remark) -> tuple[Level, str]:
    assert remark.where == "here"
    assert remark.remedy or remark.level is Level.OK
    return remark.level, remark.what


def test_a_good_server_is_told_by_its_version():
    assert of(fitness(GOOD, "here")) == (Level.OK, "redis 7.0.15")


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"redis_version": "5.0.7"}, "too old"),
        ({"redis_mode": "cluster"}, "cluster"),
        ({"redis_mode": "sentinel"}, "Sentinel"),
    ],
)
def test_a_server_that_cannot_be_used_is_an_error(info, words):
    level, what = of(fitness(GOOD | info, "here"))
    assert (level, words in what) == (Level.ERROR, True)


OFF = {"aof_enabled": "0"}


@pytest.mark.parametrize(
    ("info", "save", "level", "words"),
    [
        ({}, "", Level.OK, "appendonly is on"),
        ({"aof_last_write_status": "err"}, "", Level.ERROR, "append-only file failed"),
        ({"rdb_last_bgsave_status": "err"}, "3600 1", Level.ERROR, "last snapshot failed"),
        ({"rdb_last_bgsave_status": "err"}, None, Level.ERROR, "last snapshot failed"),
        ({"rdb_last_bgsave_status": "err"}, "", Level.OK, "appendonly is on"),
        (OFF, "", Level.WARNING, "it keeps nothing"),
        (OFF, "3600 1", Level.WARNING, "what came after the last snapshot"),
        (OFF, None, Level.WARNING, "what came after the last snapshot"),
    ],
)
def test_what_a_restart_would_cost(info, save, level, words):
    found, what = of(persistence(GOOD | info, save, "here"))
    assert (found, words in what) == (level, True)


@pytest.mark.parametrize(
    ("used", "most", "host", "policy", "level", "words"),
    [
        (10, 0, 100, "noeviction", Level.OK, "10.0 MB used and no maxmemory; noeviction"),
        (89, 100, 0, "noeviction", Level.OK, "89.0 MB used of maxmemory 100.0 MB"),
        (90, 100, 0, "noeviction", Level.WARNING, "nearly full"),
        (100, 100, 0, "noeviction", Level.ERROR, "submits are refused"),
        (80, 0, 100, "noeviction", Level.WARNING, "the kernel may kill it"),
        (10, 100, 100, "allkeys-lru", Level.ERROR, "throws jobs away"),
        (10, 100, 100, "volatile-ttl", Level.WARNING, "go before their time"),
        (10, 0, 100, "volatile-ttl", Level.OK, "no maxmemory"),
    ],
)
def test_how_full_it_is_and_what_becomes_of_it_then(used, most, host, policy, level, words):
    sizes = {"used_memory": used * MB, "maxmemory": most * MB, "total_system_memory": host * MB}
    info = {name: str(size) for name, size in sizes.items()} | {"maxmemory_policy": policy}
    found, what = of(memory(GOOD | info, "here"))
    assert (found, words in what) == (level, True)


def trip(ahead_ms: float, took_ms: float) -> Trip:
    """By a host whose clock is so much ahead; the server answers half-way."""
    return Trip(1_000_000 + ahead_ms, 1_000_000 + took_ms / 2, took_ms)


@pytest.mark.parametrize(
    ("ahead_ms", "level", "words"),
    [
        (0.4, Level.OK, "0.4 ms ahead of"),
        (-900, Level.OK, "900.0 ms behind"),
        (1500, Level.WARNING, "1.5 s ahead of the server's: jobs for an instant"),
        (-90_000_000, Level.WARNING, "90,000.0 s behind"),
    ],
)
def test_clocks_are_compared_by_the_fastest_trip(ahead_ms, level, words):
    found, what = of(skew([trip(5_000, 800), trip(ahead_ms, 1), trip(-5_000, 400)], "here"))
    assert (found, words in what) == (level, True)


def test_what_a_slow_trip_leaves_open_is_not_held_against_a_clock():
    assert of(skew([trip(1_300, 800)], "here"))[0] is Level.OK
    # But no more than half of it: the server may have answered at its very beginning, or at its end.
    assert of(skew([trip(1_399, 800)], "here"))[0] is Level.OK
    assert of(skew([trip(1_401, 800)], "here"))[0] is Level.WARNING


@pytest.mark.parametrize(
    ("took", "level", "words"),
    [
        ([0.1, 0.2, 900], Level.OK, "0.2 ms there and back, the median of 3"),
        ([50, 40, 0.1], Level.WARNING, "starts 25 a second at most"),
    ],
)
def test_the_way_there_and_back_is_the_median(took, level, words):
    found, what = of(round_trip([trip(0, ms) for ms in took], "here"))
    assert (found, words in what) == (level, True)


@pytest.fixture
def connection(own_server):
    connection = HeldConnection(Server(own_server.url, 5))
    yield connection
    connection.close()


def test_a_real_server_is_asked(connection):
    found = {remark.check: remark for remark in server_remarks(connection, "here")}
    assert list(found) == ["server", "persistence", "memory", "clock", "round trip"]
    # How busy its host is, and how large, is no matter here.
    assert {found[check].level for check in ("server", "persistence", "clock")} == {Level.OK}
    connection.trip([("CONFIG", "SET", "appendonly", "no"), ("CONFIG", "SET", "maxmemory", 1)])
    levels = {remark.check: remark.level for remark in server_remarks(connection, "here")}
    assert (levels["persistence"], levels["memory"]) == (Level.WARNING, Level.ERROR)


class Secretive:
    """A server that tells no more than it must."""

    def __init__(self, transport, error, *names):
        self._transport, self._error, self._names = transport, error, names

    def trip(self, commands):
        if commands[0][0] in self._names:
            return [self._error]
        return self._transport.trip(commands)


@pytest.mark.parametrize("error", [NoPermissionError("NOPERM"), ResponseError("ERR unknown command 'INFO'")])
def test_a_server_that_does_not_tell_of_itself_is_a_warning_and_timed_all_the_same(connection, error):
    first, *rest = server_remarks(Secretive(connection, error, "INFO", "CONFIG"), "here")
    assert (first.level, first.check) == (Level.WARNING, "server")
    assert [remark.check for remark in rest] == ["clock", "round trip"]


def test_a_server_that_does_not_tell_its_settings_is_judged_by_what_it_does_tell(connection):
    connection.trip([("CONFIG", "SET", "appendonly", "no")])
    told = server_remarks(Secretive(connection, NoPermissionError("NOPERM"), "CONFIG"), "here")
    assert "after the last snapshot" in told[1].what


def test_a_server_that_is_gone_raises(own_server, connection):
    own_server.stop()
    with pytest.raises(ConnectionFailed):
        server_remarks(connection, "here")
