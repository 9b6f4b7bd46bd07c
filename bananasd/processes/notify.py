"""What systemd is told: readiness, a line of status, and that the loop still turns."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from .. import clock


class Notifier:
    """Speaks to the socket that systemd names in the environment; silent where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog_seconds = self._read_watchdog(environ)
        self._next_watchdog = 0.0
        self._last_status = ""

    def ready(self) -> None:
        """All children are up."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={clock.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The drain has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``; sent when it has changed."""
        if text != self._last_status:
            self._last_status = text
            self._send(f"STATUS={text}")

    def still_alive(self) -> None:
        """Feed the watchdog, twice as often as it asks for."""
        if self._watchdog_seconds and clock.monotonic() >= self._next_watchdog:
            self._next_watchdog = clock.deadline_in(self._watchdog_seconds / 2)
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # An abstract address is written with @ for its leading zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A supervisor that does not listen is no reason to stop working.
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
        ):
            sender.sendto(message.encode(), address)

    @staticmethod
    def _read_watchdog(environ: Mapping[str, str]) -> float:
        if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return 0.0
        try:
            return int(environ.get("WATCHDOG_USEC", "0")) / 1_000_000
        except ValueError:
            return 0.0
