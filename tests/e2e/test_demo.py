"""The demo, where it does not end as it should."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import wait_until

SAMPLES = Path(__file__).parents[2] / "handlers"
GIVES_UP = """
from bananasd import GiveUp, handler

@handler("user_signup")
def user_signup(job):
    raise GiveUp("nobody may sign up today")
"""
RUN = "import sys; from pathlib import Path; from bananasd import demo; {change}; sys.exit(demo.run())"


@pytest.fixture
def place():
    """Where a demo makes its directory. Short, unlike pytest's: a socket lies in it."""
    place = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    yield place
    shutil.rmtree(place)


def start(place, change="pass"):
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(change=change)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(place)},
    )  # fmt: skip


def test_a_job_that_does_not_complete_is_shown_with_its_reason_and_fails_the_demo(place):
    handlers = shutil.copytree(SAMPLES, place / "handlers")
    (handlers / "user_signup.py").write_text(GIVES_UP)
    process = start(place, f"demo.samples_directory = lambda: Path({str(handlers)!r})")
    told, errors = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "user_signup failed: the handler gave up: nobody may sign up today" in told
    assert "3 of 4 completed" in told
    assert "The daemon's log:" in errors


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_told_to_end_leaves_nothing_behind(place, signum):
    process = start(place)
    wait_until(lambda: list(place.glob("*/run/*.board")))
    process.send_signal(signum)
    process.communicate(timeout=20)
    assert process.returncode == -signum
    assert list(place.iterdir()) == []


def test_on_a_terminal_there_is_time_to_look_at_the_dashboard_until_enter(place):
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(change="pass")],
        stdin=its_end, stdout=its_end, stderr=its_end, env={**os.environ, "TMPDIR": str(place)},
    )  # fmt: skip
    os.close(its_end)
    told = read_until(terminal, "with Enter.")
    (address,) = re.findall(r"http://[\d.:]+/", told)
    wait_until(lambda: is_ready(address))
    assert process.poll() is None
    os.write(terminal, b"\n")
    told = read_until(terminal, " in all")
    assert "4 of 4 completed" in told
    assert process.wait(20) == 0
    os.close(terminal)


def test_without_the_extra_there_is_no_dashboard_and_nothing_is_missed(place):
    change = "from bananasd import demo_dashboard; demo_dashboard.LIBRARIES = ('no_such_library',)"
    told, _ = start(place, change).communicate(timeout=40)
    assert "4 of 4 completed" in told
    assert "dashboard" not in told


def is_ready(address):
    try:
        with urllib.request.urlopen(f"{address}readyz", timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def read_until(terminal, words):
    """What is told until then."""
    told = b""
    while words.encode() not in told:
        told += os.read(terminal, 4096)
    return told.decode()
