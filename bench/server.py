"""A server of the benchmark's own: the program that bananasd would run, on a socket that nobody else has."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from redis import connection as redis_py
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from bananasd.processes.redis_server import find_server_binary

from .errors import BenchError

START_SECONDS = 10
REPLY_SECONDS = 60
TRANSPORTS = ("unix", "tcp")
untyped: Any = redis_py
"""Most of it has no types."""
Connection = Any


class Server:
    """Runs until it is closed; keeps nothing on disk."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        # A path from mkdtemp is short enough for a socket.
        self._directory = Path(tempfile.mkdtemp(prefix="bananasd-bench-"))
        self._socket = self._directory / "redis.sock"
        self._port = _free_port()
        self._trips = 0
        self.tcp_url = f"redis://127.0.0.1:{self._port}/0"
        self.url = self.tcp_url if transport == "tcp" else f"unix://{self._socket}"
        self.process = subprocess.Popen(
            [find_server_binary(os.environ), *self._options()], stdout=subprocess.DEVNULL
        )
        self._own = self._first_connection()

    def connect(self) -> Connection:
        """A held connection, with nothing around it."""
        limits: dict[str, Any] = {
            "protocol": 3,
            "socket_timeout": REPLY_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        connection: Connection = (
            untyped.Connection(host="127.0.0.1", port=self._port, **limits)
            if self.transport == "tcp"
            else untyped.UnixDomainSocketConnection(path=str(self._socket), **limits)
        )
        connection.connect()
        return connection

    def call(self, *words: Any) -> Any:
        """One command on the benchmark's own connection."""
        self._trips += 1
        return trip(self._own, [words])[0]

    def empty(self) -> None:
        """Forget all jobs."""
        self.call("FLUSHALL", "SYNC")

    def info(self, section: str) -> dict[str, str]:
        """The lines of a section of INFO."""
        text = self.call("INFO", section)
        lines = (text if isinstance(text, str) else text.decode()).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def trips_of_others(self) -> int:
        """How many times it has read what a client sent, but for what came by `call`."""
        return int(self.info("stats")["total_reads_processed"]) - self._trips

    def used_memory(self) -> int:
        """Bytes that it has from its allocator."""
        return int(self.info("memory")["used_memory"])

    def close(self) -> None:
        """End it and remove what it had."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _options(self) -> Sequence[str]:
        return (
            "--port", str(self._port), "--bind", "127.0.0.1", "--unixsocket", str(self._socket),
            "--dir", str(self._directory), "--save", "", "--appendonly", "no", "--loglevel", "warning",
        )  # fmt: skip

    def _first_connection(self) -> Connection:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.connect()
            except (RedisError, OSError) as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.close()
                    raise BenchError(f"the server at {self.url} does not answer: {error}") from error
            time.sleep(0.01)


def trip(connection: Connection, commands: Iterable[Sequence[Any]]) -> list[Any]:
    """Send the commands together; their replies. An error among them is raised."""
    packed = list(commands)
    connection.send_packed_command(connection.pack_commands(packed))
    return [connection.read_response() for _ in packed]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
