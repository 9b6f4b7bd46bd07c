"""``bananasd cancel`` against a real server."""

from collections.abc import Iterator

import pytest

from bananasd import Client, Status
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Completed
from bananasd.store.store import Store
from tests.command_line import HOLDER, NODE, bananasd, complete, on
from tests.conftest import RedisServer

NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture
def job_id(client: Client) -> str:
    return client.submit_job("greet", None)


@pytest.fixture
def worker(server: RedisServer, job_id: str) -> Iterator[Store]:
    """One that runs the job."""
    connection = HeldConnection(Server(server.url, 5))
    store = Store(connection, "default")
    store.enter(HOLDER, NODE, 60_000, {})
    assert len(store.settle_and_claim([], HOLDER, NODE, lanes_of(("default",)), 1)[1].jobs) == 1
    yield store
    connection.close()


def test_a_job_that_waits_is_cancelled(server: RedisServer, client: Client, job_id: str) -> None:
    for _ in range(2):
        result = bananasd("cancel", job_id, *on(server))
        assert (result.exit_code, result.stdout) == (0, "cancelled\n")
    assert client.get_job(job_id).status is Status.CANCELLED


def test_a_job_that_runs_is_left_alone_and_the_options_are_named(
    server: RedisServer, client: Client, job_id: str, worker: Store
) -> None:
    result = bananasd("cancel", job_id, *on(server))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "runs: add --running to have it end, or --hard to have its worker killed" in result.stderr
    assert worker.settle([Completed(HOLDER, job_id, 1, b"")]) == []
    assert client.get_job(job_id).status is Status.COMPLETED


@pytest.mark.parametrize(("option", "how"), [("--running", "soft"), ("--hard", "hard")])
def test_a_job_that_runs_is_told_to_end(
    server: RedisServer, client: Client, job_id: str, worker: Store, option: str, how: str
) -> None:
    result = bananasd("cancel", job_id, option, *on(server))
    assert (result.exit_code, result.stdout) == (0, "it runs, and has been told to end\n")
    assert server.call("HGET", worker.keys.job(job_id), "cancel") == how.encode()
    assert worker.settle([Completed(HOLDER, job_id, 1, b"")]) == []
    assert client.get_job(job_id).status is Status.CANCELLED


def test_a_job_that_has_ended_or_is_not_there_is_a_failure(server: RedisServer, job_id: str) -> None:
    complete(server)
    result = bananasd("cancel", job_id, "--hard", *on(server))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be cancelled any more: it is completed" in result.stderr
    assert bananasd("cancel", NO_JOB, *on(server)).exit_code == 1
    assert bananasd("cancel", "7", *on(server)).exit_code == 2
