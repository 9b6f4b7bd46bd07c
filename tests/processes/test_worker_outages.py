"""A server that is lost, that comes back, that refuses: no job is lost or doubled by it."""

import re
import time

import pytest

from bananasd import Client, Status
from bananasd.processes.board import Board, boards_in
from bananasd.processes.row import Word
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import lanes_of
from bananasd.store.scripts import script
from bananasd.store.store import Store
from tests.conftest import wait_until
from tests.proxy import Proxy

pytestmark = pytest.mark.usefixtures("untraced")

ONE_WORKER = {"workers": {"count": 1}}
GATED = """
    def wait(job):
        note(job, "start")
        while not os.path.exists(job.payload):
            time.sleep(0.005)
        note(job, "end")

    @handler("return", max_retries=0)
    def run_return(job):
        wait(job)
        return 7

    @handler("fail", max_retries=0)
    def run_fail(job):
        wait(job)
        raise ValueError

    @handler("retry")
    def run_retry(job):
        wait(job)
        if job.attempt == 1:
            raise RetryLater(0)

    @handler("bury")
    def run_bury(job):
        wait(job)
        raise GiveUp("no use")
"""
"""Handlers that end, each in its way, as soon as the file is there that is their payload."""


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.socket)
    for name in ("claim", "complete", "retry", "bury", "release"):
        # Else a call by digest, which is what is cut here, would do nothing the first time.
        server.call("SCRIPT", "LOAD", script(name).text)
    yield proxy
    proxy.close()


def digest(name):
    return script(name).digest.encode()


def starts(daemon, job_id):
    return len(daemon.entries("start", job_id))


def lost_lines(daemon, process):
    return re.findall(rf" {process} .*redis lost for=([\d.]+)s", daemon.log_text())


def test_a_connection_error_is_waited_out(own_server, make_daemon):
    daemon = make_daemon(redis_url=own_server.url, settings=ONE_WORKER).start()
    (worker,) = daemon.children("worker")
    own_server.stop()
    wait_until(lambda: len(lost_lines(daemon, "worker 0")) >= 2)
    own_server.start()
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.child("worker").pid == worker.pid


def test_a_worker_that_leaves_soon_after_an_outage_says_that_it_is_over(own_server, make_daemon):
    settings = {**ONE_WORKER, "log": {"level": "debug"}}
    daemon = make_daemon(redis_url=own_server.url, settings=settings).start()
    own_server.stop()
    wait_until(lambda: lost_lines(daemon, "worker 0"))
    own_server.start()
    # The master hears of it from nobody, and asks for no calm.
    assert daemon.stop() == 0
    assert daemon.lines("worker 0", "redis back after=")


def test_a_worker_comes_up_and_waits_for_a_server_that_is_not_there_yet(own_server, make_daemon):
    own_server.stop()
    daemon = make_daemon(redis_url=own_server.url, settings=ONE_WORKER).start()
    own_server.start()
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.child("worker").restarts == 0


def test_a_finished_job_that_waits_for_a_lost_server_is_neither_killed_for_its_deadline_nor_run_again(
    own_server, make_daemon
):
    settings = {"workers": {"count": 1, "grace_seconds": 0.3}}
    daemon = make_daemon(GATED, redis_url=own_server.url, settings=settings).start()
    gate = daemon.directory / "gate"
    with daemon.client() as client:
        job_id = client.submit_job("return", str(gate), timeout_seconds=1.5)
        worker = daemon.worker_of(job_id)
        own_server.stop()
        gate.touch()
        # For longer than the timeout and the grace together.
        wait_until(lambda: any(float(seconds) > 1.9 for seconds in lost_lines(daemon, "worker 0")))
        assert daemon.entries("end", job_id)
        own_server.start()
        job = client.wait(job_id, 30)
    assert (job.status, job.result, job.run, job.attempts) == (Status.COMPLETED, 7, 1, 1)
    assert starts(daemon, job_id) == 1
    assert daemon.child("worker").pid == worker.pid


def test_a_failed_job_that_waits_for_a_lost_server_is_charged_once(own_server, make_daemon):
    daemon = make_daemon(GATED, redis_url=own_server.url, settings=ONE_WORKER).start()
    gate = daemon.directory / "gate"
    with daemon.client() as client:
        job_id = client.submit_job("fail", str(gate))
        daemon.worker_of(job_id)
        own_server.stop()
        gate.touch()
        wait_until(lambda: daemon.entries("end", job_id) and lost_lines(daemon, "worker 0"))
        own_server.start()
        job = client.wait(job_id, 30)
    assert (job.status, job.run, job.attempts, job.recoveries) == (Status.FAILED, 1, 1, 0)


def test_a_cut_reply_to_a_claim_loses_and_doubles_nothing(server, proxy, make_daemon):
    daemon = make_daemon(redis_url=proxy.url, settings=ONE_WORKER)
    with daemon.client() as client:
        job_id = client.submit_job("note", {})
        dropped = proxy.drop_next_reply(digest("claim"))
        daemon.start()
        job = client.wait(job_id, 30)
    assert dropped.is_set()
    # The first run was never heard of.
    assert (job.status, job.run, job.attempts, job.recoveries) == (Status.COMPLETED, 2, 1, 0)
    assert starts(daemon, job_id) == 1
    wait_until(lambda: not server.call("KEYS", "*held*"))


