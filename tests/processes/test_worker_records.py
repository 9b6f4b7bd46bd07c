"""Jobs that cannot be run as they are: nobody has a handler, or nobody can read them."""

import pytest

from bananasd import Status

PREFIX = "{bananas:default}:"


@pytest.fixture
def call(daemon):
    """A command to the daemon's server."""
    from bananasd.store.connection import HeldConnection, Server

    connection = HeldConnection(Server(daemon.url, 5))
    yield lambda *command: connection.trip([command])[0]
    connection.close()


def test_a_missing_handler_is_a_failed_attempt_that_names_it(run):
    job = run("", name="nobody", max_retries=0)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "no handler is loaded for the name 'nobody'"


@pytest.mark.parametrize(
    ("policy", "attempts"),
    [
        ('{"max_retries":0}', 1),
        ('{"max_retries":1}', 2),
        ('{"max_retries":null}', 6),
        ("garbage", 6),
        ("[1]", 6),
        ('{"max_retries":"many"}', 6),
        ('{"max_retries":null,"retry":[0.01]}', 2),
        ('{"max_retries":2,"retry":[0.01]}', 3),
        ('{"retry":[]}', 6),
    ],
)
def test_a_missing_handlers_retries_are_those_that_another_worker_declared_if_that_can_be_read(
    run, call, restarts, policy, attempts
):
    call("HSET", f"{PREFIX}handlers", "elsewhere", policy)
    job = run("", name="elsewhere")
    assert (job.status, job.attempts) == (Status.FAILED, attempts)
    assert restarts() == 0


@pytest.mark.parametrize(
    ("job_id", "spec", "reason"),
    [
        ("11111111-1111-4111-8111-111111111111", "garbage", "its spec is not JSON"),
        ("21111111-1111-4111-8111-111111111111", '{"v":1,"name":"tested"}', "its spec has no payload"),
        ("31111111-1111-4111-8111-111111111111", '{"v":2}', "its spec has version 2"),
        ("7", '{"v":1,"name":"tested","payload":""}', "its id is no UUID"),
        (
            "A1111111-1111-4111-8111-111111111111",
            '{"v":1,"name":"tested","payload":""}',
            "its id is no UUID",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_dead_with_the_reason(run, call, restarts, job_id, spec, reason):
    lane = "default:high"
    call("HSET", f"{PREFIX}job:{job_id}", "spec", spec, "lane", lane, "status", "pending")
    call("RPUSH", f"{PREFIX}ready:{lane}", job_id)
    assert run("result = 3").result == 3
    assert (
        call("HGET", f"{PREFIX}job:{job_id}", "error").decode().startswith(f"the job cannot be run: {reason}")
    )
    assert call("ZSCORE", f"{PREFIX}dead", job_id)
    assert restarts() == 0
