"""``bananasd reload`` as people and scripts call it: what it says, its exit code, and what the daemon hears of it."""

import os
import signal
import subprocess
import sys

import pytest

from bananasd.processes.board import Head
from tests.conftest import wait_until
from tests.daemon import Daemon, halt

pytestmark = pytest.mark.usefixtures("untraced")


def reload(daemon: Daemon, *options, config=None, **environ):
    command = [sys.executable, "-m", "bananasd", "reload", "--config", str(config or daemon.config), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, cwd=daemon.directory, env=os.environ | environ
    )


def reconfigure(daemon: Daemon, old: str, new: str) -> None:
    text = daemon.config.read_text()
    assert old in text
    daemon.config.write_text(text.replace(old, new))


def write_handler(daemon: Daemon, text: str) -> None:
    (daemon.directory / "handlers" / "written.py").write_text(text)


def workers(daemon: Daemon) -> list[int]:
    return [child.pid for child in daemon.children("worker")]


def assert_refused(daemon: Daemon, done, *problems: str) -> None:
    """Told here, each in a line, and in the daemon's log, and nothing has changed."""
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (78, "", len(problems)), done.stderr
    for problem in problems:
        (line,) = [line for line in lines if problem in line]
        assert line.startswith("bananasd: ")
        assert daemon.lines("reload refused", problem)
    assert daemon.board.head[Head.RELOADS_BEGUN] == 1
    assert daemon.is_up()


@pytest.fixture
def daemon(make_daemon) -> Daemon:
    return make_daemon(settings={"workers": {"count": 1}}).start()


def test_a_good_reload_says_so_when_the_new_workers_are_up(daemon):
    before = workers(daemon)
    write_handler(daemon, "from bananasd import handler\n@handler('new')\ndef new(job):\n    return 2\n")
    done = reload(daemon)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded\n", "")
    assert daemon.lines("reload done")
    with daemon.client() as client:
        assert client.wait(client.submit_job("new", None), 30).result == 2
    wait_until(lambda: len(workers(daemon)) == 1)
    assert not set(workers(daemon)) & set(before)


def test_toml_that_does_not_parse_is_told_here_and_in_the_daemons_log(daemon):
    before = workers(daemon)
    reconfigure(daemon, "[workers]", "[workers")
    assert_refused(daemon, reload(daemon), "bananas.toml: not valid TOML: ")
    assert workers(daemon) == before


def test_every_wrong_setting_is_told_here_and_in_the_daemons_log(daemon):
    before = workers(daemon)
    reconfigure(daemon, "count = 1", 'cuont = 2\ntimeout_seconds = "x"')
    done = reload(daemon)
    assert_refused(
        daemon, done, "workers.cuont: unknown key; did you mean 'count'?", "workers.timeout_seconds: "
    )
    assert workers(daemon) == before


def test_every_broken_handler_is_told_here_and_in_the_daemons_log(daemon):
    before = workers(daemon)
    write_handler(daemon, "x = (\n")
    (daemon.directory / "handlers" / "another.py").write_text("import nonsense\n")
    assert_refused(daemon, reload(daemon), "written.py:1", "No module named 'nonsense'")
    assert workers(daemon) == before


def test_a_setting_that_cannot_change_is_refused_by_name(daemon):
    reconfigure(daemon, 'state_dir = "state"', 'state_dir = "elsewhere"\nnamespace = "other"')
    done = reload(daemon)
    assert_refused(daemon, done, "state_dir: cannot change without", "namespace: cannot change without")


def test_after_a_refusal_the_mended_configuration_is_taken_up(daemon):
    reconfigure(daemon, "count = 1", "count = -1")
    assert reload(daemon).returncode == 78
    reconfigure(daemon, "count = -1", "count = 2")
    assert reload(daemon).returncode == 0
    wait_until(lambda: len(workers(daemon)) == 2)


def test_without_a_daemon_a_good_configuration_is_1_and_a_broken_one_78(make_daemon):
    daemon = make_daemon()
    done = reload(daemon)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bananasd: no daemon is running on {daemon.run_dir}")
    reconfigure(daemon, "count = 2", "cuont = 2\nqueues = 7")
    done = reload(daemon)
    assert (done.returncode, done.stdout) == (78, "")
    cuont, queues, absent = done.stderr.splitlines()
    assert "workers.cuont" in cuont
    assert "workers.queues" in queues
    assert f"no daemon is running on {daemon.run_dir}" in absent


def test_a_file_that_is_gone_is_78(daemon):
    done = reload(daemon, config=daemon.directory / "missing.toml", XDG_RUNTIME_DIR=str(daemon.directory))
    assert done.returncode == 78
    assert "missing.toml: cannot be read" in done.stderr.splitlines()[0]


def test_what_is_wrong_only_where_the_command_is_called_is_78_though_the_daemon_has_reloaded(daemon):
    done = reload(daemon, BANANAS_REDIS_URL="nonsense")
    assert done.returncode == 78
    wrong, reloaded = done.stderr.splitlines()
    assert "$BANANAS_REDIS_URL" in wrong
    assert reloaded == "bananasd: the daemon has reloaded, but from a configuration of its own"
    assert daemon.lines("reload done")


def test_a_reload_that_takes_too_long_is_75_and_goes_on(daemon):
    gate = daemon.directory / "gate"
    write_handler(daemon, f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n")
    done = reload(daemon, "--timeout", "0.1")
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == f"bananasd: the daemon (pid {daemon.pid}) still reloads after 0.1 s; see its log\n"
    gate.touch()
    wait_until(lambda: daemon.lines("reload done"))


def test_a_stopped_daemon_is_1_at_once(daemon):
    halt(daemon.pid)
    done = reload(daemon)
    os.kill(daemon.pid, signal.SIGCONT)
    assert done.returncode == 1
    assert f"'kill -CONT {daemon.pid}' lets it go on" in done.stderr


def test_a_daemon_that_stops_meanwhile_is_1_or_78_with_the_reason(daemon):
    write_handler(daemon, "import time\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "bananasd", "reload", "--config", str(daemon.config)]
    board = daemon.board
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=daemon.directory)
    wait_until(lambda: board.head[Head.RELOADS_BEGUN] == 1)
    assert daemon.stop() == 0
    _, told = process.communicate(timeout=20)
    assert process.returncode in (1, 78)
    assert "stop" in told