@pytest.mark.parametrize(
    ("transition", "name", "status", "runs"),
    [
        ("complete", "return", Status.COMPLETED, 1),
        ("retry", "retry", Status.COMPLETED, 2),
        ("bury", "bury", Status.FAILED, 1),
    ],
)
def test_a_cut_reply_to_a_settle_loses_and_doubles_nothing(
    server, proxy, make_daemon, transition, name, status, runs
):
    daemon = make_daemon(GATED, redis_url=proxy.url, settings=ONE_WORKER).start()
    gate = daemon.directory / "gate"
    with daemon.client() as client:
        job_id = client.submit_job(name, str(gate))
        daemon.worker_of(job_id)
        dropped = proxy.drop_next_reply(digest(transition))
        # The claim that travels with the settle takes this one, whose first run nobody hears of.
        next_id = client.submit_job("note", {})
        gate.touch()
        job, following = client.wait(job_id, 10), client.wait(next_id, 30)
    assert dropped.is_set()
    assert (job.status, starts(daemon, job_id), job.run) == (status, runs, runs)
    assert (following.status, starts(daemon, next_id), following.run) == (Status.COMPLETED, 1, 2)
    assert following.recoveries == 0
    completed = server.call("HGET", "{bananas:default}:stats", "completed")
    assert int(completed) == 1 + (status is Status.COMPLETED)
    wait_until(lambda: not server.call("KEYS", "*held*"))


def test_a_cut_reply_to_the_release_of_a_drain_loses_and_doubles_nothing(proxy, make_daemon):
    daemon = make_daemon(redis_url=proxy.url, settings=ONE_WORKER).start()
    with daemon.client() as client:
        job_id = client.submit_job("note", {"seconds": 1000})
        wait_until(lambda: daemon.entries("start", job_id))
        dropped = proxy.drop_next_reply(digest("release"))
        assert daemon.stop() == 0
        job = client.get_job(job_id)
    assert dropped.is_set()
    assert (job.status, job.run, job.attempts, job.recoveries) == (Status.PENDING, 1, 0, 0)


def test_a_claim_by_a_recovered_holder_does_nothing_and_the_worker_enters_anew(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings=ONE_WORKER).start()
    (path,) = boards_in(daemon.run_dir)
    board = Board.open(path)
    (row,) = (row for row in board.used_rows() if row.slot_name == "worker 0")
    wait_until(lambda: server.call("SISMEMBER", "{bananas:default}:holders", row.holder(board.node)))
    connection = HeldConnection(Server(server.url, 5))
    holder, store = row.holder(board.node), Store(connection, "default")
    store.recover(holder)
    with daemon.client() as client:
        job = client.wait(client.submit_job("note", {}), 30)
    assert store.settle_and_claim([], holder, board.node, lanes_of(("default",)), 1)[1].is_gone
    connection.close()
    assert row.words[Word.TRIP] == 2
    # The old holder took nothing: this is the first run.
    assert (job.status, job.run) == (Status.COMPLETED, 1)


def test_a_job_whose_holder_was_recovered_is_interrupted_and_what_it_reports_is_refused(server, make_daemon):
    daemon = make_daemon(
        """
        @handler("held")
        def run_held(job):
            note(job, "start")
            if job.run == 1:
                time.sleep(1000)
            return job.run
        """,
        redis_url=server.url,
        settings={"workers": {"count": 1, "grace_seconds": 7}},
    ).start()
    (path,) = boards_in(daemon.run_dir)
    board = Board.open(path)
    (row,) = (row for row in board.used_rows() if row.slot_name == "worker 0")
    with daemon.client() as client:
        job_id = client.submit_job("held", {})
        wait_until(lambda: daemon.entries("start", job_id))
        connection = HeldConnection(Server(server.url, 5))
        Store(connection, "default").recover(row.holder(board.node))
        connection.close()
        job = client.wait(job_id, 30)
    assert (job.result, job.run, job.attempts, job.recoveries) == (2, 2, 1, 0)
    assert f"outcome refused id={job_id}" in daemon.log_text()


def test_a_refusal_of_one_command_is_tried_about_once_a_second(server, proxy, make_daemon):
    server.call("CONFIG", "RESETSTAT")
    began = time.monotonic()
    server.call("ACL", "SETUSER", "worker", "on", ">pass", "~*", "&*", "+@all", "-blpop")
    daemon = make_daemon(redis_url=proxy.url.replace("//", "//worker:pass@"), settings=ONE_WORKER).start()
    try:
        wait_until(lambda: len(lost_lines(daemon, "worker 0")) >= 2)
        with Client(server.url) as client:
            assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
        calls = re.search(rb"cmdstat_blpop:.*rejected_calls=(\d+)", server.call("INFO", "commandstats"))
    finally:
        server.call("ACL", "DELUSER", "worker")
    # The worker and the scheduler, each at 0, 0, and then after 0.6 s at the least.
    assert int(calls[1]) <= 2 * (2 + (time.monotonic() - began) / 0.6)
    assert daemon.child("worker").restarts == 0
