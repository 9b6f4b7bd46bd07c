"""One daemon per run_dir, one server per state_dir."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from bananasd.errors import AlreadyRunning, DaemonError
from bananasd.processes import locks
from bananasd.processes.locks import lock_run_dir, lock_state_dir, make_private, running_pid
from bananasd.processes.usage import usage
from tests.conftest import wait_until
from tests.daemon import is_alive


@pytest.fixture
def run_lock(tmp_path):
    descriptor = lock_run_dir(tmp_path)
    yield descriptor
    os.close(descriptor)


def test_a_second_lock_on_a_run_dir_is_refused_with_the_pid_of_the_first(tmp_path, run_lock):
    with pytest.raises(AlreadyRunning) as refused:
        lock_run_dir(tmp_path)
    assert refused.value.pid == os.getpid()
    assert running_pid(tmp_path) == os.getpid()


def test_a_look_at_the_lock_does_not_keep_a_daemon_from_starting(tmp_path):
    looked = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(looked, fcntl.LOCK_SH)
        looks = iter([False, False])

        def release(_):
            if next(looks, True):
                fcntl.flock(looked, fcntl.LOCK_UN)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bananasd.clock.sleep", release)
            os.close(lock_run_dir(tmp_path))
    finally:
        os.close(looked)


def test_nobody_runs_where_nobody_has_the_lock(tmp_path):
    assert running_pid(tmp_path) is None
    os.close(lock_run_dir(tmp_path))
    assert running_pid(tmp_path) is None


def test_a_run_dir_that_cannot_be_looked_into_or_written_to_says_so(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(DaemonError, match="loop: Too many levels"):
        running_pid(tmp_path / "loop")
    (tmp_path / locks.PID_NAME).symlink_to(tmp_path / locks.PID_NAME)
    with pytest.raises(DaemonError, match="pid: Too many levels"):
        lock_run_dir(tmp_path)


def test_a_lock_holds_though_everything_in_its_directory_is_cleaned_away(tmp_path, run_lock):
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(AlreadyRunning) as refused:
        lock_run_dir(tmp_path)
    assert refused.value.pid is None


def test_a_pid_is_forgotten_before_the_lock_is_given_up(make_daemon):
    daemon = make_daemon().start()
    assert (daemon.run_dir / locks.PID_NAME).read_text() == f"{daemon.pid}\n"
    assert daemon.stop() == 0
    assert (daemon.run_dir / locks.PID_NAME).read_text() == ""


def test_a_state_dir_that_stays_locked_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "STATE_WAIT_SECONDS", 0.05)
    descriptor = lock_state_dir(tmp_path)
    with pytest.raises(DaemonError, match=r"still uses .* after 0\.05 s; stop its daemon"):
        lock_state_dir(tmp_path)
    os.close(descriptor)
    os.close(lock_state_dir(tmp_path))


def test_directories_are_made_for_this_user_alone(tmp_path):
    directory = make_private(tmp_path / "a" / "b")
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_can_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(DaemonError, match="writable for all"):
        make_private(tmp_path)


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DaemonError, match="cannot be used as a directory"):
        make_private(tmp_path / "file")


def test_a_second_daemon_on_one_run_dir_is_refused_at_once_and_names_the_first(make_daemon):
    daemon = make_daemon().start()
    second = subprocess.run(
        [sys.executable, "-m", "bananasd", "start", "--config", daemon.config],
        capture_output=True, text=True, timeout=45, check=False,
    )  # fmt: skip
    assert second.returncode == 73
    assert f"pid {daemon.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert daemon.is_up()


PATIENT = """
from bananasd.processes import locks

locks.STATE_WAIT_SECONDS = 60

from bananasd.__main__ import run

run()
"""
"""A daemon that waits for a server that still dies for as long as it takes a busy machine."""


def sharing_state(make_daemon, first):
    second = make_daemon()
    second.program = ("-c", PATIENT)
    (second.directory / "state").symlink_to(first.directory / "state")
    return second


def test_a_second_daemon_on_one_state_dir_waits_for_the_end_of_the_first(make_daemon):
    first = make_daemon().start()
    with first.client() as client:
        job_id = client.submit_job("note", {"result": 5})
        client.wait(job_id, 30)
    second = sharing_state(make_daemon, first).start(wait=False)
    wait_until((second.run_dir / "pid").exists)
    assert second.node is None
    assert first.stop() == 0
    wait_until(second.is_up)
    with second.client() as client:
        assert client.get_job(job_id).result == 5


def test_a_server_that_outlives_its_daemon_keeps_the_state_dir(make_daemon):
    first = make_daemon().start()
    (server,) = first.children("redis")
    idle = usage(server.pid).cpu_seconds
    with socket.socket(socket.AF_UNIX) as busy:
        busy.connect(str(first.run_dir / "redis.sock"))
        # So it is deaf until it is killed, also to the signal that it gets at the death of the master.
        busy.sendall(b"EVAL 'local e = os.clock() + 60 while os.clock() < e do end' 0\r\n")
        wait_until(lambda: usage(server.pid).cpu_seconds > idle + 0.2)
        first.process.kill()
        first.process.wait()
    try:
        second = sharing_state(make_daemon, first).start(wait=False)
        wait_until(lambda: running_pid(second.run_dir) == second.pid)
        # It holds its run_dir, but has begun nothing.
        assert second.node is None
        assert is_alive(server.pid)
    finally:
        os.kill(server.pid, signal.SIGKILL)
    wait_until(second.is_up)


def test_no_child_but_the_server_keeps_a_lock(make_daemon):
    daemon = make_daemon().start()
    # They open run_dir for a moment when they look into it.
    wait_until(
        lambda: (
            [(child.kind, name) for child in daemon.children() for name in directories_of(child.pid)]
            == [("redis", "state")]
        )
    )


def directories_of(pid):
    """Which of the directories that are locked this process has open."""
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            if (name := os.path.basename(os.readlink(f"/proc/{pid}/fd/{descriptor}"))) in ("run", "state"):
                yield name
