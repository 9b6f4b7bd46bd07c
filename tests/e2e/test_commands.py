"""The commands as processes of their own, beside a running daemon: what they print, and their exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from bananasd import Status, __version__
from tests.conftest import wait_until
from tests.daemon import Daemon, halt

HANDLERS = """
    @handler("fails", max_retries=0)
    def fails(job):
        raise ValueError("no good")

    @handler("works")
    def works(job):
        job.set_progress(1, 2, "half")
        return {"got": job.payload}
"""
NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture(scope="module")
def daemon():
    # A worker that is stopped for a test is not replaced meanwhile.
    daemon = Daemon(HANDLERS, settings={"redis": {"timeout_seconds": 60}}).start()
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def bananasd(daemon):
    """Runs a command with the daemon's configuration."""

    def run(*words, config=True):
        where = ["--config", str(daemon.config)] if config else []
        command = [sys.executable, "-m", "bananasd", *words, *where]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=daemon.directory)

    return run


def submit(bananasd, *words):
    done = bananasd("submit", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0]


def test_version(bananasd):
    done = bananasd("--version", config=False)
    assert (done.returncode, __version__ in done.stdout) == (0, True)


def test_a_job_is_submitted_waited_for_and_shown(bananasd):
    done = bananasd("submit", "works", "--payload", '{"a": 1}', "--priority", "high", "--wait", "10")
    assert done.returncode == 0
    assert "completed" in done.stdout
    job = json.loads(bananasd("job", done.stdout.split()[0], "--json").stdout)
    assert (job["status"], job["priority"], job["result"]) == ("completed", "high", {"got": {"a": 1}})
    assert job["progress"] == {"done": 1, "total": 2, "note": "half"}


def test_a_failed_job_is_an_exit_code_and_a_dead_letter_that_can_be_shown_retried_and_purged(
    bananasd, daemon
):
    done = bananasd("submit", "fails", "--payload", "{}", "--wait", "10")
    job_id = done.stdout.split()[0]
    assert done.returncode == 1
    assert "no good" in done.stdout + done.stderr
    assert job_id in [job["id"] for job in json.loads(bananasd("dead", "list", "--json").stdout)]
    assert "ValueError: no good" in bananasd("dead", "show", job_id).stdout
    assert bananasd("dead", "retry", job_id).returncode == 0
    with daemon.client() as client:
        assert client.wait(job_id, 10).status is Status.FAILED
    assert bananasd("dead", "purge", job_id, "--yes").returncode == 0
    assert bananasd("job", job_id).returncode == 1


def test_a_job_for_later_is_scheduled(bananasd):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for when in (("--in", "10m"), ("--at", tomorrow.isoformat())):
        job_id = submit(bananasd, "works", "--payload", "1", *when)
        assert json.loads(bananasd("job", job_id, "--json").stdout)["status"] == "scheduled"


def test_waiting_too_short_is_75(bananasd):
    assert bananasd("submit", "works", "--payload", "1", "--in", "10m", "--wait", "0.1").returncode == 75


def test_queues_shows_what_waits(bananasd):
    submit(bananasd, "works", "--payload", "1", "--queue", "nobody_serves_it")
    assert "nobody_serves_it" in bananasd("queues").stdout
    lanes = json.loads(bananasd("queues", "--json").stdout)["lanes"]
    assert [lane["ready"] for lane in lanes if lane["queue"] == "nobody_serves_it"] == [0, 1, 0]


def test_a_handler_runs_here_and_now(bananasd):
    done = bananasd("run", "works", "--payload", '{"a": 1}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"got": {"a": 1}})


def test_check_names_what_it_found(bananasd):
    done = bananasd("check")
    assert done.returncode == 0
    assert "works" in done.stdout


def test_status_shows_every_process_in_80_columns(bananasd, daemon):
    done = bananasd("status")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if " UP " in line and "PSS" not in line]
    assert [int(row[-8]) for row in rows] == [daemon.pid, *(child.pid for child in daemon.children())]
    assert not [row for row in rows if "-" in row[-2:]]


def test_status_of_a_stopped_master_says_so(bananasd, daemon):
    halt(daemon.pid)
    try:
        done = bananasd("status")
        (node,) = json.loads(bananasd("status", "--json").stdout)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert done.returncode == 0
    assert "stopped while running" in done.stdout
    assert f"'kill -CONT {daemon.pid}' lets it go on" in " ".join(done.stdout.split())
    assert (node["is_stopped"], node["is_running"]) == (True, True)


def test_dump_prints_the_stacks_of_all_or_of_one(bananasd, daemon):
    done = answered(bananasd, "dump")
    heads = [line for line in done.stdout.splitlines() if ", pid " in line]
    children = [child for child in daemon.children() if child.kind != "redis"]
    assert heads == [f"master, pid {daemon.pid}", *(f"{child.slot}, pid {child.pid}" for child in children)]
    assert done.stdout.count("(most recent call first)") == len(heads)
    assert answered(bananasd, "dump", "worker", "1").stdout.count(", pid ") == 1


def answered(bananasd, *words):
    """A dump for which no process was too busy."""
    done = []
    wait_until(lambda: done.append(bananasd(*words)) or done[-1].returncode == 0)
    return done[-1]


