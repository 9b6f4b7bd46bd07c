"""Starts and reloads that are broken off, or that cannot succeed: no job is touched, and the next good start takes them all."""

import os
import signal
import time

import pytest

from bananasd import Status
from bananasd.processes import procfs
from bananasd.processes.board import Head
from bananasd.processes.locks import running_pid
from tests.faults.form import DRAIN_SECONDS, either
from tests.faults.scene import ENDED_SECONDS

SOON_SECONDS = either(7, 5)
"""For an end that waits for nothing but processes; less than a drain takes that waits for more."""


def write(daemon, source):
    """One more module in its directory of handlers."""
    (daemon.directory / "handlers" / "added.py").write_text(source)


def mend(daemon):
    """Take that module away."""
    (daemon.directory / "handlers" / "added.py").unlink()


def workers(daemon):
    return {child.pid for child in daemon.children("worker")}


def states(daemon, kind="worker"):
    return [child.state for child in daemon.children(kind)]


class Gate:
    """Holds up whoever loads a daemon's handlers, if the word in a file is part of its command line."""

    def __init__(self, daemon):
        self.path = daemon.directory / "gate"
        self.open()
        write(
            daemon,
            "import time\nfrom pathlib import Path\n"
            f"gate = Path({str(self.path)!r})\n"
            "def is_shut():\n    word = gate.read_text()\n"
            "    return word != '' and word in Path('/proc/self/cmdline').read_text()\n"
            "while is_shut():\n    time.sleep(0.01)\n",
        )

    def shut(self, word="bananasd"):
        """Whole at once: it is read all the time."""
        self.path.with_suffix(".new").write_text(word)
        self.path.with_suffix(".new").rename(self.path)

    def open(self):
        self.shut("")


def has_new_worker(daemon, before):
    return any(child.state == "up" and child.pid not in before for child in daemon.children("worker"))


# TERM


STAGES = {
    "it has begun": lambda daemon: True,
    "it has its lock": lambda daemon: running_pid(daemon.run_dir) == daemon.pid,
    "there is a board": lambda daemon: daemon.boards(),
    "there is a child": lambda daemon: daemon.children(),
    "handlers are being loaded": lambda daemon: states(daemon) == ["starting"] * 2,
    "a worker is up": lambda daemon: "up" in states(daemon),
    "it is ready": lambda daemon: daemon.lines("daemon ready"),
}


def test_term_at_any_moment_of_the_boot(scene):
    daemon = scene.node(is_started=False)
    gate = Gate(daemon)
    ids = scene.submit_many(100, 0.01)
    for stage, is_reached in STAGES.items():
        if stage == "handlers are being loaded":
            gate.shut()
        daemon.log.unlink(missing_ok=True)
        daemon.start(wait=False)
        scene.wait_until(lambda: is_reached(daemon))  # noqa: B023
        _end_by_term(daemon)
        gate.open()
    _wait_for_start(scene, daemon, ids)


@pytest.mark.skipif(either(True, False), reason="the long form's")
def test_term_after_any_time_of_the_boot(scene):
    daemon = scene.node(is_started=False)
    ids = scene.submit_many(1000, 0.01)
    for boot in range(60):
        daemon.start(wait=False)
        term_at = time.monotonic() + boot * 0.02
        scene.wait_until(lambda: time.monotonic() >= term_at)  # noqa: B023
        _end_by_term(daemon)
    _wait_for_start(scene, daemon, ids)


def _end_by_term(daemon):
    """Before the master is there to be told, the signal ends its process as it would any other."""
    began = time.monotonic()
    daemon.terminate()
    assert daemon.wait(ENDED_SECONDS) in (0, -signal.SIGTERM)
    assert time.monotonic() - began < SOON_SECONDS


def _wait_for_start(scene, daemon, ids):
    scene.start(daemon)
    assert_ran_once(scene, ids)


def assert_ran_once(scene, ids):
    scene.wait_until(lambda: scene.are_final(ids))
    for job in map(scene.client.get_job, ids):
        assert (job.status, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 0)


# Who waits at the gate, and what is to be seen when it does.
RELOADS = {
    "the check is under way": ("-m", lambda daemon, before: True),
    "the first successor starts": ("worker 0", lambda daemon, before: "starting" in states(daemon)),
    "half of the workers are replaced": ("worker 1", has_new_worker),
}


@pytest.mark.parametrize("stage", RELOADS)
def test_term_during_a_reload(scene, stage):
    daemon = scene.node(is_started=False)
    gate = Gate(daemon)
    scene.start(daemon)
    running = [scene.submit("brief", {"seconds": 1.5}) for _ in range(2)]
    scene.wait_until(lambda: all(scene.ledger.starts(job_id) for job_id in running))
    behind = scene.submit_many(20, 0)
    _reload_until(scene, daemon, gate, stage)
    scene.stop(daemon)
    for job in map(scene.client.get_job, running):
        assert (job.status, job.run) == (Status.COMPLETED, 1)
    gate.open()
    _wait_for_start(scene, daemon, [*running, *behind])


