"""``bananasd reprioritise`` and ``bananasd reschedule`` against a real server."""

from datetime import UTC, datetime, timedelta

import pytest

from bananasd import Client, Status
from tests.command_line import bananasd, complete, on
from tests.conftest import RedisServer

NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture
def job_id(client: Client) -> str:
    return client.submit_job("greet", None)


def test_a_job_gets_another_priority(server: RedisServer, client: Client, job_id: str) -> None:
    result = bananasd("reprioritise", job_id, "high", *on(server))
    assert (result.exit_code, result.stdout) == (0, "moved to queue default, priority high\n")
    assert client.get_job(job_id).priority == "high"
    result = bananasd("reprioritise", job_id, "high", *on(server))
    assert (result.exit_code, result.stdout) == (0, "already in queue default, priority high\n")


def test_a_job_gets_another_queue(server: RedisServer, client: Client, job_id: str) -> None:
    result = bananasd("reprioritise", job_id, "low", "--queue", "mail", *on(server))
    assert result.stdout == "moved to queue mail, priority low\n"
    assert client.get_job(job_id).queue == "mail"


def test_a_job_is_put_off(server: RedisServer, client: Client, job_id: str) -> None:
    result = bananasd("reschedule", job_id, "2h", *on(server))
    job = client.get_job(job_id)
    assert result.stdout == f"due at {job.scheduled_for.isoformat(timespec='seconds')}\n"
    ahead = job.scheduled_for - datetime.now(UTC)
    assert timedelta(minutes=119) < ahead < timedelta(minutes=121)


def test_a_job_is_had_at_an_instant_or_now(server: RedisServer, client: Client, job_id: str) -> None:
    result = bananasd("reschedule", job_id, "2100-01-31T09:00+01:00", *on(server))
    assert result.stdout == "due at 2100-01-31T08:00:00+00:00\n"
    assert bananasd("reschedule", job_id, "now", *on(server)).stdout == "due now\n"
    assert client.get_job(job_id).status is Status.PENDING
    assert bananasd("reschedule", job_id, "now", *on(server)).stdout.startswith("it is due already")


@pytest.mark.parametrize("command", [("reprioritise", "high"), ("reschedule", "now")])
def test_a_job_that_has_ended_or_is_not_there_is_a_failure(
    server: RedisServer, job_id: str, command: tuple[str, str]
) -> None:
    complete(server)
    result = bananasd(command[0], job_id, command[1], *on(server))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is completed: only one that is pending or scheduled can be moved" in result.stderr
    assert bananasd(command[0], NO_JOB, command[1], *on(server)).exit_code == 1


@pytest.mark.parametrize(
    "args",
    [("reprioritise", "7", "high"), ("reprioritise", NO_JOB, "urgent"), ("reprioritise", NO_JOB, "low", "--queue", "a b"),
     ("reschedule", NO_JOB, "soon"), ("reschedule", NO_JOB, "2030-01-01T00:00"), ("reschedule", NO_JOB)],
)  # fmt: skip
def test_what_can_never_be_right_is_wrong_usage_and_one_line(
    server: RedisServer, args: tuple[str, ...]
) -> None:
    result = bananasd(*args, *on(server))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