def test_dump_of_a_stopped_process_is_1_and_says_why(bananasd, daemon):
    pid = daemon.children("worker")[1].pid
    halt(pid)
    try:
        done = bananasd("dump", "worker 1")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 1
    assert (
        f"no answer: it is stopped by a signal or a debugger; 'kill -CONT {pid}' lets it go on" in done.stdout
    )
    assert done.stderr == "bananasd: no stacks of worker 1\n"


# Its jobs run on for longer than a command may take.
SLOW_DRAIN = {"master": {"drain_seconds": 40}}


def test_stop_says_what_it_waits_for_and_ends_when_all_is_gone(make_daemon, bananasd):
    daemon = make_daemon(settings=SLOW_DRAIN).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(daemon.directory / "until")})
        slot = daemon.worker_of(job_id).slot
    command = [sys.executable, "-m", "bananasd", "stop", "--config", str(daemon.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stop:
        told = stop.stderr.readline()
        assert re.fullmatch(rf"waiting for {slot}: hold {job_id} \(\d+s\)\n", told)
        (daemon.directory / "until").touch()
        out, err = stop.communicate(timeout=20)
    assert (stop.returncode, out) == (0, "stopped\n")
    assert "hold" not in err
    assert daemon.wait() == 0
    assert bananasd("stop", "--config", str(daemon.config), config=False).returncode == 1
    assert bananasd("status", "--config", str(daemon.config), config=False).returncode == 1


def test_stop_that_takes_too_long_is_75_and_says_what_it_waits_for(make_daemon, bananasd):
    daemon = make_daemon(settings=SLOW_DRAIN).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(daemon.directory / "until")})
        daemon.worker_of(job_id)
    done = bananasd("stop", "--timeout", "0.1", "--config", str(daemon.config), config=False)
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.count("\n") == 1
    assert f"hold {job_id}" in done.stderr
    (daemon.directory / "until").touch()
    assert daemon.wait() == 0


def test_status_as_json(bananasd, daemon):
    (node,) = json.loads(bananasd("status", "--json").stdout)
    assert node["master_pid"] == daemon.pid
    assert {child["slot"] for child in node["children"]} == {"redis", "scheduler", "worker 0", "worker 1"}


def test_a_directory_made_by_init_passes_the_check(bananasd, daemon):
    assert bananasd("init", "made", config=False).returncode == 0
    assert (
        bananasd(
            "check", "--config", str(daemon.directory / "made" / "bananas.toml"), config=False
        ).returncode
        == 0
    )
    assert bananasd("init", "made", config=False).returncode == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("job", NO_JOB), 1),
        (("job", "seven"), 2),
        (("submit", "works", "--payload", "{"), 2),
        (("submit", "works", "--payload", "1", "--priority", "urgent"), 2),
        (("submit", "works", "--payload", "1", "--at", "2999-01-01T00:00:00"), 2),
        (("queues", "--url", "redis://127.0.0.1:1"), 69),
        (("queues", "--url", "redis://127.0.0.1:99999"), 2),
        (("queues", "--url", "redis://a..b/0"), 2),
        (("queues", "--url", "redis://\udcff"), 2),
        (("queues", "--url", "redis://127.0.0.1?no_such_option=1"), 2),
        (("start",), 73),
        (("check", "--config", "missing.toml"), 78),
    ],
)
def test_a_fault_is_one_clear_line_and_its_exit_code(bananasd, words, code):
    done = bananasd(*words, config="--config" not in words)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("bananasd: ")


@pytest.mark.parametrize("command", ["start", "check"])
@pytest.mark.parametrize(
    "settings",
    [
        '[redis]\nurl = "redis://a..b/0"',
        '[redis]\nurl = "redis://h:99999/0"',
        '[redis]\nurl = "redis://h?no_such_option=1"',
        f'run_dir = "/tmp/{120 * "x"}"',
        '[redis]\nurl = "redis://h"\npassword_file = "none"',
    ],
)
def test_a_setting_that_cannot_be_right_is_78_from_start_and_check_alike(bananasd, daemon, command, settings):
    config = daemon.directory / "wrong.toml"
    config.write_text(settings)
    done = bananasd(command, "--config", str(config), config=False)
    assert (done.returncode, done.stdout) == (78, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"bananasd: {config}: ")


@pytest.mark.parametrize("setting", ["run_dir", "state_dir"])
@pytest.mark.parametrize("trouble", ["open", "file", "below"])
def test_a_directory_that_cannot_be_used_is_78(bananasd, tmp_path, setting, trouble):
    directory = tmp_path / "it"
    if trouble == "open":
        directory.mkdir()
        directory.chmod(0o777)
    else:
        directory.touch()
    config = tmp_path / "bananas.toml"
    place = directory / "below" if trouble == "below" else directory
    other = {"run_dir": "state_dir", "state_dir": "run_dir"}[setting]
    config.write_text(f'{setting} = "{place}"\n{other} = "{tmp_path}/other"\n')
    done = bananasd("start", "--config", str(config), config=False)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1].startswith(f"bananasd: {place}: ")
