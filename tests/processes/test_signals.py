"""Signals to the master beyond stop and reload, and those that reach the children too; in every phase."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bananasd import Status
from bananasd.processes import control, procfs
from bananasd.processes.board import Head
from tests.conftest import wait_until
from tests.daemon import is_alive, title

pytestmark = pytest.mark.usefixtures("untraced")

HARMLESS = [
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGTSTP,
    signal.SIGCONT,
    signal.SIGUSR1,
    signal.SIGUSR2,
]
IN_BACKGROUND = """
import fcntl, os, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
python, config = sys.argv[1:]
daemon = subprocess.Popen([python, "-m", "bananasd", "start", "--config", config], process_group=0)
print(daemon.pid, flush=True)
sys.exit(daemon.wait())
"""
SLOW = """
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "..", "go")):
        time.sleep(0.01)
"""


@pytest.fixture
def daemon(make_daemon):
    return make_daemon().start()


def blocks(pid: int, signum: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    return bool(int(mask, 16) >> (signum - 1) & 1)


def send(pid: int, signum: int) -> None:
    """0 would be all of our own group; a child that is just being forked shows it. One that has gone is none of ours."""
    assert pid > 0
    procfs.send(pid, signum)


def slots(daemon) -> list[str]:
    return sorted(child.slot for child in daemon.children("worker") if child.state == "up")


def test_ttin_adds_a_worker_and_ttou_takes_the_last_one_away(daemon):
    send(daemon.pid, signal.SIGTTIN)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1", "worker 2"])
    send(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1"])
    send(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: slots(daemon) == ["worker 0"])
    send(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: daemon.lines("number of workers kept"))
    assert slots(daemon) == ["worker 0"]
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {"result": 1}), 30).result == 1


def test_it_is_not_quiet_if_resumed_in_the_same_instant(daemon):
    for number in range(1, 11):
        send(daemon.pid, signal.SIGTSTP)
        send(daemon.pid, signal.SIGCONT)
        send(daemon.pid, signal.SIGUSR2)
        wait_until(lambda number=number: len(daemon.lines("stacks slot='master'")) == number)
        assert not daemon.board.is_quiet


def test_a_worker_that_is_taken_away_ends_its_job_first(make_daemon):
    daemon = make_daemon(settings={"workers": {"count": 2}}).start()
    until = daemon.directory / "go"
    with daemon.client() as client:
        ids = [client.submit_job("hold", {"until": str(until)}) for _ in range(2)]
        for job_id in ids:
            daemon.worker_of(job_id)
        send(daemon.pid, signal.SIGTTOU)
        wait_until(lambda: "draining" in {child.state for child in daemon.children("worker")})
        until.touch()
        jobs = [client.wait(job_id, 30) for job_id in ids]
    assert {(job.status, job.run) for job in jobs} == {(Status.COMPLETED, 1)}
    wait_until(lambda: slots(daemon) == ["worker 0"])


def test_a_reload_brings_the_configured_number_of_workers_back(daemon):
    send(daemon.pid, signal.SIGTTIN)
    wait_until(lambda: len(slots(daemon)) == 3)
    send(daemon.pid, signal.SIGHUP)
    wait_until(lambda: daemon.board.head[Head.RELOADS_ENDED] == 1)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1"])


def test_a_quiet_daemon_ends_what_runs_and_takes_nothing_until_it_is_resumed(daemon):
    until = daemon.directory / "go"
    with daemon.client() as client:
        running = client.submit_job("hold", {"until": str(until)})
        daemon.worker_of(running)
        daemon.be_quiet()
        waiting = [client.submit_job("note", {}) for _ in range(5)]
        until.touch()
        assert client.wait(running, 30).status is Status.COMPLETED
        # A worker that starts now takes nothing either.
        (worker, *_) = daemon.children("worker")
        send(worker.pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(worker.pid))
        wait_until(daemon.is_up)
        assert {client.get_job(job_id).status for job_id in waiting} == {Status.PENDING}
        send(daemon.pid, signal.SIGCONT)
        assert {client.wait(job_id, 30).status for job_id in waiting} == {Status.COMPLETED}
    assert daemon.node.phase == "running"


def test_what_an_idle_worker_is_given_when_the_daemon_has_just_become_quiet_is_not_begun(make_daemon):
    # Long before this time is over the worker that is stopped goes on.
    daemon = make_daemon(settings={"workers": {"count": 1}, "redis": {"timeout_seconds": 30}}).start()
    (worker,) = daemon.children("worker")
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
        wait_until(lambda: title(worker.pid).endswith("[idle]"))
        # The server claims for it while it cannot look.
        waiting = daemon.give_to_stopped(worker, 3)
        begun = len(daemon.entries("start"))
        send(daemon.pid, signal.SIGTSTP)
        wait_until(lambda: daemon.node.phase == "quiet")
        send(worker.pid, signal.SIGCONT)
        wait_until(lambda: title(worker.pid).endswith("[resting]"))
        assert [job.status for job in map(client.get_job, waiting)] == [Status.PENDING] * 3
        assert len(daemon.entries("start")) == begun
        send(daemon.pid, signal.SIGCONT)
        jobs = client.wait(waiting, 30)
        assert [(job.status, job.attempts, job.recoveries) for job in jobs] == [(Status.COMPLETED, 1, 0)] * 3
        assert [entry[1] for entry in daemon.entries("start")[begun:]] == waiting


def test_a_quiet_daemon_stops_as_any_other(daemon):
    send(daemon.pid, signal.SIGTSTP)
    wait_until(lambda: daemon.node.phase == "quiet")
    assert daemon.stop() == 0


def test_usr1_opens_the_log_file_anew_in_every_process(make_daemon):
    daemon = make_daemon(settings={"log": {"file": "the.log"}}).start()
    log = daemon.directory / "the.log"
    wait_until(lambda: "daemon ready" in log.read_text())
    old = log.rename(daemon.directory / "the.log.1")
    send(daemon.pid, signal.SIGUSR1)
    wait_until(log.exists)
    wait_until(lambda: not any(has_open(child.pid, old) for child in daemon.children()))
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
        wait_until(lambda: "job completed" in log.read_text())
    size = old.stat().st_size
    assert daemon.stop() == 0
    assert "daemon stopped" in log.read_text()
    assert old.stat().st_size == size


def has_open(pid: int, path: Path) -> bool:
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") == str(path):
                return True
    return False


def test_what_a_handler_prints_goes_to_the_log_file_too(make_daemon):
    daemon = make_daemon(
        """
        @handler("shout")
        def shout(job):
            print("from the handler", file=sys.stderr, flush=True)
            subprocess.run(["sh", "-c", "echo from its program >&2"], check=True)
        """,
        settings={"log": {"file": "the.log"}},
    ).start()
    with daemon.client() as client:
        client.wait(client.submit_job("shout", None), 30)
    text = (daemon.directory / "the.log").read_text()
    assert "from the handler" in text
    assert "from its program" in text


def test_a_log_file_that_cannot_be_opened_keeps_the_daemon_from_starting(make_daemon):
    daemon = make_daemon(settings={"log": {"file": "missing/the.log"}}).start(wait=False)
    assert daemon.wait() == 78
    assert "log.file" in daemon.log_text()


@pytest.mark.parametrize("signum", HARMLESS, ids=lambda signum: signum.name)
def test_no_signal_for_the_master_harms_a_child_that_gets_it(daemon, signum):
    children = {child.pid for child in daemon.children() if child.kind != "redis"}
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 0.3, "result": "whole"})
        daemon.worker_of(job_id)
        for pid in children:
            send(pid, signum)
        job = client.wait(job_id, 30)
        assert (job.result, job.run) == ("whole", 1)
        jobs = [client.wait(client.submit_job("note", {}), 30) for _ in range(4)]
    assert {job.status for job in jobs} == {Status.COMPLETED}
    assert {child.pid for child in daemon.children() if child.kind != "redis"} == children


def test_all_of_them_during_the_boot(make_daemon):
    daemon = make_daemon(SLOW).start(wait=False)
    wait_until(lambda: [child.state for child in daemon.children("worker") if child.pid] == ["starting"] * 2)
    for signum in HARMLESS:
        send(daemon.pid, signum)
        for child in daemon.children("worker"):
            if child.pid:
                send(child.pid, signum)
    (daemon.directory / "go").touch()
    wait_until(lambda: daemon.board.head[Head.RELOADS_ENDED] == 1)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1"])
    # Those that the reload has replaced were told so by a TERM.
    assert not [line for line in daemon.lines("SIG", "child ended") if "SIGTERM" not in line]
    assert daemon.stop() == 0


def test_all_of_them_before_there_is_anybody_to_hear_them(make_daemon):
    """Preloaded handlers hold the boot up, before the master's loop."""
    daemon = make_daemon(SLOW, settings={"workers": {"preload": True}}).start(wait=False)
    wait_until(lambda: blocks(daemon.pid, signal.SIGTSTP))
    for signum in HARMLESS:
        send(daemon.pid, signum)
    (daemon.directory / "go").touch()
    wait_until(lambda: daemon.node and daemon.board.head[Head.RELOADS_ENDED] == 1)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1"])
    assert not blocks(daemon.pid, signal.SIGTSTP)
    assert daemon.stop() == 0


