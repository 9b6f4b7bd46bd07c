"""``python -m bananasd``, which is the command ``bananasd``."""

import logging
import os
import sys
import threading
from contextlib import suppress

from .cli import main


def run() -> None:
    """The command line. It waits for no thread that a handler's module has started: nor does a worker."""
    try:
        main()
    except SystemExit as end:
        if any(
            not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()
        ):
            _end_now(end.code if isinstance(end.code, int) else 0)
        raise


def _end_now(status: int) -> None:
    """The interpreter's own end would wait, before it does anything else."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
