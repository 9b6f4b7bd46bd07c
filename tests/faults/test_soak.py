"""The soak: two daemons, a steady stream of jobs, toxic ones among them, and faults by dice. At the end nothing is lost.

``make soak`` runs it for ten minutes, ``make soak SECONDS=3600 SEED=7`` for an hour with the dice of another run.
"""

import os
import time
from collections import Counter

import pytest

from bananasd import Status
from tests.faults.dice import Dice
from tests.faults.excuses import Excuses
from tests.faults.patient import Patient
from tests.faults.sides import DRAIN_SECONDS
from tests.faults.stream import COMPLETING, Stream

SECONDS = float(os.environ.get("BANANASD_SOAK_SECONDS", "0"))
SEED = int(os.environ.get("BANANASD_SOAK_SEED", "7"))
PAUSE_SECONDS = 1 if SECONDS < 60 else 4
"""Between a fault and the next at most."""
LEASE_SECONDS = 4
QUIET_SECONDS = 180
"""How long the jobs that are left may take when all faults are over."""
SETTINGS = {
    "redis": {"timeout_seconds": 1},
    "workers": {"count": 3, "grace_seconds": 1, "max_recoveries": 20, "max_rss_mb": 150},
    "master": {"drain_seconds": DRAIN_SECONDS},
    "scheduler": {"beat_seconds": 0.5, "lease_seconds": LEASE_SECONDS},
    "retry": {"base_seconds": 0.1, "cap_seconds": 2},
    "log": {"level": "info"},
}


@pytest.mark.skipif(not SECONDS, reason="make soak")
@pytest.mark.timeout(SECONDS + QUIET_SECONDS + 120)
def test_nothing_is_lost_whatever_the_dice_say(scene, capsys):
    patients = [
        Patient(f"daemon {i}", scene.node(SETTINGS, is_proxied=i == 1), is_proxied=i == 1) for i in range(2)
    ]
    open_at_first = {patient.name: scene.descriptors[patient.daemon.pid] for patient in patients}
    stream, dice = Stream(scene, SEED), Dice(scene, patients, SEED, LEASE_SECONDS)
    stream.start()
    with capsys.disabled():
        print(f"\nsoak of {SECONDS:g} s, seed {SEED}")
    try:
        dice.roll_until(time.monotonic() + SECONDS, PAUSE_SECONDS)
        dice.let_go()
    finally:
        # Shown if anything fails: what was done, and when.
        print("\n".join(dice.told))
    stream.end()
    scene.let_go()
    scene.wait_until(lambda: scene.are_final(scene.job_ids), QUIET_SECONDS)
    for patient in patients:
        scene.descriptors[patient.daemon.pid] = open_at_first[patient.name]
    judge(scene, patients, dice, stream)
    with capsys.disabled():
        print(summary(scene, dice, stream))


def judge(scene, patients, dice, stream):
    """Each job ended as its handler lets expect; what may overlap or end again is told to the checker, which judges the rest."""
    excuses, ledger = Excuses(patients, dice.pauses, scene.ledger.starts()), scene.ledger.by_job()
    for job_id in scene.job_ids:
        job, lines = scene.client.get_job(job_id), ledger.get(job_id, [])
        wanted = Status.COMPLETED if job.name in COMPLETING else Status.FAILED
        allowed = {wanted, Status.CANCELLED} | ({Status.EXPIRED} if job.expires_at else set())
        assert job.status in allowed, (job, lines)
        if lines and excuses.may_overlap(lines):
            scene.may_overlap.add(job_id)
        # No end of a cancelled or expired job has counted, not that of its last run either.
        if excuses.may_end_again(lines, job.run if job.status is Status.COMPLETED else None):
            scene.may_end_again.add(job_id)
        # However the run ends that was told to.
        if job.status is Status.CANCELLED and job_id in stream.told_to_end:
            scene.may_end_again.add(job_id)


def summary(scene, dice, stream):
    jobs = [scene.client.get_job(job_id) for job_id in scene.job_ids]
    statuses = Counter(job.status.value for job in jobs)
    lines = Counter(line.what for line in scene.ledger.lines())
    counters = scene.client.queue_stats().counters
    ends = Counter(line.job_id for line in scene.ledger.ends())
    again, more = sum(job.run > 1 for job in jobs), sum(number > 1 for number in ends.values())
    return f"""\
faults: {dice.faults.total()}, {dict(dice.faults.most_common())}
jobs: {len(jobs)} accepted, {dict(statuses)}; {stream.repeats} submits repeated, {stream.brought_back} dead ones retried, \
{len(stream.told_to_end)} cancelled in case they run
runs: {lines["start"]}; {again} jobs ran more than once, {more} to their end; {lines["overlap"]} overlaps, of a node cut off
interrupted: {lines["JobDrained"]} by a drain, {lines["LeaseLost"]} for a lost lease, {lines["JobTimeout"]} for their time
counters: {counters}"""
