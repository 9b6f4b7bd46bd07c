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
    """Those that this process waits for. Of one place there is at most one: a name server that is lost answers no other either.

    What a name server has said holds until it says something else, so one that is lost, or slower than who asks can wait,
    ends nothing that went well.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Addresses] = {}
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

    def patience(self, host: str, port: int, deadline: float) -> float:
        """Until when to wait for it: what is known already needs time to be tried."""
        left = clock.remaining(deadline)
        return clock.deadline_in(left / 2 if (host, port) in self._known else left)

    def last_known(self, host: str, port: int) -> Addresses:
        """What to take if it has not ended by then. Raises TimeoutError if there is nothing."""
        try:
            return self._known[host, port]
        except KeyError:
            raise TimeoutError(f"the name server did not answer in time where {host!r} is") from None

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
            addresses = self._known[host, port] = self._ask_anew(host, port)
        except (OSError, UnicodeError) as error:
            self._known.pop((host, port), None)
            self._under_way.pop((host, port), None)
            found.set_exception(error)
        else:
            self._under_way.pop((host, port), None)
            found.set_result(addresses)
        # The error's traceback leads here: with this circle all who wait would live on until it is collected.
        del found

    def _ask_anew(self, host: str, port: int) -> Addresses:
        try:
            return _ask(host, port)
        except socket.gaierror as error:
            # So the system calls it when no name server has answered.
            if error.errno == socket.EAI_AGAIN and (host, port) in self._known:
                return self._known[host, port]
            raise

    def _forget(self) -> None:
        """A process that was forked has none of the threads, and maybe a lock that one of them held."""
        self._lock = RLock()
        self._under_way: dict[tuple[str, int], _Lookup] = {}


LOOKUPS = _Lookups()


def find(host: str, port: int, deadline: float) -> Addresses:
    """Raises OSError or UnicodeError if there is no such name, TimeoutError if nobody could say so in time."""
    try:
        return LOOKUPS.begin(host, port).result(clock.remaining(LOOKUPS.patience(host, port, deadline)))
    except TimeoutError:
        return LOOKUPS.last_known(host, port)


def _ask(host: str, port: int, flags: int = 0) -> Addresses:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)


def _found(addresses: Addresses) -> Future[Addresses]:
    found: Future[Addresses] = Future()
    found.set_result(addresses)
    return found
