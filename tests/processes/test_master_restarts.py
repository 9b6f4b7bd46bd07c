"""When the master starts a child again, and when it gives up. The children here are made for the test."""

import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from itertools import islice, pairwise

import pytest

from bananasd.processes.board import Board, Head
from bananasd.processes.row import State, Word
from tests.conftest import wait_until
from tests.daemon import halt, is_alive
from tests.patience import assert_once

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from bananasd import log
from bananasd.processes.board import Board
from bananasd.processes.row import Kind, State, Word
from bananasd.processes.child import ATTENTION
from bananasd.processes.master import Master
from bananasd.processes.plan import Limits, Plan
from bananasd.processes.notify import Notifier
from bananasd.processes.restarts import Restarts
from bananasd.processes.slots import Fleet, Slot

directory = Path(sys.argv[1])

def note(text):
    with (directory / "notes").open("a") as file:
        file.write(text + "\\n")

def come_up(row):
    row.state = State.UP

def run(*slots, rows=8, limits=Limits(8, 1, 6, 6)):
    log.configure("debug", "text")
    board = Board.create(directory, "node", rows)
    plan = Plan({"": len(slots)}, None, limits, None, None)
    sys.exit(Master(Fleet(list(slots), board), plan, Notifier({}), lambda: None).run())
"""


@pytest.fixture
def start(tmp_path):
    """Starts a master with the slots that the given text makes."""
    started = []

    def start(text, **options):
        options = {"stdin": subprocess.DEVNULL, **options}
        command = [sys.executable, "-c", PROGRAM + textwrap.dedent(text), str(tmp_path)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes"
    return lambda: path.read_text().splitlines() if path.exists() else []


def test_when_every_worker_slot_is_fatal_the_daemon_says_why_and_exits_non_zero(start, notes):
    daemon = start(
        """
        def crash(row):
            note(f"worker {row.words[Word.SLOT]}")
            os._exit(3)

        run(*(Slot(Kind.WORKER, i, crash, Restarts(limit=2)) for i in range(2)))
        """
    )
    _, errors = daemon.communicate(timeout=45)
    assert daemon.returncode == 70
    assert sorted(notes()) == ["worker 0"] * 2 + ["worker 1"] * 2
    assert "slot fatal slot='worker 0' crashes=2" in errors
    assert "daemon gives up status=70" in errors


def test_one_fatal_slot_does_not_stop_the_others(start, notes):
    daemon = start(
        """
        def crash(row):
            os._exit(3)

        def work(row):
            come_up(row)
            note("working")
            signal.pause()

        run(Slot(Kind.WORKER, 0, crash, Restarts(limit=2)), Slot(Kind.WORKER, 1, work, Restarts()))
        """
    )
    for line in daemon.stderr:
        if "slot fatal" in line:
            break
    wait_until(lambda: notes() == ["working"])
    assert daemon.poll() is None
    daemon.terminate()
    assert daemon.wait(20) == 0


def test_a_child_that_can_never_work_is_final_at_once(start, notes):
    daemon = start(
        """
        def refuse(row):
            note("tried")
            return 78

        run(Slot(Kind.WORKER, 0, refuse, Restarts()))
        """
    )
    assert daemon.wait(45) == 78
    assert notes() == ["tried"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('odd')", "ValueError: odd"),
        ("sys.exit(5)", "end='exit status 5'"),
        ("sys.exit('odd')", "end='exit status 70'"),
    ],
)
def test_a_child_that_fails_in_a_way_that_nobody_foresaw_says_so_and_is_a_crash(start, body, said):
    daemon = start(
        f"""
        def fail(row):
            {body}

        run(Slot(Kind.WORKER, 0, fail, Restarts(limit=1)))
        """
    )
    _, errors = daemon.communicate(timeout=45)
    assert daemon.returncode == 70
    assert said in errors


def test_an_exit_in_a_job_says_nothing_of_the_worker(start, notes):
    daemon = start(
        """
        def exit_in_job(row):
            come_up(row)
            note("job")
            if row.generation == 9:
                os.kill(os.getppid(), signal.SIGTERM)
                signal.pause()
            row.words[Word.JOB] = 1
            os._exit(78)

        run(Slot(Kind.WORKER, 0, exit_in_job, Restarts(limit=2)))
        """
    )
    assert daemon.wait(45) == 0
    assert len(notes()) == 9


def test_a_fork_that_fails_is_tried_again_and_stops_nobody(start, notes):
    daemon = start(
        """
        fork, tries = os.fork, []

        def fail_once():
            tries.append(1)
            if len(tries) == 2:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            return fork()

        def work(row):
            come_up(row)
            note(f"worker {row.words[Word.SLOT]}")
            signal.pause()

        os.fork = fail_once
        run(*(Slot(Kind.WORKER, i, work, Restarts()) for i in range(3)))
        """
    )
    wait_until(lambda: len(notes()) == 3)
    daemon.terminate()
    _, errors = daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    assert "child not started slot='worker 1': Resource temporarily unavailable" in errors
    assert re.findall("child started slot='(.*)' pid", errors) == ["worker 0", "worker 2", "worker 1"]


def test_a_scheduler_without_a_sign_of_life_is_killed_and_replaced_without_delay(start, notes):
    daemon = start(
        """
        def hang(row):
            note("scheduler")
            row.words[Word.TICK_NS] = time.monotonic_ns()
            come_up(row)
            while True:
                if row.generation > 3:
                    row.words[Word.TICK_NS] = time.monotonic_ns()
                time.sleep(0.01)

        run(Slot(Kind.SCHEDULER, 0, hang, Restarts(2.0, limit=None)), limits=Limits(8, 1, 0.3, 6))
        """
    )
    # A crash would be followed by a pause.
    deaths = (line for line in daemon.stderr if "child ended slot='scheduler'" in line)
    assert all("killed_for=stuck crashes=0" in line for line in islice(deaths, 3))
    wait_until(lambda: len(notes()) >= 4)
    assert daemon.poll() is None


CLAIMER = """
    def claim(row):
        come_up(row)
        note(f"worker {os.getpid()}")
        if row.generation == 1:
            # Works, and does not claim; then claims, and does not come back.
            time.sleep(0.6)
            note("claims")
            row.words[Word.TICK_NS] = time.monotonic_ns()
        signal.pause()

    run(Slot(Kind.WORKER, 0, claim, Restarts()), limits=Limits(8, 1, 6, 0.4))
