"""The end of a process in words."""

import pytest

from bananasd.processes.exits import describe_wait_status


@pytest.mark.parametrize(
    ("wait_status", "text"),
    [
        (0, "exit status 0"),
        (3 << 8, "exit status 3"),
        (9, "signal 9 (SIGKILL)"),
        (11 | 128, "signal 11 (SIGSEGV)"),
        (40, "signal 40"),
    ],
)
def test_an_end_is_described(wait_status, text):
    assert describe_wait_status(wait_status) == text
