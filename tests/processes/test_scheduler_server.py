"""What the scheduler thinks of its server at the start, and what it clears away there."""

import re

import pytest

from bananasd.store.outcomes import Buried
from tests.conftest import wait_until
from tests.invariants import KEYS, Look, access

DAY_MS = 86_400_000


def test_a_server_that_keeps_nothing_is_warned_of(make_daemon, server):
    daemon = make_daemon(redis_url=server.url).start()
    wait_until(lambda: daemon.lines("warning", "scheduler", "appendonly is off"))


def test_a_server_that_keeps_everything_is_not(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    # Before its first beat it examines the server.
    wait_until(lambda: own_server.call("ZCARD", KEYS.nodes) == 1)
    assert daemon.stop() == 0
    assert not daemon.lines("warning scheduler ")


def test_a_server_that_may_not_be_examined_is_used_with_a_warning(make_daemon, own_server):
    own_server.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-info")
    daemon = make_daemon(redis_url=f"unix://limited@{own_server.socket}?password=secret").start()
    wait_until(lambda: daemon.lines("warning", "scheduler", "cannot be examined"))
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)


@pytest.fixture
def dead(server, client) -> list[str]:
    """Three jobs in the dead letters, the first of them two days old."""
    store = access(server.url).store()
    store.enter("old/1.1", "old", 1, {})
    ids = [client.submit_job("note", {}) for _ in range(3)]
    look = Look(server.url)
    for job_id in ids:
        look.call("HSET", KEYS.job(job_id), "status", "processing", "holder", "old/1.1", "run", 1)
        look.call("RPUSH", KEYS.held("old/1.1"), job_id)
    assert store.settle([Buried("old/1.1", job_id, 1, "it broke") for job_id in ids]) == []
    store.recover("old/1.1")
    look.call("DEL", *look.find("*:ready:*"), *look.find("*:wake:*"))
    look.call("ZINCRBY", KEYS.dead, -2 * DAY_MS, ids[0])
    look.call("ZINCRBY", KEYS.dead, -1000, ids[1])
    return ids


@pytest.mark.parametrize(("retention", "left", "line"), [
    ({"dead_seconds": 86_400}, [1, 2], " info .*for_age=1 for_number=0"),
    ({"dead_count": 1}, [2], " warning .*for_age=0 for_number=2"),
])  # fmt: skip
def test_dead_letters_are_trimmed_and_each_trim_is_logged(make_daemon, server, dead, retention, left, line):
    daemon = make_daemon(redis_url=server.url, settings={"retention": retention}).start()
    wait_until(lambda: [found for found in daemon.lines("dead letters trimmed") if re.search(line, found)])
    look = Look(server.url)
    kept = [dead[i].encode() for i in left]
    assert look.call("ZRANGE", KEYS.dead, 0, -1) == kept
    assert len(look.find(KEYS.job("*").replace("{", "[{]"))) == len(kept)
