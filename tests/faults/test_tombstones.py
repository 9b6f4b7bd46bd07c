"""Ids without a job to run, in front of one that has: it is found soon, and nobody else waits for the server meanwhile."""

import os
import signal
import time

import pytest

from bananasd import JobRequest, Status
from bananasd.store.calls import Call, run_calls
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.scripts import script
from tests.faults import figures
from tests.faults.form import either
from tests.faults.scene import titles
from tests.invariants import KEYS

NUMBER = either(5_000, 100_000)
FOUND_SECONDS = either(5, 2)
"""The number is smaller in the short form, but its machine is busy with other tests; so for the next one."""
SCRIPT_SECONDS = either(0.25, 0.05)
RETENTION_MS = 86_400_000


def cancel(connection, ids):
    args = ((KEYS.prefix, job_id, RETENTION_MS) for job_id in ids)
    replies = run_calls(connection, [Call(script("cancel"), [KEYS.scheduled], words) for words in args])
    assert replies == [[1, b"cancelled"]] * len(ids)


def delete(connection, ids):
    """Damage: somebody has deleted their records."""
    assert connection.trip([("DEL", *map(KEYS.job, ids))]) == [len(ids)]


@pytest.fixture
def connection(own_server):
    connection = HeldConnection(Server(own_server.url, 30))
    yield connection
    connection.close()


@pytest.mark.parametrize("end", [cancel, delete])
def test_a_job_behind_many_tombstones_is_found_soon_and_no_script_takes_long(scene, connection, end):
    daemon = scene.node()
    os.kill(daemon.pid, signal.SIGTSTP)
    scene.wait_until(lambda: titles(daemon).count("[resting]") == 2)
    script_seconds = entomb(scene, connection, end)
    job_id = scene.submit("brief")
    os.kill(daemon.pid, signal.SIGCONT)
    began = time.monotonic()
    scene.wait_until(lambda: scene.ledger.starts(job_id))
    seconds = scene.ledger.starts(job_id)[0].at - began
    assert scene.wait(job_id).run == 1
    slowest = max(script_seconds())
    figures.note(f"{NUMBER} ids to {end.__name__} -> the job behind them starts", [seconds])
    figures.note(f"{NUMBER} ids to {end.__name__}: the longest script", [slowest])
    assert seconds < FOUND_SECONDS
    assert slowest < SCRIPT_SECONDS
    # What was deleted is dead with its reason.
    dead = scene.client.dead_jobs(limit=1)
    assert [job.status for job in dead] == ([Status.FAILED] if end is delete else [])
    assert scene.client.purge_dead() == (NUMBER if end is delete else 0)


def entomb(scene, connection, end):
    """Fill a lane with ids that have no job; gives how long scripts will have taken from now on."""
    for first in range(0, NUMBER, 1000):
        count = min(1000, NUMBER - first)
        end(connection, scene.client.submit_many([JobRequest("brief", {}) for _ in range(count)]))
    assert connection.trip([("LLEN", f"{KEYS.prefix}ready:default:normal")]) == [NUMBER]
    connection.trip([("CONFIG", "SET", "slowlog-max-len", 100_000),
                     ("CONFIG", "SET", "slowlog-log-slower-than", 0), ("SLOWLOG", "RESET")])  # fmt: skip

    def script_seconds():
        (entries,) = connection.trip([("SLOWLOG", "GET", -1)])
        return [entry[2] / 1e6 for entry in entries if entry[3][0].upper() in (b"EVAL", b"EVALSHA")]

    return script_seconds
