"""``python -m bananasd``, which is the command ``bananasd``."""

import logging
import os
import sys
import threading
import traceback
from contextlib import suppress

from .cli import main


def run() -> None:
    """The command line. It waits for no thread that a handler's module has started: nor does a worker."""
    try:
        main()
    except BaseException as end:
        if all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            raise
        _end_now(_status(end))


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
    """The interpreter's own end would wait, before it does anything else."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
