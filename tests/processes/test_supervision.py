"""What the master does about children that cannot work and one that is stuck, in a real daemon."""

import os
import signal

from tests.conftest import wait_until
from tests.daemon import is_alive


def test_broken_handlers_end_the_daemon_at_once_with_the_place(make_daemon):
    daemon = make_daemon("    nonsense(").start(wait=False)
    assert daemon.wait() == 78
    # One of the two workers tells it, and the other says so if it was not just as quick.
    assert len(daemon.lines("handlers broken: ")) == 2
    assert daemon.lines("handlers broken: ", "tested.py:")


def test_a_stuck_scheduler_is_replaced(make_daemon):
    daemon = make_daemon(settings={"redis": {"timeout_seconds": 1}}).start()
    (scheduler,) = daemon.children("scheduler")
    os.kill(scheduler.pid, signal.SIGSTOP)
    wait_until(lambda: not is_alive(scheduler.pid))
    wait_until(daemon.is_up)
    assert "no sign of life" in daemon.log_text()
