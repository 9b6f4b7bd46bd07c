"""Signals as data."""

import os
import signal
import threading
import time

import pytest

from bananasd.processes.inbox import Inbox

USR1, USR2 = signal.SIGUSR1, signal.SIGUSR2


@pytest.fixture
def inbox():
    before = {signum: signal.getsignal(signum) for signum in (USR1, USR2)}
    inbox = Inbox([USR1, USR2])
    yield inbox
    inbox.close()
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_signals_are_kept_until_they_are_taken(inbox):
    for signum in (USR1, USR2, USR1):
        os.kill(os.getpid(), signum)
    assert inbox.take() == [USR1, USR2, USR1]
    assert inbox.take() == []


def test_a_signal_ends_the_wait(inbox):
    began = time.monotonic()
    threading.Timer(0.05, os.kill, [os.getpid(), USR1]).start()
    assert inbox.wait(30) == [USR1]
    assert time.monotonic() - began < 25


def test_a_signal_that_came_before_the_wait_ends_it_too(inbox):
    os.kill(os.getpid(), USR2)
    assert inbox.wait(30) == [USR2]


def test_without_a_signal_the_wait_ends_in_time(inbox):
    began = time.monotonic()
    assert inbox.wait(0.05) == []
    assert 0.04 < time.monotonic() - began < 30
    assert inbox.wait(0) == []


def test_more_signals_than_the_pipe_holds_do_not_block_and_fill_no_memory(inbox):
    for _ in range(70_000):
        signal.raise_signal(USR1)
    signal.raise_signal(USR2)
    assert sorted(inbox.take()) == [USR1, USR1, USR2]


def test_a_library_that_takes_the_wakeup_descriptor_loses_no_signal(inbox):
    signal.set_wakeup_fd(-1)
    os.kill(os.getpid(), USR1)
    assert inbox.wait(30) == [USR1]


def test_it_can_be_polled(inbox):
    os.kill(os.getpid(), USR1)
    assert os.read(inbox.fileno(), 1) == bytes([USR1])


def test_a_closed_inbox_may_leave_its_signals_ignored():
    before = signal.getsignal(USR1)
    Inbox([USR1]).close(then=signal.SIG_IGN)
    os.kill(os.getpid(), USR1)
    assert signal.getsignal(USR1) is signal.SIG_IGN
    signal.signal(USR1, before)


def test_a_closed_inbox_leaves_the_defaults():
    before = signal.getsignal(USR1)
    inbox = Inbox([USR1])
    inbox.close()
    assert signal.getsignal(USR1) is signal.SIG_DFL
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(inbox.fileno())
    signal.signal(USR1, before)
