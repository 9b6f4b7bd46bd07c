"""A daemon whose server has a name, while the name server is lost: the lookups that it has begun take a minute."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bananasd import Client, Status
from tests.conftest import wait_until
from tests.daemon import Daemon
from tests.http.web import Web
from tests.proxy import Proxy
from tests.sentinels import free_port

pytestmark = pytest.mark.usefixtures("untraced")

LOOKUP_SECONDS = 60
SITE = f"""
    import os, socket, time

    LOST, DENIED = (os.path.join(os.path.dirname(__file__), name) for name in ("lost", "denied"))
    ask = socket.getaddrinfo

    def is_worker():
        with open("/proc/self/cmdline") as file:
            return "bananasd: worker" in file.read()

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        if host != "redis.example" or flags & socket.AI_NUMERICHOST:
            return ask(host, port, family, type, proto, flags)
        if os.path.exists(DENIED) and is_worker():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        ends = time.monotonic() + {LOOKUP_SECONDS}
        while os.path.exists(LOST):
            if time.monotonic() > ends:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            time.sleep(0.02)
        return ask("127.0.0.1", port, family, type, proto, flags)

    socket.getaddrinfo = getaddrinfo
"""
"""What Python reads at its start: the name of the server is found as long as there is no file "lost", by workers if there is no "denied"."""


class Names:
    """The name server, and the way to the server that has the name."""

    def __init__(self, directory: Path, proxy: Proxy) -> None:
        (directory / "sitecustomize.py").write_text(textwrap.dedent(SITE))
        self._lost, self._denied = directory / "lost", directory / "denied"
        self._proxy = proxy
        self.url = proxy.url.replace("127.0.0.1", "redis.example")
        self.environ = {"PYTHONPATH": str(directory)}

    def lose(self) -> None:
        """From now on nobody finds the server, and nobody who has found it keeps it."""
        self._lost.touch()
        self._proxy.cut()

    def deny_to_workers(self) -> None:
        """From now on these alone do not find the server, and have to look for it."""
        self._denied.touch()
        self._proxy.cut()

    def come_back(self) -> None:
        self._lost.unlink(missing_ok=True)
        self._denied.unlink(missing_ok=True)


@pytest.fixture
def names(tmp_path, own_server):
    proxy = Proxy(own_server.socket)
    yield Names(tmp_path, proxy)
    proxy.close()


@pytest.fixture
def web():
    return Web(free_port())


@pytest.fixture
def daemon(make_daemon, names, web):
    settings = {"http": {"listen": web.address}, "redis": {"timeout_seconds": 1}}
    return make_daemon(redis_url=names.url, settings=settings, environ=names.environ)


def seconds_of_status(daemon: Daemon) -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "bananasd", "status", "--config", str(daemon.config)]
    subprocess.run(command, env=daemon.environ, stdout=subprocess.DEVNULL, timeout=60, check=False)
    return time.monotonic() - began


def test_a_lost_name_server_is_an_outage_like_any_other(daemon, names, web, own_server):
    names.lose()
    began = time.monotonic()
    daemon.start(wait=False)
    wait_until(web.answers)
    wait_until(lambda: daemon.lines("daemon ready"))
    assert time.monotonic() - began < LOOKUP_SECONDS / 2
    before = {child.pid for child in daemon.children()}
    # At 0, 1, 2 and 4 seconds: one that hangs is killed before.
    wait_until(lambda: len(daemon.lines("scheduler", "redis lost")) >= 4)
    assert daemon.lines("redis lost", "the name server did not answer in time where 'redis.example' is")
    assert web.get("/readyz")[1]["reasons"] == ["the Redis server does not answer"]
    assert web.get("/livez") == (200, {"live": True})
    assert seconds_of_status(daemon) < LOOKUP_SECONDS / 2
    names.come_back()
    wait_until(lambda: daemon.lines("scheduler", "redis back"))
    with Client(own_server.url) as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    wait_until(lambda: web.get("/readyz")[0] == 200)
    assert {child.pid for child in daemon.children()} == before
    assert not daemon.lines("child killed")
    assert daemon.stop() == 0


@pytest.mark.parametrize("max_jobs", [0, 1])
def test_a_daemon_that_has_found_its_server_goes_on_without_a_name_server(
    daemon, names, web, own_server, max_jobs
):
    """So do fresh workers, which have found nothing themselves: what one process knows is the whole node's."""
    daemon.config.write_text(
        daemon.config.read_text().replace("[workers]", f"[workers]\nmax_jobs = {max_jobs}")
    )
    daemon.start()
    wait_until(lambda: web.get("/readyz")[0] == 200)
    names.lose()
    with Client(own_server.url) as client:
        for _ in range(6):
            assert client.submit_and_wait("note", {}, wait_seconds=30).status is Status.COMPLETED
    wait_until(lambda: web.get("/readyz")[0] == 200)
    assert not daemon.lines("child killed")
    assert daemon.stop() == 0


def test_a_daemon_that_waits_for_its_name_stops_when_told(daemon, names):
    names.lose()
    daemon.start(wait=False)
    wait_until(lambda: daemon.lines("scheduler", "redis lost"))
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < LOOKUP_SECONDS / 2


def test_workers_that_alone_do_not_find_the_server_are_told_and_serve_nothing(daemon, names, web, own_server):
    daemon.start()
    wait_until(lambda: web.get("/readyz")[0] == 200)
    names.deny_to_workers()
    lost = ["no worker reaches the Redis server, of 2 that are up"]
    wait_until(lambda: web.get("/readyz") == (503, {"ready": False, "reasons": lost}))
    assert {child.server for child in daemon.children("worker")} == {"lost"}
    wait_until(lambda: [child.server for child in daemon.children("scheduler")] == ["there"])
    with Client(own_server.url) as client:
        job_id = client.submit_job("note", {})
        wait_until(lambda: "No live worker takes jobs" in client.explain(job_id).sentence)
        names.come_back()
        assert client.wait(job_id, 30).status is Status.COMPLETED
        wait_until(lambda: client.queue_stats().lanes[0].workers == 2)
    wait_until(lambda: web.get("/readyz")[0] == 200)


def test_a_quiet_daemon_that_has_come_through_an_outage_is_ready(daemon, names, web):
    daemon.start()
    names.deny_to_workers()
    wait_until(lambda: {child.server for child in daemon.children("worker")} == {"lost"})
    os.kill(daemon.pid, signal.SIGTSTP)
    wait_until(lambda: daemon.node.phase == "quiet")
    names.come_back()
    wait_until(lambda: web.get("/readyz")[0] == 200)
    wait_until(lambda: {child.server for child in daemon.children("worker")} == {"there"})