"""


def test_a_worker_that_does_not_come_back_from_its_claim_is_killed_and_replaced(start, notes):
    daemon = start(CLAIMER)
    wait_until(lambda: len(notes()) == 3)
    assert notes()[1] == "claims"
    assert not is_alive(int(notes()[0].split()[1]))
    assert daemon.poll() is None


def test_a_master_that_has_slept_gives_its_workers_time_to_wake_up(start, notes, tmp_path):
    daemon = start(
        """
        from bananasd.processes import warden

        warden.SLEEP_SECONDS = 0.5

        def claim(row):
            note(str(os.getpid()))
            while not (directory / "asleep").exists():
                row.words[Word.TICK_NS] = time.monotonic_ns()
                come_up(row)
                time.sleep(0.01)
            # As if both had slept since the host was booted, and this one still did.
            row.words[Word.TICK_NS] = 1
            note("asleep")
            signal.pause()

        run(Slot(Kind.WORKER, 0, claim, Restarts()), limits=Limits(8, 1, 6, 30))
        """
    )
    wait_until(lambda: len(notes()) == 1 and board_in(tmp_path).rows[0].state is State.UP)
    wait_for_turns(tmp_path)
    halt(daemon.pid)
    (tmp_path / "asleep").touch()
    wait_until(lambda: len(notes()) == 2)
    time.sleep(0.6)
    os.kill(daemon.pid, signal.SIGCONT)
    wait_for_turns(tmp_path)
    assert is_alive(int(notes()[0]))
    assert daemon.poll() is None


def board_in(directory):
    board = Board.open(directory / "node.board")
    assert board is not None
    return board


def wait_for_turns(directory):
    """Until the master has looked at everything once more."""
    head, seen = board_in(directory).head, set()
    wait_until(lambda: seen.add(head[Head.TURNED_NS]) or len(seen) > 3)


def test_without_a_free_row_a_restart_waits_for_the_recovery(start, notes):
    daemon = start(
        """
        def die_with_a_trip(row):
            come_up(row)
            note(f"generation {row.generation}")
            if row.generation > 2:
                signal.pause()
            row.words[Word.TRIP] = 1
            row.words[Word.JOB] = 1
            os._exit(1)

        def recover(row):
            signal.signal(ATTENTION, lambda *_: None)
            come_up(row)
            first = fleet.board.rows[0]
            while first.state is not State.DEAD:
                time.sleep(0.001)
            note("recovered")
            first.words[Word.RECOVERED] = first.generation
            signal.pause()

        worker = Slot(Kind.WORKER, 0, die_with_a_trip, Restarts())
        scheduler = Slot(Kind.SCHEDULER, 0, recover, Restarts(2.0, limit=None))
        log.configure("debug", "text")
        fleet = Fleet([worker, scheduler], Board.create(directory, "node", 2))
        plan = Plan({"": 2}, None, Limits(8, 1, 6, 6), None, None)
        sys.exit(Master(fleet, plan, Notifier({}), lambda: None).run())
        """
    )
    wait_until(lambda: len(notes()) == 3)
    assert notes() == ["generation 1", "recovered", "generation 3"]
    assert daemon.poll() is None


DEAF = """
    def ignore(row):
        for signum in (signal.SIGTERM, ATTENTION):
            signal.signal(signum, signal.SIG_IGN)
        come_up(row)
        note("deaf")
        while True:
            time.sleep(1000)

    run(Slot(Kind.WORKER, 0, ignore, Restarts()), limits=Limits(30, 1, 6, 6))
