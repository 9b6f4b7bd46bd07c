"""Modules of handlers that end their process while they are imported: they are named before they do."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from .handlers import PACKAGE


@contextmanager
def sudden_exits_told(tell: Callable[[str], None], broken: int) -> Iterator[None]:
    """Have ``os._exit`` tell which module calls it while handlers are loaded in here: after it nobody could.

    Then it ends the process as that of a module which cannot be loaded, with the status ``broken``: a 0 would be taken for
    good news. A process that a module forks ends as it likes.
    """
    end, pid = os._exit, os.getpid()

    def tell_and_end(status: int) -> NoReturn:
        # A module that has imported the name keeps this function for ever.
        is_loading = os._exit is tell_and_end and os.getpid() == pid
        place = _place(sys._getframe(1)) if is_loading else ""  # noqa: SLF001 - there is no other way to the stack
        if place:
            tell(f"{place}: os._exit({status}) while it is imported")
            end(broken)
        end(status)

    os._exit = tell_and_end
    try:
        yield
    finally:
        os._exit = end


def _place(frame: FrameType | None) -> str:
    """``FILE:LINE`` of the innermost code of a module of handlers; "" if none is at work."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
