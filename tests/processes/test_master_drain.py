"""How the tree is taken down. D, ``drain_seconds``, is 8: interrupts come 3 s after the TERM, the kill 6 s after it."""

import os
import signal
import time

import pytest

from bananasd import Status
from bananasd.processes import control
from bananasd.store.keys import Keys
from tests.conftest import wait_until
from tests.daemon import halt, is_alive
from tests.patience import assert_once, assert_soon
from tests.proxy import Proxy

pytestmark = pytest.mark.usefixtures("untraced")

ONE_WORKER = {"workers": {"count": 1}}
SLOW = {"master": {"drain_seconds": 60}}
"""What does not wait for the end of this time ends long before it."""
IGNORE = """
    @handler("ignore")
    def run_ignore(job):
        program = subprocess.Popen(["sleep", "1000"])
        note(job, f"program-{program.pid}")
        note(job, "start")
        while True:
            try:
                time.sleep(1000)
            except BaseException as error:
                note(job, type(error).__name__)
"""


def ready_ids(server):
    return [
        job_id.decode() for job_id in server.call("LRANGE", "{bananas:default}:ready:default:normal", 0, -1)
    ]


def test_a_running_job_finishes_within_its_time(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER | SLOW).start()
    until = daemon.directory / "until"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        daemon.worker_of(job_id)
        behind = client.submit_job("note", {})
        daemon.terminate()
        wait_until(lambda: daemon.child("worker").state == "draining")
        until.touch()
        assert daemon.wait() == 0
        assert client.get_job(job_id).status is Status.COMPLETED
        assert client.get_job(behind).status is Status.PENDING
    assert not daemon.boards()
    assert server.call("KEYS", "*}:n*") == []


def test_what_still_runs_5_seconds_before_the_end_is_interrupted_and_goes_back_to_the_front(
    server, make_daemon
):
    def is_in_time() -> bool:
        server.call("FLUSHALL")
        daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER).start()
        with daemon.client() as client:
            job_id = client.submit_job("hold", {"until": "/nowhere"}, max_retries=0)
            wait_until(lambda: daemon.entries("start", job_id))
            behind = client.submit_job("note", {})
            began = time.monotonic()
            assert daemon.stop() == 0
            ended, job = time.monotonic(), client.get_job(job_id)
        (interrupt,) = daemon.entries("JobDrained")
        assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
        assert ready_ids(server) == [job_id, behind]
        waited = float(interrupt[4]) - began
        assert waited >= 3
        return waited < 3.5 and ended - began < 5

    assert_once(is_in_time)


def test_a_handler_that_ignores_everything_is_gone_in_time_and_its_job_at_the_front_with_nothing_counted(
    server, make_daemon
):
    def is_in_time() -> bool:
        server.call("FLUSHALL")
        daemon = make_daemon(IGNORE, redis_url=server.url, settings=ONE_WORKER).start()
        with daemon.client() as client:
            job_id = client.submit_job("ignore", {}, max_retries=0)
            wait_until(lambda: daemon.entries("start", job_id))
            behind = client.submit_job("note", {})
            (program,) = {
                int(line.split()[0][8:])
                for line in daemon.ledger.read_text().splitlines()
                if "program" in line
            }
            pids = [child.pid for child in daemon.children()] + [program]
            began = time.monotonic()
            assert daemon.stop() == 0
            ended, job = time.monotonic(), client.get_job(job_id)
        assert not any(map(is_alive, pids))
        assert (job.status, job.attempts, job.recoveries, job.error) == (Status.PENDING, 0, 0, None)
        assert ready_ids(server) == [job_id, behind]
        # It was asked again each second.
        asked = len(daemon.entries("JobDrained"))
        assert ended - began >= 6 and 1 <= asked <= 4
        return ended - began < 8 and asked >= 2

    assert_once(is_in_time)


def test_quit_goes_straight_to_the_kill_and_charges_nothing(server, make_daemon):
    def attempt() -> float:
        server.call("FLUSHALL")
        daemon = make_daemon(IGNORE, redis_url=server.url, settings=ONE_WORKER | SLOW).start()
        with daemon.client() as client:
            job_id = client.submit_job("ignore", {}, max_retries=0)
            wait_until(lambda: daemon.entries("start", job_id))
            began = time.monotonic()
            daemon.process.send_signal(signal.SIGQUIT)
            assert daemon.wait() == 0
            seconds, job = time.monotonic() - began, client.get_job(job_id)
        assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
        return seconds

    assert_soon(3, attempt)


def test_quit_hurries_a_drain(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=SLOW).start()
    with daemon.client() as client:
        client.submit_job("note", {"seconds": 1000})
        wait_until(lambda: daemon.entries("start"))
    daemon.terminate()
    wait_until(lambda: daemon.node.phase == "draining")
    daemon.process.send_signal(signal.SIGQUIT)
    assert daemon.wait() == 0


def test_repeated_terms_change_nothing(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER | SLOW).start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 0.3})
        wait_until(lambda: daemon.entries("start", job_id))
        # To the very end of the process.
        wait_until(lambda: daemon.terminate() or daemon.process.poll() is not None)
        assert daemon.wait() == 0
        assert client.get_job(job_id).status is Status.COMPLETED


