"""What the embedded server prints, as lines of our log: in its form, and at the level that they deserve."""

import fcntl
import logging
import os
import re
from contextlib import suppress

from ..repeats import Repeats

PIPE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16

_LINE = re.compile(r"\d+:(?:\w \d+ \w+ \d+ [\d:.]+ [.\-*#]|signal-handler \(\d+\)) (.*)")
"""``PID:ROLE DATE LEVEL TEXT``; its signal handler leaves most of that out."""
_ROUTINE = re.compile(
    r"oO0Oo|(?:Redis|Valkey) version=|Configuration loaded|Server initialized|WARNING Memory overcommit"
    r"|Received SIG(?:TERM|INT) scheduling shutdown|User requested shutdown|(?:Redis|Valkey) is now ready to exit"
)
"""What it prints as warnings when all is well. Overcommit is how nearly every host is set; it matters when memory is short."""

logger = logging.getLogger(__name__)


class ServerLog:
    """A pipe: the server has the one end, also the next one after its death, and the master reads the other."""

    def __init__(self) -> None:
        # A server that met a full pipe would stand still: what a master that does not read has no room for is lost.
        self._reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # there is a limit to it for each user
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._rest = b""
        self._repeats = Repeats[str]()

    def take(self) -> None:
        """Log what it has printed since the last time."""
        with suppress(BlockingIOError):
            *lines, self._rest = (self._rest + os.read(self._reader, PIPE_BYTES)).split(b"\n")
            self._rest = self._rest[-MAX_LINE_BYTES:]
            for line in lines:
                self._log(line.decode("utf-8", "replace").rstrip())
        for text, again in self._repeats.due():
            logger.warning("server says again times=%d seconds=%.0f: %s", again.times, again.seconds, text)

    def close(self) -> None:
        """In a process that is neither."""
        os.close(self._reader)
        os.close(self.writer)

    def _log(self, line: str) -> None:
        found = _LINE.fullmatch(line)
        text = found[1] if found else line
        if not text:
            return
        if _ROUTINE.search(text):
            logger.info("server says: %s", text)
        elif self._repeats.note(text):
            # Of a server that cannot start: the next one will say the same.
            logger.warning("server says: %s", text)
