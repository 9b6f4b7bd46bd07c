"""What the scheduler does while the server is lost, or refuses something."""

import os
import signal
import time
from datetime import timedelta
from itertools import pairwise

import pytest

from bananasd import Priority, Status
from bananasd.processes.row import Kind, Word
from tests.conftest import wait_until
from tests.daemon import halt

pytestmark = pytest.mark.usefixtures("untraced")


class Ticks:
    """The scheduler's signs of life, in seconds, as far as they are seen."""

    def __init__(self, board) -> None:
        (self._row,) = (row for row in board.used_rows() if row.kind is Kind.SCHEDULER)
        self.seen = []

    def look(self) -> None:
        tick = self._row.words[Word.TICK_NS] / 1e9
        if tick not in self.seen[-1:]:
            self.seen.append(tick)


def test_the_log_of_an_outage_backs_off_while_the_scheduler_goes_on_ticking(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    (before,) = daemon.children("scheduler")
    ticks, began = Ticks(daemon.board), time.monotonic()
    own_server.stop()
    wait_until(lambda: len(daemon.lines("scheduler", "redis lost")) >= 1)

    def has_four_lines() -> bool:
        ticks.look()
        return len(daemon.lines("scheduler", "redis lost")) >= 4

    wait_until(has_four_lines)
    assert time.monotonic() - began > 3.9  # at 0, 1, 2 and 4 seconds
    assert len(ticks.seen) >= 4
    own_server.start()
    wait_until(lambda: daemon.lines("scheduler", "redis back"))
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.child("scheduler").pid == before.pid


def test_the_wait_before_a_try_is_not_held_against_the_scheduler(make_daemon, own_server):
    """The master allows it a second more than a try may take: both together would be too long."""
    daemon = make_daemon(redis_url=own_server.url, settings={"redis": {"timeout_seconds": 1}}).start()
    (before,), ticks = daemon.children("scheduler"), Ticks(daemon.board)
    halt(own_server.process.pid)
    wait_until(lambda: daemon.lines("scheduler", "redis lost"))

    def has_tried_again() -> bool:
        ticks.look()
        return len(daemon.lines("scheduler", "redis lost")) >= 4

    wait_until(has_tried_again)
    os.kill(own_server.process.pid, signal.SIGCONT)
    # A try takes the second that it may. What is shorter is a wait by itself, with a sign of life at both ends.
    assert [one for one, other in pairwise(ticks.seen) if 0.5 < other - one < 0.99]
    assert daemon.child("scheduler").pid == before.pid


def test_one_try_brings_back_all_connections(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    wait_until(lambda: own_server.call("ZCARD", "{bananas:default}:nodes") == 1)
    own_server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: daemon.lines("scheduler", "redis connected anew"))
    assert not daemon.lines("redis lost")


def test_a_term_during_an_outage_is_not_forgotten(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    (before,) = daemon.children("scheduler")
    own_server.stop()
    wait_until(lambda: len(daemon.lines("scheduler", "redis lost")) >= 2)
    os.kill(before.pid, signal.SIGTERM)
    wait_until(lambda: daemon.child("scheduler").pid != before.pid)


def test_pokes_during_an_outage_do_not_keep_the_scheduler_busy(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url).start()
    (scheduler,) = daemon.children("scheduler")
    own_server.stop()
    wait_until(lambda: len(daemon.lines("scheduler", "redis lost")) >= 2)
    used = cpu_seconds(scheduler.pid)
    until = time.monotonic() + 1.5

    def poke_on() -> bool:
        os.kill(scheduler.pid, signal.SIGRTMIN)  # as if a child died with each look
        return time.monotonic() > until

    wait_until(poke_on)
    assert cpu_seconds(scheduler.pid) - used < 0.5


def cpu_seconds(pid: int) -> float:
    """The time that a process has spent computing."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_the_server_refuses_to_one_duty_does_not_keep_the_others_from_being_done(
    make_daemon, own_server
):
    """Recovery cannot be done at all here, and jobs are promoted nevertheless, about once a second."""
    own_server.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-smembers")
    url = f"unix://limited@{own_server.socket}?password=secret"
    daemon = make_daemon(redis_url=url).start()
    with daemon.client() as client:
        wait_until(lambda: daemon.lines("scheduler", "redis lost"))
        began = time.monotonic()
        for _ in range(2):
            job_id = client.submit_job_scheduled("note", {}, Priority.NORMAL, timedelta(seconds=0.1))
            assert client.wait(job_id, 30).status is Status.COMPLETED
            wait_until(lambda: time.monotonic() - began > 1)
        lines = daemon.lines("scheduler", "redis")
    assert len(lines) < 4 + 4 * (time.monotonic() - began)
    assert "secret" not in daemon.log_text()
