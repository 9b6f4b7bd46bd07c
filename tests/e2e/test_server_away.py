"""What an operator is told while the server is away: the processes are shown, and why there is no answer."""

import json
import os
import signal
import time

import pytest

from tests.command_line import bananasd
from tests.conftest import wait_until
from tests.daemon import halt

ONE_WORKER = {"workers": {"count": 1}, "redis": {"timeout_seconds": 1}}


@pytest.fixture
def asked(make_daemon, own_server, tmp_path):
    """Runs a command about a daemon whose only worker is busy, and whose server was killed."""
    daemon = make_daemon(redis_url=own_server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(tmp_path / "end")})
    wait_until(lambda: daemon.entries("start", job_id))
    own_server.stop()

    def ask(*words):
        result = bananasd(*words, "--config", daemon.config, COLUMNS="200")
        assert result.exit_code == 0, result.output
        return result.stdout

    ask.daemon, ask.job_id = daemon, job_id
    yield ask
    (tmp_path / "end").touch()


def test_status_shows_the_processes_and_that_the_server_cannot_be_reached_and_why(asked, own_server):
    said = asked("status")
    assert all(str(child.pid) in said for child in asked.daemon.children())
    assert asked.job_id in said
    *_, last = said.splitlines()
    assert last.startswith(f"redis cannot be reached: unix://{own_server.socket}: ")
    assert "refused" in last


def test_status_in_json_says_so_too(asked, own_server):
    (node,) = json.loads(asked("status", "--json"))
    assert {child["kind"] for child in node["children"]} == {"worker", "scheduler"}
    assert str(own_server.socket) in node["redis_error"]
    own_server.start()
    wait_until(lambda: json.loads(asked("status", "--json"))[0]["redis_error"] is None)
    assert "cannot be reached" not in asked("status")


def test_top_shows_both_in_one_picture(asked, own_server):
    said = asked("top")
    assert all(str(child.pid) in said for child in asked.daemon.children())
    assert asked.job_id in said
    (line,) = [line for line in said.splitlines() if line.startswith("queues: ")]
    assert str(own_server.socket) in line and "refused" in line


def test_a_server_that_is_frozen_delays_status_by_little(make_daemon, own_server):
    daemon = make_daemon(redis_url=own_server.url, settings={"redis": {"timeout_seconds": 60}}).start()
    halt(own_server.process.pid)
    began = time.monotonic()
    said = bananasd("status", "--config", daemon.config).stdout
    os.kill(own_server.process.pid, signal.SIGCONT)
    assert time.monotonic() - began < 10
    assert "redis cannot be reached: " in said
    assert "worker 0" in said


def test_of_an_embedded_server_that_is_frozen_nobody_says_that_the_daemon_does_not_run(make_daemon):
    daemon = make_daemon(settings=ONE_WORKER).start()
    server = daemon.child("redis")
    halt(server.pid)
    refused = bananasd("queues", "--config", daemon.config)
    status = bananasd("status", "--config", daemon.config).stdout
    os.kill(server.pid, signal.SIGCONT)
    assert refused.exit_code == 69
    assert f"the daemon runs, pid {daemon.pid}, but its embedded server does not answer" in refused.stderr
    (line,) = [line for line in status.splitlines() if line.startswith("redis  ")]
    assert "STOPPED" in line
    assert daemon.stop() == 0
    refused = bananasd("queues", "--config", daemon.config)
    assert "(the embedded server runs while 'bananasd start' does)" in refused.stderr
