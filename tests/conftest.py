"""What all tests share: a real server per test process, emptied between tests."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coverage
import pytest
from hypothesis import HealthCheck, settings

from bananasd import Client
from bananasd.processes.redis_server import find_server_binary
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.store import Store

if TYPE_CHECKING:
    from .daemon import Daemon

# Examples of what holds for all values; the long form looks at more. How soon they are made, and run, says how busy the
# machine is: hypothesis would fail one that takes 0.2 s.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("short", PATIENT, max_examples=30)
settings.register_profile("long", PATIENT, max_examples=200)
settings.load_profile("long" if os.environ.get("BANANASD_FAULTS") == "long" else "short")

# In the background of a shell without job control SIGINT is ignored, by all that is started from there, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ASIDE = Path(__file__).parents[1] / ".venv" / "aside"
"""What only examples of the documentation need, see Makefile."""

WAIT_SECONDS = 30

LONG = ("systemd", "e2e", "faults", "processes", "http")
"""Folders whose files take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes long begin first; the many quick ones fill the gaps at the end."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=place)


def wait_until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Poll until the condition is true; fail with its text when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.01)


class RedisServer:
    """A real server on a unix socket in a directory of its own."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        environ: Mapping[str, str] | None = None,
        is_started: bool = True,
    ) -> None:
        self.directory = directory
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options
        self._environ = {**os.environ, **(environ or {})}
        if is_started:
            self.start()

    def start(self, seconds: float = 15) -> None:
        """Start it and wait until it answers, for so long at most."""
        self.process = subprocess.Popen(
            [find_server_binary(os.environ), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory),
             "--save", "", *self._options],
            stdout=subprocess.DEVNULL, env=self._environ,
        )  # fmt: skip
        wait_until(self.answers, seconds)

    def answers(self) -> bool:
        """Whether a PING comes back."""
        connection = HeldConnection(Server(self.url, 1))
        try:
            return connection.trip([("PING",)]) == [b"PONG"]
        except Exception:
            return False
        finally:
            connection.close()

    def call(self, *command: object) -> object:
        """One command on a connection of its own."""
        connection = HeldConnection(Server(self.url, 5))
        try:
            return connection.trip([command])[0]
        finally:
            connection.close()

    def stop(self) -> None:
        """End it, frozen or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for all tests of this test process."""
    # pytest's own temporary directories can be too long for a socket's path.
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    server = RedisServer(directory)
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    """The shared server, empty."""
    redis_server.call("FLUSHALL")
    return redis_server


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that a test may kill or freeze: it keeps an append-only file and writes each change at once."""
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    server = RedisServer(directory, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def store(server: RedisServer) -> Iterator[Store]:
    """The transitions over a held connection."""
    connection = HeldConnection(Server(server.url, 5))
    yield Store(connection, "test")
    connection.close()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Client]:
    """A client of the default namespace."""
    with Client(server.url) as client:
        yield client


@pytest.fixture
def make_daemon() -> Iterator[Callable[..., "Daemon"]]:
    """Makes daemons that are not started yet; ends what is left of them after the test."""
    from .daemon import Daemon  # it imports this module

    daemons: list[Daemon] = []

    def make(*args: Any, **options: Any) -> Daemon:
        daemons.append(Daemon(*args, **options))
        return daemons[-1]

    yield make
    for daemon in daemons:
        daemon.close()


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Daemons and tests as fast as without a tracer, which would double the time of each start, and of each recovery."""
    if coverage.Coverage.current() is None:
        yield
        return
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG")
    # Not by stop() and start(): each start() adds to what every fork and every exit of a child does from then on.
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    threading.settrace(threads)  # type: ignore[arg-type]
    sys.settrace(here)
