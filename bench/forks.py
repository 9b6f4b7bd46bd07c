"""Work done in several processes at once, as workers and clients are processes."""

import os
import struct
import sys
import traceback
from collections.abc import Callable
from functools import partial

from .errors import BenchError

NUMBER = struct.Struct("d")


def start_child(work: Callable[[], object]) -> int:
    """Fork a child that does this and ends; its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - a child's top
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def in_children(count: int, work: Callable[[int], float]) -> list[float]:
    """Do the work in so many children, each told its number; what they return, in any order."""
    reader, writer = os.pipe()

    def tell(number: int) -> None:
        os.write(writer, NUMBER.pack(work(number)))

    pids = [start_child(partial(tell, number)) for number in range(count)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        results = [result for (result,) in NUMBER.iter_unpack(told.read())]
    if any(statuses):
        raise BenchError(f"children of the benchmark ended with {statuses}; what went wrong stands above")
    return results
