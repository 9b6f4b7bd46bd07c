"""The command's end, also while a thread of a handler's module goes on."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading, bananasd.__main__ as program
threading.Thread(target=threading.Event().wait).start()
program.main = lambda: {end}
program.run()
"""


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(78)", 78, ""),
        ("sys.exit('why')", 1, "why"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_no_thread_is_waited_for_and_the_status_is_the_one_that_it_would_be(end, status, told):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr.strip().rpartition("\n")[2]) == (status, told)


def test_what_is_registered_for_the_end_runs_and_what_it_prints_is_seen():
    program = """
import atexit, sys, bananasd.__main__ as program
atexit.register(print, "at last")
program.main = lambda: sys.exit(3)
program.run()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "at last\n", "")


def test_an_error_that_is_nobodys_status_is_told_as_the_interpreter_tells_it():
    program = """
import bananasd.__main__ as program
def main():
    raise KeyboardInterrupt
program.main = main
program.run()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.strip().rpartition("\n")[2]) == (
        -signal.SIGINT,
        "KeyboardInterrupt",
    )


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_nothing_fails_where_nobody_can_read_it(option):
    closed = ["sh", "-c", 'exec "$0" -m bananasd "$1" >&-', sys.executable, option]
    ended = subprocess.run(closed, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