def test_term_while_handlers_are_still_being_loaded_ends_the_daemon_at_once(server, make_daemon):
    daemon = make_daemon(
        """
        (__import__("pathlib").Path(__file__).parent.parent / "loading").touch()
        time.sleep(1000)
        """,
        redis_url=server.url,
        settings=SLOW,
    ).start(wait=False)
    wait_until((daemon.directory / "loading").exists)
    daemon.terminate()
    assert daemon.wait() == 0


def test_term_while_the_server_is_down_ends_idle_workers_at_once_and_leaves_the_board(
    own_server, make_daemon
):
    daemon = make_daemon(redis_url=own_server.url, settings=SLOW).start()
    workers = [child.pid for child in daemon.children("worker")]
    wait_until(lambda: own_server.call("SCARD", Keys("default").holders) == len(workers))
    own_server.stop()
    daemon.terminate()
    wait_until(lambda: not any(map(is_alive, workers)))
    assert is_alive(daemon.child("scheduler").pid)
    # It would wait for the server until shortly before the end.
    daemon.process.send_signal(signal.SIGQUIT)
    assert daemon.wait() == 0
    assert daemon.boards()
    assert daemon.lines("drain left jobs behind")


def test_a_daemon_whose_server_was_never_there_has_left_nothing_behind_and_ends_soon(make_daemon):
    # Of a port below 1024 no other test's server can listen.
    daemon = make_daemon(redis_url="redis://127.0.0.1:1", settings=SLOW).start()
    wait_until(lambda: daemon.lines("redis lost", "worker") and daemon.lines("redis lost", "scheduler"))
    daemon.terminate()
    assert daemon.wait() == 0
    assert "left jobs behind" not in daemon.log_text()
    assert not daemon.boards()


def test_nor_has_one_whose_server_never_answered(server, make_daemon):
    proxy = Proxy(server.socket)
    try:
        proxy.mode = "blackhole"
        daemon = make_daemon(redis_url=proxy.url, settings=SLOW | {"redis": {"timeout_seconds": 30}}).start()
        daemon.process.send_signal(signal.SIGQUIT)
        assert daemon.wait() == 0
        assert "left jobs behind" not in daemon.log_text()
        assert not daemon.boards()
    finally:
        proxy.close()


def test_a_frozen_worker_does_not_hold_up_the_end(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER | SLOW).start()
    halt(daemon.child("worker").pid)
    daemon.process.send_signal(signal.SIGQUIT)
    assert daemon.wait() == 0


def test_a_worker_that_gets_a_term_finishes_its_job_and_its_slot_starts_again(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        until = daemon.directory / "until"
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
        behind = client.submit_job("note", {})
        os.kill(worker.pid, signal.SIGTERM)
        wait_until(lambda: daemon.child("worker").state == "draining")
        until.touch()
        assert client.wait(job_id, 30).run == 1
        assert client.wait(behind, 30).run == 1
    pids = {entry[1]: int(entry[3]) for entry in daemon.entries("start")}
    assert pids[job_id] == worker.pid != pids[behind]
    assert daemon.child("worker").restarts == 1


def test_a_stopped_daemon_is_not_found_any_more(server, make_daemon):
    daemon = make_daemon(redis_url=server.url).start()
    assert control.running_pid(daemon.run_dir) == daemon.pid
    control.stop(daemon.run_dir, 30)
    assert daemon.wait() == 0
    assert control.nodes(daemon.run_dir) == []


def test_a_handler_that_hangs_in_the_text_of_its_exception_is_killed_for_its_time(make_daemon):
    daemon = make_daemon(
        """
        class Endless(Exception):
            def __str__(self):
                time.sleep(3600)

        @handler("bad", max_retries=0)
        def bad(job):
            raise Endless
        """,
        settings={"workers": {"count": 1}},
    ).start()
    with daemon.client() as client:
        job = client.wait(client.submit_job("bad", None), 30)
        assert (job.status, job.attempts, job.recoveries) == (Status.FAILED, 1, 0)
        assert "hung when it was looked at" in job.error
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED


def test_a_worker_that_hangs_in_its_end_does_not_keep_its_slot(make_daemon):
    daemon = make_daemon(
        """
        import logging

        class Endless(logging.Handler):
            def emit(self, record):
                pass

            def flush(self):
                time.sleep(3600)

        logging.getLogger("mine").addHandler(Endless())
        """,
        settings={"workers": {"count": 1}},
    ).start()
    (worker,) = daemon.children("worker")
    os.kill(worker.pid, signal.SIGTERM)
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.lines("child killed", "it has left, but does not end")


def test_ctrl_c_while_the_daemon_boots_ends_it(make_daemon):
    for _ in range(5):
        daemon = make_daemon(settings={"workers": {"count": 1}}).start(wait=False)
        wait_until(lambda daemon=daemon: "daemon starting" in daemon.log_text())
        os.kill(daemon.pid, signal.SIGINT)
        assert daemon.wait() in (0, -signal.SIGINT)
        assert "Traceback" not in daemon.log_text()