"""


def test_a_second_interrupt_on_a_terminal_means_now(start, notes):
    master_end, terminal = pty.openpty()
    try:
        daemon = start(DEAF, stdin=terminal)
        wait_until(lambda: notes() == ["deaf"])
        daemon.send_signal(signal.SIGINT)
        for line in daemon.stderr:
            if "drain began cause=SIGINT" in line:
                break
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(20) == 0
    finally:
        os.close(master_end)
        os.close(terminal)


def test_whoever_closes_the_terminal_ends_the_daemon(start, notes):
    master_end, terminal = pty.openpty()
    daemon = start(
        DEAF.replace("run(", "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); run("),
        stdin=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    wait_until(lambda: notes() == ["deaf"])
    os.close(master_end)
    assert any("drain began cause=SIGHUP" in line for line in daemon.stderr)
    daemon.send_signal(signal.SIGQUIT)
    assert daemon.wait(20) == 0


def test_a_second_interrupt_that_comes_from_no_terminal_changes_nothing(start, notes, tmp_path):
    daemon = start(DEAF)
    wait_until(lambda: notes() == ["deaf"])
    worker = board_in(tmp_path).rows[0].words[Word.PID]
    daemon.send_signal(signal.SIGINT)
    assert any("drain began cause=SIGINT" in line for line in daemon.stderr)
    for _ in range(3):
        daemon.send_signal(signal.SIGINT)
        wait_for_turns(tmp_path)
    assert is_alive(worker)
    daemon.send_signal(signal.SIGQUIT)
    assert daemon.wait(20) == 0


def test_workers_that_die_at_their_start_are_tried_after_0_1_2_seconds(server, make_daemon):
    def are_soon() -> bool:
        daemon = make_daemon(
            "os._exit(3)", redis_url=server.url, settings={"workers": {"count": 1}}
        ).start(wait=False)  # fmt: skip

        def times(what: str) -> list[datetime]:
            lines = re.findall(rf"(\S+)Z \w+ master .*{what} slot='worker 0'", daemon.log_text())
            return [datetime.fromisoformat(line) for line in lines]

        wait_until(lambda: len(times("child started")) == 4)
        starts = times("child started")
        between = [(after - before).total_seconds() for before, after in pairwise(starts)]
        assert between[1] > 0.99 and between[2] > 1.99
        ends = zip(times("child ended"), starts[1:], strict=False)
        pauses = [(start - end).total_seconds() for end, start in ends]
        return pauses[0] < 0.9 and pauses[1] < 1.9 and pauses[2] < 3.5

    assert_once(are_soon, 3)


def test_a_scheduler_that_ends_in_peace_without_its_last_duty_is_started_again(start, notes):
    """An operator's TERM may end it just when the drain has come to it."""
    daemon = start(
        """
        def serve(row):
            is_first = not (directory / "notes").exists()
            told = []
            signal.signal(signal.SIGTERM, lambda *_: told.append(True))
            come_up(row)
            note("scheduler")
            if is_first:
                while not told:
                    time.sleep(0.01)
            else:
                (directory / "node.board").unlink()
            row.state = State.LEFT
            return 0

        run(Slot(Kind.SCHEDULER, 0, serve, Restarts(2.0, limit=None)), limits=Limits(60, 1, 6, 6))
        """
    )
    wait_until(lambda: notes() == ["scheduler"])
    daemon.terminate()
    assert daemon.wait(45) == 0
    assert notes() == ["scheduler"] * 2


def test_while_every_row_is_taken_the_schedulers_is_kept_for_it(start, notes):
    """Else a worker would get it in the scheduler's backoff, and nobody could free a row ever again."""
    daemon = start(
        """
        def die_with_a_trip(row):
            come_up(row)
            row.words[Word.TRIP] = 1
            os._exit(1)

        def crash_twice_then_recover(row):
            rows = Board.open(directory / "node.board").rows
            while sum(other.state is State.DEAD for other in rows) < 2:
                time.sleep(0.001)
            note("scheduler")
            if len((directory / "notes").read_text().splitlines()) < 3:
                os._exit(1)
            come_up(row)
            signal.pause()

        run(Slot(Kind.SCHEDULER, 0, crash_twice_then_recover, Restarts(0.3, limit=None)),
            Slot(Kind.WORKER, 0, die_with_a_trip, Restarts(0.01, limit=None)), rows=3)
        """
    )
    wait_until(lambda: notes() == ["scheduler"] * 3)
    assert daemon.poll() is None
