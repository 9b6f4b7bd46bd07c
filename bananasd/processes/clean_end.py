"""A program that is told to end, and has something to put away first."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn


@contextmanager
def clean_end() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as an exception does, and then the process as they always would."""
    # What is ignored, as under nohup, still will be.
    before = {
        signum: handler
        for signum in (signal.SIGTERM, signal.SIGHUP)
        if (handler := signal.getsignal(signum)) != signal.SIG_IGN
    }
    received: list[int] = []

    def end(signum: int, _frame: FrameType | None) -> NoReturn:
        _set(dict.fromkeys(before, signal.SIG_IGN))  # the putting away is not to be broken off
        received.append(signum)
        raise SystemExit

    _set(dict.fromkeys(before, end))
    try:
        yield
    finally:
        _set(before)
        if received:
            os.kill(os.getpid(), received[0])


def _set(handlers: Mapping[signal.Signals, Any]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
