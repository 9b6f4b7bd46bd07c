"""A socket all of whose waits end by one deadline: the system's own limit begins anew with every byte that comes."""

import socket
from typing import Any

from ..clock import monotonic

SLACK_SECONDS = 0.01
"""How much longer than what is left the socket's own limit may be: to set it anew is a system call."""


class TimedSocket:
    """A connected socket as redis-py uses one, with the instant by which whatever is under way has to be over."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self._seconds = 0.0

    def send_until(self, deadline: float, data: bytes) -> None:
        """Send everything; what is received from now on has the same deadline. Raises TimeoutError when it has passed."""
        self._deadline = deadline
        left = deadline - monotonic()
        if not left <= self._seconds <= left + SLACK_SECONDS:
            self._set_limit(left)
        # Python's own has one limit for all that it is given.
        self._socket.sendall(data)

    def receive_until(self, deadline: float) -> None:
        """Have a new deadline for what is received from now on."""
        self._deadline = deadline

    def recv_into(self, buffer: Any) -> int:
        """Receive what there is, wait if there is nothing. Raises TimeoutError at the deadline."""
        left = self._deadline - monotonic()
        if not left <= self._seconds <= left + SLACK_SECONDS:
            self._set_limit(left)
        return self._socket.recv_into(buffer)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the socket's own: AUTH and SELECT are sent within the limit of the connect."""
        return getattr(self._socket, name)

    def _set_limit(self, left: float) -> None:
        if left <= 0:
            raise TimeoutError("the time was over")
        self._seconds = left + SLACK_SECONDS / 2
        self._socket.settimeout(self._seconds)
