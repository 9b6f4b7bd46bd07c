"""What the end of a process means, in numbers that the master acts on and in words for people."""

import os
import signal

SOFTWARE = 70
"""It failed in a way that nobody foresaw."""

CONFIG = 78
"""It can never work: its configuration or its handlers are broken."""


def describe_wait_status(wait_status: int) -> str:
    """``exit status 3`` or ``signal 11 (SIGSEGV)``."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
