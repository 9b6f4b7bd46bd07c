"""A gate between daemons and their server that knows who says what, and cuts one call: the sweep with real processes."""

import os
import socket
import struct
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from select import select

import hiredis

from bananasd.processes import procfs

from .cutter import UNSENT, Call, kind_of


class Gate:
    """Listens on a unix socket, whose other end tells which process speaks. Those of ``wanted`` are cut, once each.

    Unlike those of the `Cutter` its calls are single commands: of those that travel together the ones before go through.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.sent: list[Call] = []
        self.cut: list[Call] = []
        self._wanted: dict[Call, str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="bananasd-test-")
        path = f"{self._directory.name}/gate.sock"
        self.url = f"unix://{path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, wanted: dict[Call, str]) -> None:
        """Count from the beginning, and cut these calls."""
        with self._lock:
            self._counts.clear()
            self._wanted = dict(wanted)
            self.sent, self.cut = [], []

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._directory.cleanup()

    def _accept(self) -> None:
        with suppress(OSError), self._listener:
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.socket(socket.AF_UNIX) as far:
            far.connect(str(self.target))
            self._relay(near, far, _speaker(near))

    def _relay(self, near: socket.socket, far: socket.socket, who: str) -> None:
        commands = hiredis.Reader()
        while True:
            readable = select([near, far], [], [])[0]
            chunk = (near if near in readable else far).recv(65536)
            if not chunk:
                return
            if near not in readable:
                near.sendall(chunk)
                continue
            commands.feed(chunk)
            while command := commands.gets():
                mode = self._note(who, command)
                if mode != UNSENT:
                    far.sendall(_packed(command))
                if mode:
                    _finish(far)
                    return

    def _note(self, who: str, command: list[bytes]) -> str:
        """How to cut this one, empty: not at all."""
        words = [word.decode("utf-8", "replace") for word in command[:2]]
        with self._lock:
            what = kind_of(tuple(words))
            self._counts[who, what] += 1
            call = Call(who, what, self._counts[who, what])
            self.sent.append(call)
            mode = self._wanted.pop(call, "")
            if mode:
                self.cut.append(call)
        return mode


def _speaker(near: socket.socket) -> str:
    """The name in the title of the process at the other end: worker, scheduler; this one is the client."""
    size = struct.calcsize("3i")
    pid = struct.unpack("3i", near.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
    if pid == os.getpid():
        return "client"
    # Of one that is gone again nothing is told.
    return next(iter(procfs.command_line(pid).strip(b"\0").decode().removeprefix("bananasd: ").split()), "")


def _packed(command: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def _finish(far: socket.socket) -> None:
    """Let the server carry out all that it was sent; nobody hears what it says."""
    far.shutdown(socket.SHUT_WR)
    while far.recv(65536):
        pass
