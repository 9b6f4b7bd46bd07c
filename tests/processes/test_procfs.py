"""What /proc tells of a process."""

import os
import signal
import subprocess

import pytest

from bananasd.processes import procfs


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "1000"], process_group=0)
    yield process
    process.kill()
    process.wait()


def zombie(process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process.pid


def test_a_living_process_has_a_birth_that_does_not_change(sleeper):
    assert procfs.born(sleeper.pid) == procfs.born(sleeper.pid) > 0


def test_a_zombie_has_none_any_more_and_is_gone(sleeper):
    born = procfs.born(sleeper.pid)
    assert not procfs.is_gone(sleeper.pid, born)
    zombie(sleeper)
    assert procfs.born(sleeper.pid) is None
    assert procfs.is_gone(sleeper.pid, born)


def test_a_process_that_was_reaped_is_gone(sleeper):
    born = procfs.born(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert procfs.is_gone(sleeper.pid, born)
    assert procfs.born(sleeper.pid) is None


def test_another_process_with_the_same_pid_is_not_the_one(sleeper):
    assert procfs.is_gone(sleeper.pid, procfs.born(sleeper.pid) - 1)


def test_no_process_ever_was_number_0():
    assert procfs.is_gone(0, 0)


def test_what_cannot_be_read_counts_as_alive(sleeper, monkeypatch):
    monkeypatch.setattr(procfs, "_stat", lambda pid: None)
    assert not procfs.is_gone(sleeper.pid, 5)


def test_a_process_of_another_user_that_is_hidden_counts_as_alive(sleeper, monkeypatch):
    def deny(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", deny)
    monkeypatch.setattr(procfs, "_stat", lambda pid: None)
    assert not procfs.is_gone(sleeper.pid, 5)


def test_a_name_with_brackets_and_spaces_is_no_riddle(tmp_path):
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "1000"])
    try:
        assert procfs.born(process.pid) > 1
    finally:
        process.kill()
        process.wait()


def test_a_group_is_killed_whole(sleeper):
    other = subprocess.Popen(["sleep", "1000"], process_group=sleeper.pid)
    procfs.kill_group(sleeper.pid)
    assert (sleeper.wait(), other.wait()) == (-signal.SIGKILL, -signal.SIGKILL)
    procfs.kill_group(sleeper.pid)


def test_what_a_dead_leader_left_is_killed_but_not_what_belongs_to_strangers(sleeper, monkeypatch):
    born = procfs.born(sleeper.pid)
    left, session = subprocess.Popen(["sleep", "1000"], process_group=sleeper.pid), os.getsid(0)
    sleeper.kill()
    sleeper.wait()
    kill, killed = os.kill, []
    monkeypatch.setattr(os, "kill", lambda pid, signum: killed.append(pid) or kill(pid, signum))
    try:
        procfs.kill_leftovers({sleeper.pid: born}, session + 1)
        procfs.kill_leftovers({left.pid: born}, session)
        assert killed == []
        procfs.kill_leftovers({sleeper.pid: born}, session)
        assert killed == [left.pid]
        assert left.wait() == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()


def test_the_boot_id_is_a_uuid():
    assert len(procfs.boot_id()) == 36