def test_all_of_them_during_a_reload(daemon):
    board = daemon.board
    send(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_BEGUN] == 1)
    while not board.head[Head.RELOADS_ENDED]:
        for signum in HARMLESS[1:]:
            send(daemon.pid, signum)
        time.sleep(0.001)
    # The last TTIN, or the last TTOU, may have been heard when it was over.
    wait_until(lambda: daemon.is_up() and 1 <= len(slots(daemon)) <= 3)
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.stop() == 0


def test_all_of_them_during_a_drain(make_daemon):
    daemon = make_daemon(settings={"master": {"drain_seconds": 60}}).start()
    until = daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
        daemon.terminate()
        wait_until(lambda: daemon.node.phase == "draining")
        for _ in range(3):
            for signum in [*HARMLESS, signal.SIGTERM, signal.SIGINT]:
                send(daemon.pid, signum)
                if signum is not signal.SIGCONT:
                    send(worker.pid, signum)
        wait_until(lambda: not [c for c in daemon.children("worker") if c.pid != worker.pid])
        until.touch()
    assert daemon.wait() == 0
    assert [line[0] for line in daemon.entries("end", job_id)] == ["end"]
    assert daemon.boards() == []


def test_all_of_them_during_a_backoff(make_daemon):
    daemon = make_daemon(
        """
        if not os.path.exists(os.path.join(os.path.dirname(__file__), "..", "go")):
            os._exit(1)
        """
    ).start(wait=False)
    wait_until(lambda: [child.state for child in daemon.children("worker")] == ["backoff"] * 2)
    (daemon.directory / "go").touch()
    for signum in HARMLESS:
        send(daemon.pid, signum)
    wait_until(lambda: daemon.board.head[Head.RELOADS_ENDED] == 1)
    wait_until(lambda: slots(daemon) == ["worker 0", "worker 1"])
    assert daemon.stop() == 0


