"""What a handler forks is no worker: signals end it as they end any other process, and it speaks for nobody."""

import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NoReturn


def guard(signums: Collection[signal.Signals], renounce: Callable[[], None]) -> None:
    """From now on call ``renounce`` in every process forked from this one, and give these signals their defaults.

    They are blocked meanwhile. One that comes to the new process at once would find the handler of its parent, and
    an exception that comes out of the hooks here would be swallowed.
    """

    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signums)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signums)

    def begin() -> None:
        signal.set_wakeup_fd(-1)
        for signum in signums:
            signal.signal(signum, signal.SIG_DFL)
        renounce()
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=begin)


def end_copy() -> NoReturn:
    """What a handler or a hook has forked came back from there: it must not go on as a second worker of this name."""
    error = sys.exception()
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
