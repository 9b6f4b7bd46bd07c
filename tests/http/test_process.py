"""The process that serves the dashboard: a slot like any other, and never a reason for the daemon to end."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from bananasd.processes import control
from tests.conftest import wait_until
from tests.daemon import halt, is_alive
from tests.http.web import Web
from tests.patience import assert_soon
from tests.sentinels import free_port

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.timeout(180)]


@pytest.fixture
def web():
    return Web(free_port())


@pytest.fixture
def make(make_daemon, web):
    """Makes daemons that serve a dashboard."""

    def make(*args, settings=None, **options):
        settings = {"http": {"listen": web.address}, **(settings or {})}
        return make_daemon(*args, settings=settings, **options)

    return make


def test_without_a_setting_nothing_listens(make_daemon):
    daemon = make_daemon().start()
    assert {child.kind for child in daemon.children()} == {"redis", "scheduler", "worker"}


def test_a_daemon_that_works_is_live_and_ready(make, web):
    daemon = make().start()
    assert daemon.child("http").state == "up"
    wait_until(lambda: web.get("/livez") == (200, {"live": True}))
    wait_until(lambda: web.get("/readyz") == (200, {"ready": True, "reasons": []}))
    assert daemon.stop() == 0
    assert not daemon.boards()


def test_the_heavy_libraries_are_in_its_process_only():
    code = "import bananasd.processes.daemon, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert "bananasd.http.obstacles" in loaded.stdout.split()
    assert not {"starlette", "uvicorn", "anyio"} & set(loaded.stdout.split())


def test_one_that_is_killed_is_started_again(make, web):
    daemon = make().start()
    pid = daemon.child("http").pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: daemon.child("http").pid != pid and web.answers())
    assert web.get("/livez")[0] == 200


def test_a_stop_of_its_own_brings_another(make, web):
    daemon = make().start()
    pid = daemon.child("http").pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: daemon.child("http").pid not in (pid, 0) and web.answers())
    assert daemon.lines("child ended slot='http'", "exit status 0")


def test_a_port_that_is_taken_keeps_no_daemon_from_its_work(make, web):
    with socket.create_server(("127.0.0.1", web.port)):
        daemon = make().start(wait=False)
        wait_until(lambda: daemon.lines("daemon ready"))
        with daemon.client() as client:
            assert client.submit_and_wait("note", {}, wait_seconds=10).status == "completed"
        wait_until(lambda: [child for child in daemon.children("http") if child.state == "backoff"])
        line = daemon.lines("http cannot serve", web.address, "Address already in use")[0]
        assert line.count(str(web.port)) == 1
    # The next try is at most a few seconds away.
    wait_until(web.answers, 30)
    assert daemon.stop() == 0


def test_an_outage_of_redis_is_told_by_readyz_and_leaves_livez_alone(make, web, own_server):
    daemon = make(redis_url=own_server.url).start()
    own_server.stop()
    away = {"ready": False, "reasons": ["the Redis server does not answer"]}
    wait_until(lambda: web.get("/readyz") == (503, away))
    wait_until(lambda: web.get("/livez") == (200, {"live": True}))
    own_server.start()
    wait_until(lambda: web.get("/readyz")[0] == 200)
    assert daemon.stop() == 0


def test_readyz_waits_for_no_frozen_server(make, web, own_server):
    make(redis_url=own_server.url, settings={"redis": {"timeout_seconds": 60}}).start()
    halt(own_server.process.pid)
    try:
        assert web.get("/readyz", timeout=20)[0] == 503
    finally:
        own_server.process.send_signal(signal.SIGCONT)


def test_a_master_that_hangs_is_not_live(make, web):
    daemon = make().start()
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: web.get("/livez") == (503, {"live": False}))
        assert any(
            "the master has not turned its loop" in reason for reason in web.get("/readyz")[1]["reasons"]
        )
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    wait_until(lambda: web.get("/livez")[0] == 200)


def test_while_it_drains_it_is_live_but_not_ready(make, web, tmp_path):
    daemon = make(settings={"master": {"drain_seconds": 40}}).start()
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(tmp_path / "go")})
        daemon.worker_of(job_id)
        daemon.terminate()
        wait_until(lambda: "the daemon drains" in web.get("/readyz")[1]["reasons"])
        assert web.get("/livez")[0] == 200
        (tmp_path / "go").touch()
    assert daemon.wait() == 0


def test_the_master_takes_it_along_when_it_is_killed(make, web):
    daemon = make().start()
    pid = daemon.child("http").pid
    daemon.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_reload_gives_it_the_new_settings(make, web):
    daemon = make().start()
    pid, other = daemon.child("http").pid, Web(free_port())
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace(web.address, other.address))
    control.reload(daemon.run_dir, 30)
    wait_until(other.answers)
    wait_until(lambda: not web.answers())
    # The one that has left may still be there for a moment.
    wait_until(lambda: pid not in [child.pid for child in daemon.children("http")])


def test_a_reload_may_begin_and_end_it(make, make_daemon, web):
    daemon = make_daemon().start()
    text = daemon.config.read_text()
    daemon.config.write_text(f'{text}[http]\nlisten = "{web.address}"\n')
    control.reload(daemon.run_dir, 30)
    wait_until(web.answers)
    daemon.config.write_text(text)
    control.reload(daemon.run_dir, 30)
    wait_until(lambda: not web.answers() and not daemon.children("http"))
    wait_until(daemon.is_up)


def test_dump_and_the_order_of_status_know_it(make, web):
    daemon = make().start()
    assert [child.slot for child in daemon.children()] == [
        "redis",
        "scheduler",
        "http",
        "worker 0",
        "worker 1",
    ]
    wait_until(lambda: "_serve" in stacks_of(daemon))


def stacks_of(daemon):
    """Those of its threads; of one that was too busy to tell them in time, none or not all."""
    (stacks,) = control.dump(daemon.run_dir, "http")
    return stacks.text


def test_it_tells_its_stacks_while_it_works_and_lives_on(make, web):
    daemon = make().start()
    pid, is_over = daemon.child("http").pid, threading.Event()

    def ask_on():
        while not is_over.is_set():
            web.get("/api/schedules")

    # What runs meanwhile is another thread than the one that tells.
    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        for _ in range(30):
            wait_until(lambda: all(word in stacks_of(daemon) for word in ("_serve", "uvicorn")))
    finally:
        is_over.set()
        asking.join()
    assert daemon.child("http").pid == pid


def test_what_happens_once_it_is_up_is_in_the_history(make, web):
    daemon = make().start()
    with daemon.client() as client:
        client.submit_and_wait("note", {}, wait_seconds=10)
    history = history_of(web)
    assert history["completed"][-2:] in ([None, 1], [0, 1], [1, 0])


def history_of(web):
    """As somebody sees it who begins to watch."""
    with web.watching() as snapshots:
        return next(seen["history"] for seen in snapshots if seen["queues"])


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_the_charts_outlive_their_process(make, web, own_server, how):
    daemon = make(redis_url=own_server.url).start()
    with daemon.client() as client:
        client.submit_and_wait("note", {}, wait_seconds=10)
    assert sum(filter(None, history_of(web)["completed"])) == 1
    pid = daemon.child("http").pid
    if how == "reload":
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: daemon.child("http").pid not in (pid, 0) and web.answers())
    else:
        assert daemon.stop() == 0
        daemon.start()
    assert sum(filter(None, history_of(web)["completed"])) == 1


def test_those_who_watch_hold_up_no_drain(make, web):
    def attempt():
        daemon.start()
        before = len(killed())
        with web.watching() as one, web.watching() as other:
            next(one), next(other)
            began = time.monotonic()
            assert daemon.stop() == 0
            seconds = time.monotonic() - began
        # It has a second, in which a busy machine may have kept it from its end.
        return seconds if len(killed()) == before else math.inf

    def killed():
        return daemon.lines("child ended slot='http'", "SIGKILL")

    daemon = make()
    assert_soon(4, attempt)


def test_one_that_hangs_is_killed_in_time_for_the_server_to_close_its_file(make, web):
    daemon = make(settings={"master": {"drain_seconds": 40}}).start()
    pid = daemon.child("http").pid
    halt(pid)
    assert daemon.stop() == 0  # long before the end of the drain
    assert daemon.lines("child ended slot='redis'", "exit status 0")
