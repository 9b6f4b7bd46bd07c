"""``bananasd top`` in a terminal: it is drawn, follows what happens, and leaves the terminal as it was."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys
from tests.conftest import wait_until
from tests.daemon import Daemon

KEYS = Keys("default")
SCREEN_OFF = "\x1b[?1049l"


class Terminal:
    """A terminal in which ``top`` runs."""

    def __init__(self, daemon: Daemon, *, has_keyboard: bool = True) -> None:
        self.text = ""
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self.resize(24, 80)
        self.attributes = termios.tcgetattr(theirs)
        self._theirs = theirs
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bananasd", "top", "--config", str(daemon.config), "--interval", "0.1"],
            stdin=theirs if has_keyboard else subprocess.DEVNULL, stdout=theirs, stderr=theirs,
            cwd=daemon.directory, env=environment | {"TERM": "xterm"},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads
        )  # fmt: skip

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> str:
        """What has been drawn since the last look."""
        try:
            new = os.read(self._ours, 1 << 20).decode("utf-8", "replace")
        except (BlockingIOError, OSError):
            new = ""
        self.text += new
        return new

    def wait_for(self, pattern: str) -> None:
        """Until this is drawn, in what is drawn from now on."""
        self.text = ""
        wait_until(lambda: self.read() and re.search(pattern, self.text))

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait(self) -> int:
        wait_until(lambda: self.read() is not None and self.process.poll() is not None)
        self.read()
        return self.process.returncode

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self._theirs) == self.attributes

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def daemon(make_daemon) -> Daemon:
    return make_daemon(settings={"workers": {"count": 1}}).start()


@pytest.fixture
def top(daemon, request) -> Iterator[Terminal]:
    terminal = Terminal(daemon, has_keyboard=getattr(request, "param", True))
    yield terminal
    terminal.close()


@pytest.mark.parametrize("end", ["q", "Q", "\x03"])
def test_it_ends_on_a_key_and_leaves_the_terminal_as_it_was(top, end):
    top.wait_for("worker 0 .* UP ")
    assert not top.is_as_before
    top.press("x")
    top.wait_for("worker 0 .* UP ")
    top.press(end)
    assert top.wait() == 0
    assert SCREEN_OFF in top.text
    assert top.is_as_before


@pytest.mark.parametrize("top", [False], indirect=True)
def test_without_a_keyboard_it_is_drawn_until_ctrl_c(top):
    for _ in range(3):
        top.wait_for("worker 0 .* UP ")
        top.press("q")
    top.press("\x03")
    assert top.wait() == 0
    assert SCREEN_OFF in top.text


def test_a_ctrl_z_does_not_leave_its_shell_in_our_screen(top):
    top.wait_for("worker 0 .* UP ")
    top.press("\x1a")
    top.wait_for("worker 0 .* UP ")


def test_a_queue_whose_name_is_no_text_is_drawn(top, daemon):
    connection = HeldConnection(Server(daemon.url, 5))
    ready = f"{KEYS.prefix}ready:".encode() + b"zz\xff:high"
    connection.trip([("SADD", KEYS.queues, b"zz\xff"), ("RPUSH", ready, "x")])
    connection.close()
    top.wait_for("zz")
    top.press("q")
    assert top.wait() == 0


def test_it_is_drawn_anew_when_the_terminal_changes_its_size(top):
    top.wait_for("worker 0 .* UP ")
    top.resize(5, 60)
    top.wait_for("… and .* more lines")
    top.resize(40, 120)
    top.wait_for("worker 0 .* UP ")


def test_it_shows_jobs_as_they_come_and_go(daemon, top):
    until = daemon.directory / "until"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        client.submit_job("note", {}, queue="nobody")
        top.wait_for(f"queues: 1 ready, 1 processing(.|\n)*runs hold {job_id}")
        top.wait_for("a second: [0-9.]+ submitted, [0-9.]+ completed, 0.0 failed")
        until.touch()
        top.wait_for("queues: 1 ready, 0 processing(.|\n)* 0 busy(.|\n)*worker 0 .* UP +[^ ]+ +1 ")


def test_it_goes_on_while_redis_hangs_and_while_the_daemon_is_stopped_or_away(daemon, top):
    top.wait_for("queues: 0 ready(.|\n)*worker 0 .* UP ")
    (redis,) = daemon.children("redis")
    os.kill(redis.pid, signal.SIGSTOP)
    top.wait_for(r"queues: unix://(.|\n)*redis +\d+ +STOPPED(.|\n)*worker 0 .* UP ")
    os.kill(redis.pid, signal.SIGCONT)
    top.wait_for("queues: 0 ready")
    os.kill(daemon.pid, signal.SIGSTOP)
    top.wait_for(r"stopped while running(.|\n)*master +\d+ +STOPPED")
    os.kill(daemon.pid, signal.SIGCONT)
    top.wait_for(": running")
    daemon.stop()
    top.wait_for("queues: unix://(.|\n)*no daemon is running on")
    daemon.start()
    top.wait_for("queues: 0 ready(.|\n)*worker 0 .* UP ")
    top.press("q")
    assert top.wait() == 0
