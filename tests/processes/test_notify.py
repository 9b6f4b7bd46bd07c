"""What systemd is told."""

import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest

from bananasd.processes.notify import Notifier
from tests.conftest import wait_until

pytestmark = pytest.mark.usefixtures("untraced")


class Supervisor:
    """The other end of a NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.socket.setblocking(False)
        self.told = []

    def take(self):
        while True:
            try:
                self.told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.told


@pytest.fixture(params=["path", "abstract"])
def address(request):
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    yield f"{directory}/notify" if request.param == "path" else f"@{directory.name}"
    shutil.rmtree(directory)


@pytest.fixture
def supervisor(address):
    supervisor = Supervisor(address)
    yield supervisor
    supervisor.socket.close()


def test_readiness_stopping_and_status_are_told(address, supervisor):
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.status("2 workers")
    notifier.status("2 workers")
    notifier.status("3 workers")
    notifier.stopping()
    assert supervisor.take() == ["READY=1", "STATUS=2 workers", "STATUS=3 workers", "STOPPING=1"]


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(address, supervisor, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("bananasd.clock.monotonic", lambda: now)
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000"})
    for _ in range(21):
        notifier.still_alive()
        now += 1.0
    assert supervisor.take() == ["WATCHDOG=1"] * 5


@pytest.mark.parametrize("environ", [{"WATCHDOG_USEC": "x"}, {}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_nobody_asked_for_is_not_fed(address, supervisor, environ):
    Notifier({"NOTIFY_SOCKET": address, **environ}).still_alive()
    assert supervisor.take() == []


def test_a_supervisor_that_does_not_listen_is_no_reason_to_stop(address):
    Notifier({"NOTIFY_SOCKET": address}).ready()


def test_without_descriptors_nothing_is_told_and_nothing_raised(address, monkeypatch):
    def fail(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socket", fail)
    Notifier({"NOTIFY_SOCKET": address}).ready()


def test_without_systemd_nothing_is_told(monkeypatch):
    monkeypatch.setattr("socket.socket", lambda *_: pytest.fail("a socket"))
    Notifier({}).ready()


def test_a_daemon_is_ready_when_all_children_are_up_and_says_when_it_stops(
    server, make_daemon, address, supervisor, monkeypatch
):
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    # A socket has room for ten messages: one that asks for many has to be looked at all the time.
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    daemon = make_daemon(redis_url=server.url).start()
    wait_until(lambda: "READY=1" in supervisor.take())
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
    wait_until(lambda: "STATUS=2 workers, 0 busy, 1 done" in supervisor.take())
    wait_until(lambda: "WATCHDOG=1" in supervisor.take())
    assert daemon.stop() == 0
    told = supervisor.take()
    assert told.index("READY=1") < told.index("STOPPING=1")
    assert (told.count("READY=1"), told.count("STOPPING=1")) == (1, 1)


def test_a_reload_is_told_from_its_begin_to_its_end_good_or_bad(
    server, make_daemon, address, supervisor, monkeypatch
):
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    daemon = make_daemon(redis_url=server.url).start()
    wait_until(lambda: "READY=1" in supervisor.take())
    broken = daemon.directory / "handlers" / "broken.py"
    for number in (1, 2):
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda number=number: supervisor.take().count("READY=1") == number + 1)
        broken.write_text("nonsense(")
    told = [text for text in supervisor.take() if text.startswith(("READY", "RELOADING"))]
    assert [text.partition("\n")[0] for text in told] == ["READY=1", *["RELOADING=1", "READY=1"] * 2]
    # systemd compares it with its own clock.
    microseconds = int(told[1].partition("MONOTONIC_USEC=")[2])
    assert 0 < time.monotonic() - microseconds / 1e6 < 60
    assert daemon.stop() == 0
