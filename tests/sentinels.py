"""Servers that are reached by TCP, one of them the primary, and Sentinels that watch them."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bananasd.processes.redis_server import find_server_binary
from bananasd.store.connection import HeldConnection, Server

from .conftest import RedisServer, wait_until
from .proxy import HOST, free_port

SERVICE = "jobs"
NEVER_SECONDS = 3600


class TcpServer(RedisServer):
    """A server with a port."""

    def __init__(self, directory: Path, *options: str) -> None:
        directory.mkdir()
        self.port = free_port()
        self.place = f"{HOST}:{self.port}"
        super().__init__(directory, "--port", str(self.port), "--repl-diskless-sync-delay", "0", *options)

    @property
    def role(self) -> bytes:
        """What it takes itself for."""
        return self.call("ROLE")[0]

    @property
    def offset(self) -> int:
        """How much of the stream of changes it has written, or has from its primary."""
        (offset,) = re.findall(
            rb"^(?:master|slave)_repl_offset:(\d+)", self.call("INFO", "replication"), re.MULTILINE
        )[:1]
        return int(offset)

    def follow(self, primary: "TcpServer | None", port: int = 0) -> None:
        """Become a replica, of what is to be found at another port perhaps, and be in sync; or a primary."""
        if primary is None:
            self.call("REPLICAOF", "NO", "ONE")
            return
        self.call("REPLICAOF", HOST, port or primary.port)
        wait_until(lambda: b"master_link_status:up" in self.call("INFO", "replication"))


class Sentinel:
    """A real one. Unless it is told to, it takes nothing for down."""

    def __init__(self, directory: Path, primary: TcpServer, *, quorum: int = 1) -> None:
        directory.mkdir()
        self.port = free_port()
        self.place = f"{HOST}:{self.port}"
        self._password: str | None = None
        lines = [f"bind {HOST}", f"port {self.port}", f"dir {directory}"]
        (directory / "conf").write_text("".join(f"{line}\n" for line in lines))
        binary = find_server_binary(os.environ)
        self.process = subprocess.Popen(
            [binary, str(directory / "conf"), "--sentinel"], stdout=subprocess.DEVNULL
        )
        wait_until(self.answers)
        self.tell(primary, quorum)
        self.lose_patience(after_seconds=NEVER_SECONDS)
        # By itself it looks at them every few seconds only; and for half a minute at nothing, once it was held up for two.
        periods = {"info-period": 100, "publish-period": 100, "tilt-trigger": NEVER_SECONDS * 1000}
        self.call("SENTINEL", "DEBUG", *(word for pair in periods.items() for word in pair))

    def tell(self, primary: TcpServer, quorum: int = 1) -> None:
        """From now on this is the primary, whether it says so or not."""
        self.tell_port(primary.port, quorum)

    def tell_port(self, port: int, quorum: int = 1) -> None:
        """The same for whatever listens there."""
        with suppress(AssertionError):
            self.call("SENTINEL", "REMOVE", SERVICE)
        self.call("SENTINEL", "MONITOR", SERVICE, HOST, port, quorum)

    def lose_patience(self, *, after_seconds: float) -> None:
        """From now on take for down what is silent for so long."""
        # An election without a winner is repeated, and a replica put right that replicates by a detour, after the second.
        for name, times in (("down-after-milliseconds", 1), ("failover-timeout", 4)):
            self.call("SENTINEL", "SET", SERVICE, name, int(times * after_seconds * 1000))

    def knows(self, replica: TcpServer, others: int) -> bool:
        """Whether it could fail over to this one now, together with so many others."""
        replicas = {seen["port"]: seen.get("master-link-status") for seen in self._seen("REPLICAS")}
        away = {"s_down", "disconnected"}
        agreeing = [seen for seen in self._seen("SENTINELS") if away.isdisjoint(seen["flags"].split(","))]
        return replicas == {str(replica.port): "ok"} and len(agreeing) == others

    @property
    def primary_port(self) -> int:
        """Of what it says is the primary."""
        return int(self.call("SENTINEL", "get-master-addr-by-name", SERVICE)[1])

    def _seen(self, what: str) -> Iterator[dict[str, str]]:
        for words in self.call("SENTINEL", what, SERVICE):
            texts = [word.decode() for word in words]
            yield dict(zip(texts[::2], texts[1::2], strict=True))

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self.call("PING") == b"PONG"
        except Exception:
            return False

    @property
    def password(self) -> str | None:
        """What it asks for, if it does."""
        return self._password

    @password.setter
    def password(self, password: str) -> None:
        self.call("ACL", "SETUSER", "default", "resetpass", f">{password}")
        self._password = password

    def call(self, *command: object) -> object:
        """One command on a connection of its own."""
        connection = HeldConnection(Server(f"redis://{self.place}", 5, self._password))
        try:
            (reply,) = connection.trip([command])
        finally:
            connection.close()
        assert not isinstance(reply, Exception), reply
        return reply

    def stop(self) -> None:
        """End it, frozen or not."""
        self.process.kill()
        self.process.wait()


def url_of(sentinels: Sequence[Sentinel], service: str = SERVICE) -> str:
    """What leads to the primary."""
    return f"redis+sentinel://{','.join(sentinel.place for sentinel in sentinels)}/{service}"
