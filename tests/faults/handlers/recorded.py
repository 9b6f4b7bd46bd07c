"""Handlers of the fault suite: each run leaves its start and its end in the ledger, whatever comes in between."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import _batches
import _fail_points
from _scene import LEDGER

from bananasd import GiveUp, RetryLater, handler

INTERPRETER = ctypes.PyDLL(None)
"""What is called through it keeps the interpreter's lock, as a C extension that hangs does."""


leaked = []


def write(job, what):
    """One line, written at once."""
    line = f"{job.id} {job.run} {job.attempt} {os.getpid()} {what} {time.monotonic()}\n"
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@contextlib.contextmanager
def recorded(job):
    """Write down that the run begins, that another one has not ended, and how this one ends."""
    if job.run > 1 and runs_elsewhere(job):
        write(job, "overlap")
    write(job, "start")
    try:
        yield
    except BaseException as error:
        write(job, type(error).__name__)
        raise
    write(job, "end")


def runs_elsewhere(job):
    """Whether a process is alive in which an earlier run has begun and not ended."""
    running = {}
    for line in Path(LEDGER).read_text().splitlines():
        if not line.startswith(job.id):
            continue
        _, run, _, pid, what, _ = line.split()
        if what != "overlap" and not what.startswith("subprocess-"):
            running[run] = int(pid) if what == "start" else 0
    return any(is_alive(pid) for pid in running.values() if pid)


def is_alive(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def is_over(job):
    return os.path.exists(job.payload["until"])


@handler("nothing")
def run_nothing(_job):
    """Not recorded: to write a line takes as long as a job that a worker claims one by one."""


@handler("brief")
def run_brief(job):
    with recorded(job):
        time.sleep(job.payload.get("seconds", 0))


@handler("tells the time")
def run_clock(job):
    with recorded(job):
        return time.time()


@handler("raises at first")
def run_raising(job):
    with recorded(job):
        if job.attempt == 1:
            raise RuntimeError


@handler("fragile")
def run_fragile(job):
    with recorded(job):
        _fail_points.reach("in its handler", job.run)


@handler("hold")
def run_hold(job):
    with recorded(job), _batches.long_job():
        while not is_over(job):
            time.sleep(0.005)


@handler("fails twice")
def run_failing_twice(job):
    with recorded(job):
        if job.attempt <= 2:
            raise ValueError("as it was told")


@handler("leaks")
def run_leak(job):
    with recorded(job):
        leaked.append(b"x" * job.payload["mb"] * 1_000_000)


@handler("give up")
def run_give_up(job):
    with recorded(job):
        raise GiveUp("as it was told")


@handler("fails once")
def run_failing_once(job):
    with recorded(job):
        job.set_progress(1)
        if job.attempt == 1:
            raise RetryLater(0)


# Handlers whose end is no text, or too long: not recorded, for they come to their end and their jobs fail


@handler("returns 10 MiB")
def return_much(_job):
    return "x" * (10 * 1024 * 1024)


@handler("returns no text")
def return_no_text(_job):
    return "\udcff"


@handler("fails without text")
def fail_without_text(_job):
    raise ValueError("\udcff\x00")


# Handlers that nothing but a kill can end, until a file is there


@handler("ignores signals")
def run_ignoring_signals(job):
    with recorded(job):
        if not is_over(job):
            for signum in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(signum, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.Signals)
            time.sleep(1000)


@handler("holds the interpreter")
def run_holding_the_interpreter(job):
    with recorded(job):
        if not is_over(job):
            # A lock that is taken twice: no signal ends that wait.
            mutex = ctypes.create_string_buffer(64)
            INTERPRETER.pthread_mutex_lock(mutex)
            INTERPRETER.pthread_mutex_lock(mutex)


@handler("loops")
def run_loop(job):
    with recorded(job):
        while not is_over(job):
            pass


@handler("swallows everything")
def run_swallowing(job):
    with recorded(job):
        while not is_over(job):
            with contextlib.suppress(BaseException):
                time.sleep(1000)


@handler("has a stubborn subprocess")
def run_with_subprocess(job):
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    with recorded(job):
        if not is_over(job):
            child = subprocess.Popen([sys.executable, "-c", program])
            write(job, f"subprocess-{child.pid}")
            while True:
                with contextlib.suppress(BaseException):
                    child.wait()


@handler("sleeps")
def run_sleep(job):
    with recorded(job):
        time.sleep(1000)


# Handlers that take their worker along


@handler("segfaults")
def run_segfault(job):
    with recorded(job):
        ctypes.string_at(0)


@handler("exits")
def run_exit(job):
    with recorded(job):
        os._exit(3)


@handler("eats memory")
def run_eater(job):
    """More than it is killed for, and less than harms others if that takes long."""
    eaten = []
    with recorded(job):
        while True:
            if len(eaten) < 80:
                eaten.append(b"x" * 4_000_000)
            time.sleep(0.005)
