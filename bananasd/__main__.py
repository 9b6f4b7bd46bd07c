"""``python -m bananasd``, which is the command ``bananasd``."""

import atexit
import logging
import os
import sys
import threading
import traceback
from contextlib import suppress

from . import streams
from .cli import main


def run() -> None:
    """The command line. Its process ends as soon as it is done.

    To take down the modules one by one would be a seventh of a short command's time. And a thread that a handler's module
    has started is not waited for: nor does a worker.
    """
    streams.open_missing()
    try:
        main()
    except BaseException as end:
        is_alone = all(
            thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()
        )
        if is_alone and not isinstance(end, SystemExit):
            raise
        status = _status(end)
        if is_alone:
            atexit._run_exitfuncs()  # noqa: SLF001 - what handlers' modules have registered
        _end_now(status)


def _status(end: BaseException) -> int:
    """What the interpreter would make of it."""
    if not isinstance(end, SystemExit):
        traceback.print_exception(end)
        return 1
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _end_now(status: int) -> None:
    """Leave nothing unwritten behind."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