def test_term_during_a_reload_with_a_long_job_of_a_worker_that_was_replaced(scene):
    daemon = scene.node(is_started=False)
    gate = Gate(daemon)
    scene.start(daemon)
    held = scene.hold(2)
    _reload_until(scene, daemon, gate, "half of the workers are replaced")
    behind = scene.submit_many(20, 0)
    scene.stop(daemon)
    assert set(scene.look.ready()[:2]) == set(held)
    for job in map(scene.client.get_job, held):
        assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
    gate.open()
    scene.let_go()
    _wait_for_start(scene, daemon, [*held, *behind])


def _reload_until(scene, daemon, gate, stage):
    before, board = workers(daemon), daemon.board
    word, is_reached = RELOADS[stage]
    gate.shut(word)
    os.kill(daemon.pid, signal.SIGHUP)
    scene.wait_until(lambda: board.head[Head.RELOADS_BEGUN] == 1 and is_reached(daemon, before))


def test_term_while_the_workers_wait_for_their_restart(scene):
    daemon = scene.node(is_started=False)
    ids = scene.submit_many(20, 0)
    write(daemon, "import os\nos._exit(3)\n")
    daemon.start(wait=False)
    scene.wait_until(
        lambda: len(daemon.lines("child ended", "crashes=2")) == 2 and set(states(daemon)) == {"backoff"}
    )
    assert scene.stop(daemon) < SOON_SECONDS
    assert scene.look.ready() == ids
    mend(daemon)
    _wait_for_start(scene, daemon, ids)


def test_term_while_the_scheduler_waits_for_its_restart(scene):
    """It is the last to leave: until it is back, and has put back what is left, the daemon stays."""
    daemon = scene.node()

    def waits_for_seconds():
        """Killed whenever it is up, it does in the end."""
        for scheduler in daemon.children("scheduler"):
            if scheduler.state == "up":
                procfs.send(scheduler.pid, signal.SIGKILL)
        return daemon.lines("child ended", "scheduler", "crashes=3") and states(daemon, "scheduler") == [
            "backoff"
        ]

    scene.wait_until(waits_for_seconds)
    ending = scene.submit("brief", {"seconds": 0.5})
    scene.wait_until(lambda: scene.ledger.starts(ending))
    behind = scene.submit_many(20, 0)
    scene.stop(daemon)
    assert not daemon.boards() and not scene.look.holders() and not scene.look.nodes()
    _wait_for_start(scene, daemon, [ending, *behind])


# Handlers that cannot be loaded


BROKEN = {
    "syntax.py": ("def broken(:\n", "syntax.py:1: SyntaxError"),
    "names.py": ("from bananasd import no_such_thing\n", "names.py:1: ImportError"),
    "needs.py": ("import os\nimport no_such_package\n", "needs.py:2: ModuleNotFoundError"),
    "leaves.py": ("import sys\nsys.exit(0)\n", "leaves.py:2: sys.exit(0) while it is imported"),
}
"""Modules, and what is told of them."""

ENDS_AT_ONCE = {
    "import os\nos._exit(3)\n": "the check ended with exit status 3",
    # Nothing is wrong with the check; the first new worker is.
    "import os\nos._exit(0)\n": "the new worker 0 does not come up",
    **either(
        {},
        {
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n": "the check ended with signal 9",
            "import ctypes\nctypes.string_at(0)\n": "the check ended with signal 11",
        },
    ),
}
"""Modules that take their process along, and what is told of a reload."""


def break_all(daemon):
    for name, (source, _) in BROKEN.items():
        (daemon.directory / "handlers" / name).write_text(source)


def mend_all(daemon):
    for name in BROKEN:
        (daemon.directory / "handlers" / name).unlink()


def test_handlers_that_cannot_be_loaded_end_the_start_with_their_places(scene):
    daemon = scene.node(is_started=False)
    ids = scene.submit_many(20, 0)
    break_all(daemon)
    daemon.start(wait=False)
    assert daemon.wait() == 78, daemon.log_text()
    for _, told in BROKEN.values():
        assert daemon.lines("handlers broken", told)
    assert scene.look.ready() == ids and not scene.look.nodes()
    mend_all(daemon)
    _wait_for_start(scene, daemon, ids)


def test_handlers_that_cannot_be_loaded_refuse_the_reload_and_no_job_notices(scene):
    daemon = scene.node()
    board, before = daemon.board, workers(daemon)
    (held,) = scene.hold()
    ids = scene.submit_many(either(200, 2000), 0.01)
    break_all(daemon)
    problems = "\n".join(reload(scene, daemon, board))
    assert all(told in problems for _, told in BROKEN.values())
    mend_all(daemon)
    for source, told in ENDS_AT_ONCE.items():
        write(daemon, source)
        assert told in "\n".join(reload(scene, daemon, board))
    assert workers(daemon) == before
    scene.wait_until(lambda: scene.are_final(ids))
    mend(daemon)
    scene.let_go()
    assert reload(scene, daemon, board) == []
    # They have been told to leave.
    scene.wait_until(lambda: not workers(daemon) & before)
    assert scene.client.get_job(held).run == 1


