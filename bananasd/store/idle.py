"""Connections that have come back, and the calls that wait for one."""

import socket
import threading
from collections import deque
from errno import EMFILE, ENFILE

from .. import clock
from .connection import HeldConnection
from .wire import Waits

MAX_IDLE = 10
"""How many are kept. Those of a burst would each hold a file here and at the server for ever, and another is opened in
less than a millisecond."""
LOOK_SECONDS = 0.05
"""How often a call looks whether it has been given one: threads and tasks have no other waiting in common."""
RETRY_SECONDS = 0.5
"""After which a call tries to open one of its own again, for files may have become free that are not ours."""


class Idle:
    """Those that have come back, for the next call: first for those that wait, the longest first."""

    def __init__(self) -> None:
        self._idle: deque[HeldConnection] = deque()
        self._turns: deque[_Turn] = deque()
        # A signal's handler may call as well, in the middle of another call of its thread.
        self._lock = threading.RLock()

    def take(self) -> HeldConnection | None:
        """The latest, whose server is the most likely to know it still; None if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def put(self, connection: HeldConnection) -> None:
        """It has come back."""
        with self._lock:
            if self._turns:
                self._turns.popleft().given = connection
                return
            if len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def wait(self, waits: Waits, deadline: float) -> HeldConnection | None:
        """The next that comes back for us; None when it is time to try to open one, or to give up."""
        turn = _Turn()
        with self._lock:
            if connection := self.take():
                return connection
            self._turns.append(turn)
        retry_at = min(deadline, clock.deadline_in(RETRY_SECONDS))
        try:
            while turn.given is None and (left := clock.remaining(retry_at)) > 0:
                waits.sleep(min(left, LOOK_SECONDS))
        except BaseException:
            # A cancellation, or a signal's handler that raises: it is the next one's.
            if connection := self._end(turn):
                self.put(connection)
            raise
        return self._end(turn)

    def _end(self, turn: "_Turn") -> HeldConnection | None:
        with self._lock:
            if turn.given is None:
                self._turns.remove(turn)
            return turn.given


class _Turn:
    """The place of a call in the row."""

    given: HeldConnection | None = None


def are_files_left() -> bool:
    """Whether this process can open a file: what failed for want of one does not always say so, as the lookup of a name."""
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno not in (EMFILE, ENFILE)
    return True
