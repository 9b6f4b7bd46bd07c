"""Schedules with real daemons: each slot once, whatever happens to those who fire it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from bananasd import Client, Schedule
from tests.conftest import wait_until
from tests.invariants import KEYS, Look, assert_left

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)

TICK = """
    @handler("tick")
    def tick(job):
        note(job, f"{job.schedule}:{job.payload}:{int(job.slot_at.timestamp())}")
"""
OFTEN = '\n[[schedules]]\nname = "often"\njob = "tick"\nevery = "1s"\nmisfire = "all"\n'
MINUTE_MS = 60_000


def configure(daemon, text):
    daemon.config.write_text(daemon.config.read_text() + text)
    return daemon


def slots(*daemons, name="often", payload="None"):
    """The slots, in seconds, whose jobs these daemons have run, in their order; a job that ran again counts once."""
    text = "".join(daemon.ledger.read_text() for daemon in daemons if daemon.ledger.exists())
    jobs = {tuple(line.split()[:2]) for line in text.splitlines()}
    return sorted(int(word.rpartition(":")[2]) for word, _ in jobs if word.startswith(f"{name}:{payload}:"))


def left(server):
    """The slots whose jobs no daemon has run yet."""
    with Client(server.url) as client:
        return [int(client.get_job(job_id).slot_at.timestamp()) for job_id in Look(server.url).ready()]


def assert_each_once(found):
    assert sorted(found) == list(range(min(found), max(found) + 1))


def is_whole(found):
    """Whether none lacks: jobs of two slots may overtake each other."""
    return set(found) == {*range(min(found), max(found) + 1)}


def now_ms(look):
    seconds, micros = look.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def bananasd(daemon, *words):
    command = [sys.executable, "-m", "bananasd", *words, "--config", str(daemon.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=daemon.directory)


def test_two_nodes_fire_each_slot_once_while_their_schedulers_are_killed(make_daemon, server):
    daemons = [configure(make_daemon(TICK, redis_url=server.url), OFTEN).start() for _ in range(2)]
    wait_until(lambda: len(slots(*daemons)) >= 2)
    for daemon in daemons:
        (scheduler,) = daemon.children("scheduler")
        os.kill(scheduler.pid, signal.SIGKILL)
    enough = len(slots(*daemons)) + 3
    wait_until(lambda: len(slots(*daemons)) >= enough)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    assert_each_once(slots(*daemons) + left(server))
    assert_left(server.url)


def test_a_daemon_that_was_killed_makes_up_for_the_slots_that_are_not_long_past(make_daemon, server):
    daemon = configure(make_daemon(TICK, redis_url=server.url), OFTEN).start()
    wait_until(lambda: len(slots(daemon)) >= 2)
    daemon.kill_all()
    gone_at = time.time()
    daemon.start()
    wait_until(lambda: slots(daemon)[-1] > time.time() - 2 > gone_at)
    assert daemon.stop() == 0
    assert_each_once(slots(daemon) + left(server))


def test_what_was_missed_while_no_daemon_ran_is_made_up_for_as_each_schedule_says(
    make_daemon, server, client
):
    """The time that they are away is written into what was last fired."""
    look = Look(server.url)
    policies = ("skip", "once", "all")
    daemon = make_daemon(TICK, redis_url=server.url).start()
    for misfire in policies:
        client.put_schedule(Schedule(name=misfire, job="tick", every="1m", misfire=misfire))
    daemon.kill_all()
    wait_until(lambda: 1_000 < now_ms(look) % MINUTE_MS < MINUTE_MS - 10_000)
    minute = now_ms(look) // MINUTE_MS
    for misfire in policies:
        look.call("HSET", KEYS.fired, misfire, (minute - 4) * MINUTE_MS)
    daemon.start()
    wanted = {
        "skip": [minute],
        "once": [minute - 1, minute],
        "all": [minute - 3, minute - 2, minute - 1, minute],
    }
    wait_until(
        lambda: all(slots(daemon, name=misfire) == [m * 60 for m in wanted[misfire]] for misfire in policies)
    )
    missed = {"skip slots=3 misfire=skip": 1, "once slots=2 misfire=once": 1}
    # A job may have run before that is told.
    wait_until(lambda: Counter(line.split("name=")[1] for line in daemon.lines("schedule missed")) == missed)


def test_what_a_client_puts_changes_and_removes_takes_effect_without_a_restart(make_daemon, server, client):
    daemon = make_daemon(TICK, redis_url=server.url).start()
    client.put_schedule(Schedule(name="often", job="tick", every="1s", misfire="all", payload=1))
    wait_until(lambda: len(slots(daemon, payload="1")) >= 2)
    client.put_schedule(Schedule(name="often", job="tick", every="1s", misfire="all", payload=2))
    wait_until(lambda: len(slots(daemon, payload="2")) >= 2)
    wait_until(lambda: is_whole(slots(daemon, payload="1") + slots(daemon, payload="2")))
    assert client.remove_schedule("often")
    removed_at = now_ms(Look(server.url)) // 1000
    wait_until(lambda: now_ms(Look(server.url)) // 1000 >= removed_at + 2)
    assert_each_once(slots(daemon, payload="1") + slots(daemon, payload="2") + left(server))
    assert slots(daemon, payload="2")[-1] <= removed_at
    assert daemon.stop() == 0


def test_a_reload_puts_what_the_file_has_and_removes_what_it_has_no_more(make_daemon, server, client):
    daemon = configure(make_daemon(TICK, redis_url=server.url), OFTEN).start()
    client.put_schedule(Schedule(name="mine", job="tick", every="1h"))
    wait_until(lambda: slots(daemon))
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace('"often"', '"renamed"'))
    assert bananasd(daemon, "reload").returncode == 0
    wait_until(lambda: slots(daemon, name="renamed"))
    assert [schedule.name for schedule in client.schedules()] == ["mine", "renamed"]
    daemon.config.write_text(text.replace('"1s"', '"1w"'))
    refused = bananasd(daemon, "reload")
    assert refused.returncode == 78
    assert "schedules[1].every: '1w': want a duration" in refused.stderr
    daemon.config.write_text("schedules = []\n" + text.replace(OFTEN, ""))
    assert bananasd(daemon, "reload").returncode == 0
    wait_until(lambda: [schedule.name for schedule in client.schedules()] == ["mine"])
    assert "mine" in bananasd(daemon, "schedules").stdout


def test_a_file_without_schedules_leaves_those_of_others_alone(make_daemon, server, client):
    configure(make_daemon(redis_url=server.url), OFTEN).start()
    wait_until(client.schedules)
    other = make_daemon(redis_url=server.url).start()
    # Between two of its beats it has done all else once.
    look, beats, node = Look(server.url), set(), KEYS.node(other.node.node)
    wait_until(lambda: beats.add(look.call("HGET", node, "beat_at")) or len(beats - {None}) > 1)
    assert [(schedule.name, schedule.source) for schedule in client.schedules()] == [("often", "config")]


def test_who_deletes_the_last_schedule_of_the_file_is_told_at_each_start_that_it_goes_on(
    make_daemon, server, client
):
    daemon = configure(make_daemon(TICK, redis_url=server.url), OFTEN).start()
    client.put_schedule(Schedule(name="mine", job="tick", every="1h"))
    wait_until(lambda: len(client.schedules()) == 2)
    daemon.config.write_text(daemon.config.read_text().replace(OFTEN, ""))
    assert not daemon.lines("schedules left")
    assert bananasd(daemon, "reload").returncode == 0
    wait_until(
        lambda: daemon.lines("info scheduler ", "schedules left names=often: ", "write 'schedules = []'")
    )
    assert daemon.stop() == 0
    daemon.start()
    wait_until(lambda: len(daemon.lines("schedules left names=often: ")) == 2)
    daemon.config.write_text("schedules = []\n" + daemon.config.read_text())
    assert bananasd(daemon, "reload").returncode == 0
    wait_until(lambda: [schedule.name for schedule in client.schedules()] == ["mine"])


def test_a_handlers_own_schedule_comes_and_goes_with_its_code(make_daemon, server, client):
    with_schedule = TICK.replace('"tick"', '"tick", every="1s"')
    daemon = make_daemon(with_schedule, redis_url=server.url).start()
    wait_until(lambda: len(slots(daemon, name="tick")) >= 2)
    (schedule,) = client.schedules()
    assert (schedule.name, schedule.source) == ("tick", "handler")
    path = daemon.directory / "handlers" / "tested.py"
    path.write_text(path.read_text().replace(', every="1s"', ""))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.lines("reload done"))
    wait_until(lambda: client.schedules() == [])
    assert daemon.stop() == 0
    assert_each_once(slots(daemon, name="tick") + left(server))