def reload(scene, daemon, board):
    """HUP, and the wait for what comes of it; why it was refused."""
    ended = board.head[Head.RELOADS_ENDED]
    os.kill(daemon.pid, signal.SIGHUP)
    scene.wait_until(lambda: board.head[Head.RELOADS_ENDED] > ended)
    return [] if board.head[Head.IS_RELOADED] else board.problems_path.read_text().splitlines()


# Handlers that take their time, or go on beside


THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=[1000]).start()\n"


@pytest.mark.parametrize("preload", [False, True])
def test_an_import_that_starts_a_thread_which_does_not_end(scene, preload):
    daemon = scene.node({"workers": {"preload": preload}}, is_started=False)
    write(daemon, THREAD)
    ids = scene.submit_many(20, 0.01)
    _wait_for_start(scene, daemon, ids)
    assert reload(scene, daemon, daemon.board) == []
    ids = scene.submit_many(20, 0.01)
    assert scene.stop(daemon) < SOON_SECONDS
    _wait_for_start(scene, daemon, ids)


SLOW_SECONDS = either(0.5, 60)


def test_an_import_that_takes_long_is_waited_for(scene):
    """While new workers load, those that are there go on."""
    daemon = scene.node({"workers": {"start_seconds": either(60, 120)}}, is_started=False)
    gate = Gate(daemon)
    ids = scene.submit_many(20, 0.01)
    gate.shut()
    daemon.start(wait=False)
    scene.wait_until(lambda: states(daemon) == ["starting"] * 2)
    time.sleep(SLOW_SECONDS)
    gate.open()
    scene.wait_until_up(daemon)
    assert_ran_once(scene, ids)
    board, before = daemon.board, workers(daemon)
    _reload_until(scene, daemon, gate, "the first successor starts")
    time.sleep(SLOW_SECONDS)
    assert_ran_once(scene, scene.submit_many(20, 0.01))
    assert board.head[Head.RELOADS_ENDED] == 0
    gate.open()
    scene.wait_until(lambda: board.head[Head.RELOADS_ENDED] == 1)
    assert board.head[Head.IS_RELOADED]
    scene.wait_until(lambda: not workers(daemon) & before)


def test_an_import_that_takes_too_long_refuses_the_reload(scene):
    daemon = scene.node({"workers": {"start_seconds": 60}})
    before = workers(daemon)
    write(daemon, "import time\ntime.sleep(1000)\n")
    scene.hold()
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("start_seconds = 60", f"start_seconds = {either(1, 30)}"))
    assert "workers.start_seconds" in reload(scene, daemon, daemon.board)[0]
    assert workers(daemon) == before


# Nobody comes up


DIES_AT_ONCE = "import os\nos._exit(3)\n"
NO_CHILD_LIVES = "child._stand_alone = lambda *_: os._exit(3)"


IMPORTS = """
import os
from bananasd.cli import main
from bananasd.processes import blueprint, child, locks
from bananasd.processes.restarts import CRASH_LIMIT, Restarts
"""


def program(*changes):
    """The daemon's, with changes to its code. Its pauses are short in the short form, and as they are in the long one."""
    shorter = "blueprint.Restarts = lambda *_, limit=CRASH_LIMIT: Restarts(0.1, limit)"
    changed = "\n".join([*either([shorter], []), *changes])
    return ("-c", f"{IMPORTS}\n{changed}\nmain()")


GIVES_UP_SECONDS = either(5, 63)
"""The sum of a slot's pauses, as docs/signals.md has it."""


@pytest.mark.parametrize("who", ["every worker", "every child"])
def test_a_daemon_whose_children_all_die_at_boot_gives_up_in_time_and_leaves_the_jobs(scene, who):
    """What a daemon held that was killed before comes back, too."""
    daemon = scene.node()
    held = scene.hold(2)
    daemon.kill()
    behind = scene.submit_many(20, 0)
    usual = daemon.program
    if who == "every worker":
        write(daemon, DIES_AT_ONCE)
    daemon.program = program(*[NO_CHILD_LIVES] if who == "every child" else [])
    began = time.monotonic()
    daemon.start(wait=False)
    assert daemon.wait(GIVES_UP_SECONDS + DRAIN_SECONDS + 20) == 70
    seconds = time.monotonic() - began
    # With no scheduler nobody tells that all is put back: the end is not before that of a drain.
    drain_seconds = DRAIN_SECONDS if who == "every child" else 0
    assert seconds < GIVES_UP_SECONDS + drain_seconds + either(20, 8)
    assert seconds > either(0, GIVES_UP_SECONDS)
    assert len(daemon.lines("child started", "slot='worker 0'")) == 1 + 8
    assert daemon.lines("daemon gives up status=70")
    for job in map(scene.client.get_job, [*held, *behind]):
        assert not job.status.is_final
    daemon.program = usual
    (daemon.directory / "handlers" / "added.py").unlink(missing_ok=True)
    scene.let_go()
    scene.start(daemon)
    scene.wait_until(lambda: scene.are_final([*held, *behind]))
    assert [job.recoveries for job in map(scene.client.get_job, held)] == [1, 1]
    assert {job.recoveries for job in map(scene.client.get_job, behind)} == {0}