def test_the_last_worker_that_works_is_never_taken_away(make_daemon):
    daemon = make_daemon(
        """
        from pathlib import Path
        if "bananasd: worker 0" in Path("/proc/self/cmdline").read_text():
            sys.exit(1)
        """
    ).start(wait=False)
    wait_until(lambda: "fatal" in {child.state for child in daemon.children("worker")})
    wait_until(lambda: slots(daemon) == ["worker 1"])
    send(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: [child.slot for child in daemon.children("worker")] == ["worker 1"])
    send(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: daemon.lines("number of workers kept"))
    send(daemon.pid, signal.SIGTTIN)
    wait_until(lambda: "worker 0" in {child.slot for child in daemon.children("worker")})
    assert daemon.stop() == 0


def test_a_daemon_hears_term_though_its_parent_had_it_blocked(make_daemon):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        daemon = make_daemon().start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert daemon.stop() == 0


def test_an_operators_hup_is_a_reload_though_the_terminal_is_gone(make_daemon):
    master_end, terminal = pty.openpty()
    daemon = make_daemon().start(stdin=terminal)
    os.close(terminal)
    os.close(master_end)
    send(daemon.pid, signal.SIGHUP)
    wait_until(lambda: daemon.board.head[Head.RELOADS_ENDED] == 1)
    assert daemon.stop() == 0


def test_in_the_background_of_a_terminal_that_stops_writers_it_writes_and_stops(make_daemon):
    """Stty tostop: the kernel sends TTOU at each try to write."""
    controller, terminal = pty.openpty()
    modes = termios.tcgetattr(terminal)
    modes[3] |= termios.TOSTOP
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    daemon = make_daemon()
    # A session whose foreground is the shell's group, with the daemon in another.
    shell = subprocess.Popen(
        [sys.executable, "-c", IN_BACKGROUND, sys.executable, str(daemon.config)],
        stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, start_new_session=True, text=True,
    )  # fmt: skip
    try:
        pid = int(shell.stdout.readline())
        wait_until(lambda: [node.is_up for node in control.nodes(daemon.run_dir)] == [True])
        assert b"daemon starting" in os.read(controller, 65536)
        send(pid, signal.SIGTERM)
        assert shell.wait(30) == 0
    finally:
        shell.kill()
        shell.communicate()
        os.close(controller)
        os.close(terminal)
