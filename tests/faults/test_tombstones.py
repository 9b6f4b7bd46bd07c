"""Ids without a job to run, in front of one that has: it is found soon, and nobody else waits for the server meanwhile."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from bananasd import JobRequest, Status
from bananasd.store.calls import Call, run_calls
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.scripts import script
from tests.faults import figures
from tests.faults.form import either
from tests.faults.scene import titles
from tests.invariants import KEYS

NUMBER = either(3_000, 100_000)
FOUND_SECONDS = either(20, 60)
"""Many times what it takes where nothing else runs: a test shares its machine."""
SCRIPT_SECONDS = 0.05
"""Of the server's own time, for the same reason."""
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


@pytest.mark.parametrize(("end", "a_call"), [(cancel, 1000), (delete, 200)])
def test_a_job_behind_many_tombstones_is_found_soon_and_no_script_takes_long(scene, connection, end, a_call):
    daemon = scene.node()
    os.kill(daemon.pid, signal.SIGTSTP)
    scene.wait_until(lambda: titles(daemon).count("[resting]") == 2)
    entomb(scene, connection, end)
    job_id = scene.submit("brief")
    watch_scripts(connection)
    spent, began = cpu_seconds(scene), time.monotonic()
    os.kill(daemon.pid, signal.SIGCONT)
    scene.wait_until(lambda: scene.ledger.starts(job_id))
    spent, seconds = cpu_seconds(scene) - spent, scene.ledger.starts(job_id)[0].at - began
    assert scene.wait(job_id).run == 1
    scripts = script_seconds(connection)
    # So many a claim; none takes much longer than the others.
    assert spent / (NUMBER / a_call) < SCRIPT_SECONDS
    assert scripts_called(connection) > NUMBER / a_call
    assert seconds < FOUND_SECONDS
    figures.note(f"{end.__name__} {NUMBER:,} jobs in a lane -> the one behind them starts", [seconds])
    figures.note(f"{end.__name__} {NUMBER:,} jobs in a lane: each script, on a busy machine", scripts)
    # What was deleted is dead with its reason.
    dead = scene.client.dead_jobs(limit=1)
    assert [job.status for job in dead] == ([Status.FAILED] if end is delete else [])
    assert scene.client.purge_dead() == (NUMBER if end is delete else 0)


def entomb(scene, connection, end):
    """Fill a lane with ids that have no job."""
    for first in range(0, NUMBER, 1000):
        count = min(1000, NUMBER - first)
        end(connection, scene.client.submit_many([JobRequest("brief", {}) for _ in range(count)]))
    assert connection.trip([("LLEN", f"{KEYS.prefix}ready:default:normal")]) == [NUMBER]


def watch_scripts(connection):
    log = (("CONFIG", "SET", "slowlog-max-len", 10_000), ("CONFIG", "SET", "slowlog-log-slower-than", 1000))
    connection.trip([*log, ("SLOWLOG", "RESET"), ("CONFIG", "RESETSTAT")])


def script_seconds(connection):
    """How long those took that took more than a millisecond."""
    (entries,) = connection.trip([("SLOWLOG", "GET", -1)])
    return [entry[2] / 1e6 for entry in entries if entry[3][0].upper() in (b"EVAL", b"EVALSHA")]


def scripts_called(connection):
    (told,) = connection.trip([("INFO", "commandstats")])
    return int(re.search(rb"cmdstat_evalsha:calls=(\d+)", told)[1])


def cpu_seconds(scene):
    """What the server has computed so far."""
    fields = Path(f"/proc/{scene.server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
