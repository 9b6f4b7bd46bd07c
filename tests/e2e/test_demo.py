"""The demo, where it does not end as it should."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
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
