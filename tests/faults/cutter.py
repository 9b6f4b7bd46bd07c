"""Cuts a call to the store in this process: before it is sent, half way, or after it ran and before its reply.

All calls go through one method, so whatever is sent is known here, by name, without a list of it.
"""

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import bananasd.store
from bananasd.store.connection import HeldConnection
from bananasd.store.scripts import script

LUA = Path(bananasd.store.__file__).parent / "lua"
SCRIPTS = sorted(path.stem for path in LUA.glob("*.lua"))
DIGESTS = {script(name).digest: name for name in SCRIPTS}
IN_FULL = " in full"
REALLY_SEND = HeldConnection._send

UNSENT, HALF, UNANSWERED = "unsent", "half", "unanswered"
"""HALF: of the commands that travel together the first one runs, the others are not sent."""


class Call(NamedTuple):
    """The ``number``-th call of this kind that somebody makes: "worker", "complete+claim", 2."""

    who: str
    what: str
    number: int

    @property
    def modes(self) -> tuple[str, ...]:
        return (UNSENT, HALF, UNANSWERED) if "+" in self.what else (UNSENT, UNANSWERED)


class Cutter:
    """Notes every call that is made ``by`` somebody, and cuts those of ``wanted``; ``look`` is called after each cut."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.wanted: dict[Call, str] = {}
        self.sent: list[Call] = []
        self.cut: list[Call] = []
        self._look = look
        self._who = ""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._unseen = threading.local()

    @contextmanager
    def by(self, who: str) -> Iterator[None]:
        """Whose calls the main thread makes now; the helper of a worker is known by its thread."""
        before, self._who = self._who, who
        try:
            yield
        finally:
            self._who = before

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """What this thread sends now is a test's."""
        self._unseen.is_on = True
        try:
            yield
        finally:
            self._unseen.is_on = False

    def send(self, connection: HeldConnection, deadline: float, commands: Sequence[tuple]) -> None:
        """In place of `HeldConnection._send`."""
        call = self._note(commands)
        mode = self.wanted.pop(call, None) if call else None
        if mode is None:
            return REALLY_SEND(connection, deadline, commands)
        if mode == UNSENT:
            if not connection.wire.is_open:
                connection._connect(deadline)
            connection.wire.sock.shutdown(socket.SHUT_RDWR)
        else:
            REALLY_SEND(connection, deadline, commands[:1] if mode == HALF else commands)
            _swallow_replies(connection.wire.sock)
        self.cut.append(call)
        self._look()
        if mode == UNSENT:
            REALLY_SEND(connection, deadline, commands)
        return None

    def _note(self, commands: Sequence[tuple]) -> Call | None:
        who = "helper" if threading.current_thread().name == "helper" else self._who
        if not who or getattr(self._unseen, "is_on", False):
            return None
        what = "+".join(dict.fromkeys(map(kind_of, commands)))
        with self._lock:
            self._counts[who, what] += 1
            call = Call(who, what, self._counts[who, what])
            self.sent.append(call)
        return call


def kind_of(command: tuple) -> str:
    """A script by its name, anything else by its command."""
    if command[0] == "EVALSHA":
        return DIGESTS[command[1]]
    if command[0] == "EVAL":
        return DIGESTS[hashlib.sha1(command[1].encode(), usedforsecurity=False).hexdigest()] + IN_FULL
    return command[0]


def _swallow_replies(sock: socket.socket) -> None:
    """Wait until the server has carried out all that it was sent: it ends the connection after that."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass
