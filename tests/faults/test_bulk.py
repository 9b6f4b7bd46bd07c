"""Very many jobs that are due at the same instant: no script holds the server up, and High comes first."""

import math
import os
import signal
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

from bananasd import JobRequest, Priority
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.store import MAX_PROMOTED
from tests.faults import figures
from tests.faults.form import either
from tests.faults.scene import titles
from tests.invariants import KEYS

JOBS_EACH = either(2_000, 33_333)
LONGEST_SECONDS = either(0.25, 0.05)
"""The shorter one is what no script may take; beside many other tests the server gets its turn later."""
PAUSE_SECONDS = either(math.inf, 0.2)
"""For how long a busy machine may take the server its turn, in the middle of a script; beside many tests for any time."""
MOST_IN_HAND = 2 * 64
"""So much two workers may have claimed."""


def test_very_many_jobs_are_due_at_once_and_no_script_takes_long(scene):
    daemon = scene.node()
    give_precedence(scene.server.process.pid)
    os.kill(daemon.pid, signal.SIGTSTP)
    scene.wait_until(lambda: titles(daemon).count("[resting]") == 2)
    scene.server.call("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99 100")
    with Answers(scene) as answers:
        ids = {priority: schedule(scene, priority) for priority in Priority}
        before = promotions(scene)
        make_due(answers, [job_id for some in ids.values() for job_id in some])
        scene.wait_until(lambda: scene.look.call("ZCARD", KEYS.scheduled) == 0)
        assert promotions(scene) - before >= JOBS_EACH * len(ids) / MAX_PROMOTED
        os.kill(daemon.pid, signal.SIGCONT)
        scene.unrecorded = JOBS_EACH * len(ids)
        scene.wait_until(lambda: scene.client.queue_stats().counters.get("completed") == scene.unrecorded)
        starts = {priority: answers.starts(some) for priority, some in ids.items()}
    for sooner, later in pairwise(starts.values()):
        first = min(later)
        assert sum(instant > first for instant in sooner) <= MOST_IN_HAND
    p50, p99, longest = seconds_of_scripts(scene)
    for what, seconds in {"half of the": p50, "99 % of the": p99, "all": longest}.items():
        figures.note(f"100,000 jobs are due at once: {what} calls of scripts are shorter than", [seconds])
    assert 0 < p50 <= p99 < LONGEST_SECONDS
    assert p99 <= longest < LONGEST_SECONDS + PAUSE_SECONDS


def give_precedence(pid):
    """Let the server be measured and not what else runs here; only root may do that."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)


def schedule(scene, priority):
    return scene.client.submit_many(
        JobRequest("nothing", None, priority, scheduled_for=timedelta(hours=1)) for _ in range(JOBS_EACH)
    )


def make_due(answers, ids):
    """All of them at the same instant, which has just passed; in one transaction, so that nobody sees only some."""
    due_at = answers.now() - 1
    answers.all(
        ("MULTI",),
        *(
            ("ZADD", KEYS.scheduled, *(word for job_id in some for word in (due_at, job_id)))
            for some in thousands(ids)
        ),
        ("EXEC",),
    )


def thousands(ids):
    return [ids[start : start + 1000] for start in range(0, len(ids), 1000)]


def promotions(scene):
    """How often due jobs were asked for; other scripts ask so once a minute."""
    told = scene.server.call("INFO", "commandstats").decode()
    return int(told.partition("cmdstat_zrangebyscore:calls=")[2].partition(",")[0] or 0)


def seconds_of_scripts(scene):
    """p50, p99 and longest of all their calls, by the server's own measure."""
    told = scene.server.call("INFO", "latencystats").decode()
    percentiles = told.partition("latency_percentiles_usec_evalsha:")[2].split()[0]
    return [float(pair.partition("=")[2]) / 1e6 for pair in percentiles.split(",")]


class Answers:
    """Many commands at a time."""

    def __init__(self, scene):
        self._connection = HeldConnection(Server(scene.server.url, 60))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def all(self, *commands):
        return self._connection.trip(commands)

    def now(self):
        ((seconds, _),) = self.all(("TIME",))
        return int(seconds) * 1000

    def starts(self, ids):
        """When each of these jobs was claimed; it has completed, in its first run but for what was given back."""
        records = [
            fields
            for some in thousands(ids)
            for fields in self.all(
                *(("HMGET", KEYS.job(job_id), "status", "attempts", "started_at") for job_id in some)
            )
        ]
        assert {tuple(fields[:2]) for fields in records} == {(b"completed", b"1")}
        return [int(fields[2]) for fields in records]
