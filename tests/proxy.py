"""A TCP proxy that stands between a test and its server, and misbehaves on request."""

import contextlib
import random
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
CLOSED = ("refuse", "deaf")


def free_port() -> int:
    """Below those that the system gives to outgoing connections, so that a server can come back to it."""
    while True:
        port = random.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port


@contextlib.contextmanager
def full_listener(port: int = 0) -> Iterator[int]:
    """A port at which a connect hangs: the one place in the queue of its listener is taken. Yields its number."""
    with socket.create_server((HOST, port), backlog=0) as listener, socket.socket() as first:
        first.setblocking(False)  # somebody else may have been quicker
        first.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class Proxy:
    """In front of a server, which is given as the path of its unix socket or as HOST:PORT; ``url`` leads to it.

    ``mode`` may be changed at any time. "pass". "delay": replies come ``delay_seconds`` later. "drip": they come byte by
    byte, each so much later. "drop-reply": commands are carried out, but the connection ends in place of the reply.
    "blackhole": nothing gets through and nothing fails; what was sent arrives once the mode changes. "refuse":
    connections are cut, and new ones refused. "deaf": connections are cut, and a new connect hangs.
    """

    def __init__(self, target: Path | str, delay_seconds: float = 0.2) -> None:
        self.target, self.delay_seconds = str(target), delay_seconds
        self._mode, self._changed = "pass", threading.Condition()
        self._drop: tuple[bytes, threading.Event] | None = None
        self._connections: set[socket.socket] = set()
        self._plug = contextlib.ExitStack()
        self._port = free_port()
        self._listen()
        self.url = f"redis://{HOST}:{self._port}"

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        before, self._mode = self._mode, mode
        with self._changed:
            self._changed.notify_all()
        if mode in CLOSED and before not in CLOSED:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()
            self.cut()
        self._plug.close()
        if mode == "deaf":
            self._plug.enter_context(full_listener(self._port))
        elif mode not in CLOSED and before in CLOSED:
            self._listen()

    def drop_next_reply(self, matching: bytes) -> threading.Event:
        """Let the next command with these bytes through, and end its connection in place of a reply; the event tells."""
        self._drop = matching, threading.Event()
        return self._drop[1]

    def cut(self) -> None:
        """End every connection."""
        for near in list(self._connections):
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.mode = "refuse"

    def _listen(self) -> None:
        self._listener = socket.create_server((HOST, self._port))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError), self._listener:
            while True:
                near, _ = self._listener.accept()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.add(near)
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, self._connect() as far:
            self._relay(near, far)
        self._connections.discard(near)

    def _connect(self) -> socket.socket:
        if ":" in self.target:
            host, port = self.target.rsplit(":", 1)
            return socket.create_connection((host, int(port)))
        far = socket.socket(socket.AF_UNIX)
        far.connect(self.target)
        return far

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        recent, dropped = b"", None
        while True:
            readable = select.select([near, far], [], [])[0]
            with self._changed:
                self._changed.wait_for(lambda: self._mode != "blackhole")
            if near in readable:
                chunk = near.recv(65536)
                recent = recent[-200:] + chunk
                if self._drop and self._drop[0] in recent:
                    dropped, self._drop = self._drop[1], None
                far.sendall(chunk)
            elif dropped or self._mode == "drop-reply":
                _finish(far)
                return dropped.set() if dropped else None
            else:
                # Byte by byte, the rest stays with the system: there is nothing to keep when the mode changes.
                chunk = far.recv(1 if self._mode == "drip" else 65536)
                if self._mode in ("delay", "drip"):
                    with self._changed:
                        self._changed.wait_for(
                            lambda: self._mode not in ("delay", "drip"), self.delay_seconds
                        )
                near.sendall(chunk)
            if not chunk:
                return None


def _finish(far: socket.socket) -> None:
    """Let the server carry out all that it was sent."""
    far.shutdown(socket.SHUT_WR)
    while far.recv(65536):
        pass
