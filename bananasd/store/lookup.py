"""From the name of a host to its addresses: the system's lookup heeds no time limit, so a thread of its own waits for it."""

import os
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import RLock, Thread
from typing import Any, NamedTuple

from .. import clock

Addresses = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]
"""As the system's lookup has them."""


class _Lookup(NamedTuple):
    thread: Thread
    found: Future[Addresses]


class _Lookups:
    """Those that this process waits for. Of one place there is at most one: a name server that is lost answers no other either."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def begin(self, host: str, port: int) -> Future[Addresses]:
        """What will be found, by a lookup that may have been begun before; an address in numbers is found at once.

        Nobody can cancel it, for others may wait for it too.
        """
        with suppress(socket.gaierror):
            return _found(_ask(host, port, socket.AI_NUMERICHOST))
        with self._lock:
            lookup = self._under_way.get((host, port))
            # One is not if something has broken in while it was started.
            if lookup is None or not lookup.thread.is_alive():
                lookup = self._start(host, port)
            return lookup.found

    def _start(self, host: str, port: int) -> _Lookup:
        found: Future[Addresses] = Future()
        found.set_running_or_notify_cancel()
        thread = Thread(target=self._look_up, args=(host, port, found), name="lookup", daemon=True)
        lookup = self._under_way[host, port] = _Lookup(thread, found)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(f"no thread to look up {host!r}: {error}") from None
        return lookup

    def _look_up(self, host: str, port: int, found: Future[Addresses]) -> None:
        try:
            addresses = _ask(host, port)
        except (OSError, UnicodeError) as error:
            self._under_way.pop((host, port), None)
            found.set_exception(error)
        else:
            self._under_way.pop((host, port), None)
            found.set_result(addresses)
        # The error's traceback leads here: with this circle all who wait would live on until it is collected.
        del found

    def _forget(self) -> None:
        """A process that was forked has none of the threads, and maybe a lock that one of them held."""
        self._lock = RLock()
        self._under_way: dict[tuple[str, int], _Lookup] = {}


begin = _Lookups().begin


def find(host: str, port: int, deadline: float) -> Addresses:
    """Raises OSError or UnicodeError if there is no such name, TimeoutError if nobody could say so in time."""
    try:
        return begin(host, port).result(clock.remaining(deadline))
    except TimeoutError:
        raise overdue(host) from None


def overdue(host: str) -> TimeoutError:
    """What to raise of a lookup that has not ended in time."""
    return TimeoutError(f"the name server did not answer in time where {host!r} is")


def _ask(host: str, port: int, flags: int = 0) -> Addresses:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)


def _found(addresses: Addresses) -> Future[Addresses]:
    found: Future[Addresses] = Future()
    found.set_result(addresses)
    return found
