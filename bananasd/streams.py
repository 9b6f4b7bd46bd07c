"""Standard streams that were closed by whoever started this process: what is opened next must not take their place."""

import os
import sys


def open_missing() -> None:
    """Let the standard streams that are missing lead to nowhere, for this process and those that it starts."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _open_null(descriptor)
            # Line by line: it may be made to lead to a log file later.
            stream = open(descriptor, mode, 1, "utf-8", "replace", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


def _open_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(null, descriptor)
        os.close(null)
