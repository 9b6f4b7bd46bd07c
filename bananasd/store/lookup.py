"""From the name of a host to its addresses: the system's lookup heeds no time limit, so a thread of its own waits for it."""

import os
import socket
from concurrent.futures import Future
from contextlib import suppress
from threading import RLock, Thread
from typing import NamedTuple

from .. import clock
from .known_addresses import Addresses, KnownAddresses

PATIENCE_SECONDS = 1.0
"""For how long a name server is waited for that is asked where something is that this process has found before."""

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


class _Lookup(NamedTuple):
    began: float
    thread: Thread
    found: Future[Addresses]


class _Lookups:
    """Those that this process waits for. Of one place there is at most one: a name server that is lost answers no other either.

    What a name server has said holds until it says something else, so one that is lost, or slower than who asks can wait,
    ends nothing that went well.
    """

    def __init__(self) -> None:
        self.known = KnownAddresses()
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
        """Until when to wait for it: what is known already needs time to be tried.

        Soon, if this process has been there. What only others know is tried later, for the server may have moved since.
        """
        lookup = self._under_way.get((host, port))
        if lookup is None or self.known.get(host, port) is None:
            return deadline
        half = clock.deadline_in(clock.remaining(deadline) / 2)
        return min(lookup.began + PATIENCE_SECONDS, half) if self.known.has_found(host, port) else half

    def last_known(self, host: str, port: int) -> Addresses:
        """What to take if it has not ended by then. Raises TimeoutError if there is nothing."""
        if known := self.known.get(host, port):
            return known
        raise TimeoutError(f"the name server did not answer in time where {host!r} is")

    def _start(self, host: str, port: int) -> _Lookup:
        found: Future[Addresses] = Future()
        found.set_running_or_notify_cancel()
        thread = Thread(target=self._look_up, args=(host, port, found), name="lookup", daemon=True)
        lookup = self._under_way[host, port] = _Lookup(clock.monotonic(), thread, found)
        try:
            thread.start()
        except RuntimeError:
            # There can be no more of them, or the interpreter ends: if need be this one waits, for as long as it takes.
            self._do_without_thread(host, port, found)
        return lookup

    def _do_without_thread(self, host: str, port: int, found: Future[Addresses]) -> None:
        if known := self.known.get(host, port):
            self._under_way.pop((host, port), None)
            found.set_result(known)
        else:
            self._look_up(host, port, found)

    def _look_up(self, host: str, port: int, found: Future[Addresses]) -> None:
        try:
            addresses = self._ask_anew(host, port)
        except OSError as error:
            self._under_way.pop((host, port), None)
            found.set_exception(error)
        else:
            self._under_way.pop((host, port), None)
            found.set_result(addresses)
        # The error's traceback leads here: with this circle all who wait would live on until it is collected.
        del found

    def _ask_anew(self, host: str, port: int) -> Addresses:
        try:
            addresses = _ask(host, port)
        except OSError as error:
            if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
                self.known.drop(host, port)
            elif known := self.known.get(host, port):
                return known
            raise
        self.known.put(host, port, addresses)
        return addresses

    def _forget(self) -> None:
        """A process that was forked has none of the threads, and maybe a lock that one of them held."""
        self._lock = RLock()
        self._under_way: dict[tuple[str, int], _Lookup] = {}


LOOKUPS = _Lookups()


def find(host: str, port: int, deadline: float) -> Addresses:
    """Raises OSError or UnicodeError if there is no such name, TimeoutError if nobody could say so in time."""
    try:
        # In no variable, which the error's traceback would lead back to.
        return LOOKUPS.begin(host, port).result(clock.remaining(LOOKUPS.patience(host, port, deadline)))
    except TimeoutError:
        return LOOKUPS.last_known(host, port)


def _ask(host: str, port: int, flags: int = 0) -> Addresses:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)


def _found(addresses: Addresses) -> Future[Addresses]:
    found: Future[Addresses] = Future()
    found.set_result(addresses)
    return found
