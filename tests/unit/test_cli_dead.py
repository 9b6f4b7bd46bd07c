"""``bananasd dead`` against a real server."""

import json

import pytest

from bananasd import Client, JobNotFound, Status, clock
from bananasd.store.keys import Keys
from tests.command_line import bananasd, bury, on
from tests.conftest import RedisServer, wait_until

KEYS = Keys("default")
NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture
def dead(server: RedisServer, client: Client) -> list[str]:
    """Three dead jobs, the latest first."""
    ids = [client.submit_job(f"job{n}", n) for n in range(3)]
    for n in range(3):
        bury(server, f"Traceback:\nValueError: {n}\x1b[0m {'x' * 100}\n")
        # Two that die in one millisecond are in no order.
        died_at = clock.now_ms()
        wait_until(lambda: clock.now_ms() > died_at)  # noqa: B023 - called at once
    return ids[::-1]


def test_the_list_begins_with_the_latest(server: RedisServer, dead: list[str]) -> None:
    result = bananasd("dead", "list", *on(server))
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert [line.split()[0] for line in lines[:-1:2]] == dead
    assert lines[0].split()[1:4] == ["job2", "1", "attempt"]
    assert lines[0].endswith("s ago")
    assert lines[1].startswith("    ValueError: 2\\x1b[0m xxx")
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1] == "3 of 3 dead jobs"


def test_the_list_in_pages(server: RedisServer, dead: list[str]) -> None:
    lines = bananasd("dead", "list", "--limit", 1, "--offset", 1, *on(server)).stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1:2]] == dead[1:2]
    assert lines[-1] == "1 of 3 dead jobs"


def test_the_list_as_json(server: RedisServer, dead: list[str]) -> None:
    told = json.loads(bananasd("dead", "list", "--json", *on(server)).stdout)
    assert [job["id"] for job in told] == dead


def test_no_command_shows_the_secret_of_a_url_in_an_error(server: RedisServer, client: Client) -> None:
    error = "Traceback:\n  here\nValueError: redis://user:s3cret@host:1/0 is gone"
    job_id = client.submit_job("greet", None)
    bury(server, error)
    for command in (["dead", "list"], ["dead", "show", job_id], ["job", job_id], ["explain", job_id]):
        for form in ([], ["--json"]):
            shown = bananasd(*command, *form, *on(server)).stdout
            assert ("redis://***@host:1/0 is gone" in shown, "s3cret" in shown) == (True, False), command
    # Who asks as a program gets it as it was raised.
    assert client.get_job(job_id).error == error


def test_nothing_is_dead(server: RedisServer) -> None:
    assert bananasd("dead", "list", *on(server)).stdout == "0 of 0 dead jobs\n"


def test_one_dead_job(server: RedisServer, dead: list[str]) -> None:
    shown = bananasd("dead", "show", dead[0], *on(server)).stdout
    assert "Traceback:" in shown
    assert json.loads(bananasd("dead", "show", dead[0], "--json", *on(server)).stdout)["id"] == dead[0]


def test_a_job_that_is_not_dead(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    result = bananasd("dead", "show", job_id, *on(server))
    assert result.exit_code == 1
    assert result.stderr == f"bananasd: job {job_id} is not dead, it is pending\n"


def test_retry_by_id(server: RedisServer, client: Client, dead: list[str]) -> None:
    result = bananasd("dead", "retry", dead[0].upper(), dead[0], *on(server))
    assert (result.exit_code, result.stdout) == (0, "1 job put back\n")
    assert client.get_job(dead[0]).status is Status.PENDING
    assert client.get_job(dead[1]).status is Status.FAILED


def test_retry_of_all(server: RedisServer, client: Client, dead: list[str]) -> None:
    assert bananasd("dead", "retry", "--all", *on(server)).stdout == "3 jobs put back\n"
    assert client.queue_stats().dead == 0


def test_retry_names_what_was_not_dead(server: RedisServer, dead: list[str]) -> None:
    result = bananasd("dead", "retry", dead[0], NO_JOB, *on(server))
    assert (result.exit_code, result.stdout) == (1, "1 job put back\n")
    assert NO_JOB in result.stderr


def test_retry_tells_of_a_job_whose_unique_key_another_has(server: RedisServer, client: Client) -> None:
    dead = client.submit_job("report", None, unique_key="night")
    bury(server, "no")
    client.submit_job("report", None, unique_key="night")
    told = f"job {dead} stays dead, since another job has its unique key 'night'; retry it when that one has ended"
    result = bananasd("dead", "retry", dead, *on(server))
    assert (result.exit_code, result.stdout) == (1, "0 jobs put back\n")
    assert result.stderr == f"bananasd: {told}\n"
    result = bananasd("dead", "retry", dead, NO_JOB, *on(server))
    assert (
        result.stderr
        == f"bananasd: 1 of 2 jobs not among the dead, or without a record that could run: {NO_JOB}; {told}\n"
    )
    assert client.get_job(dead).status is Status.FAILED


def test_purge_asks_first(server: RedisServer, client: Client, dead: list[str]) -> None:
    refused = bananasd("dead", "purge", "--all", *on(server), stdin="n\n")
    assert refused.exit_code == 1
    assert "Delete 3 dead jobs for good?" in refused.stdout
    assert client.queue_stats().dead == 3
    assert bananasd("dead", "purge", "--all", *on(server), stdin="y\n").exit_code == 0
    assert client.queue_stats().dead == 0


def test_purge_without_an_answer_deletes_nothing(
    server: RedisServer, client: Client, dead: list[str]
) -> None:
    assert bananasd("dead", "purge", "--all", *on(server), stdin="").exit_code == 1
    assert client.queue_stats().dead == 3


def test_purge_by_id(server: RedisServer, client: Client, dead: list[str]) -> None:
    result = bananasd("dead", "purge", "--yes", dead[0], *on(server))
    assert (result.exit_code, result.stdout) == (0, "1 job deleted\n")
    with pytest.raises(JobNotFound):
        client.get_job(dead[0])
    assert client.queue_stats().dead == 2


def test_purge_tells_when_some_were_not_dead(server: RedisServer, dead: list[str]) -> None:
    result = bananasd("dead", "purge", "--yes", dead[0], NO_JOB, *on(server))
    assert (result.exit_code, result.stdout) == (1, "1 job deleted\n")
    assert result.stderr == f"bananasd: 1 of 2 jobs not among the dead: {NO_JOB}\n"


def test_purge_takes_an_id_in_several_forms_for_one(
    server: RedisServer, client: Client, dead: list[str]
) -> None:
    result = bananasd("dead", "purge", "--yes", dead[0], dead[0].upper(), dead[0], *on(server))
    assert (result.exit_code, result.stdout) == (0, "1 job deleted\n")
    assert client.queue_stats().dead == 2


FOREIGN = ["not-a-uuid", "a/b", "..", "", "\udcff<b>", NO_JOB.upper(), NO_JOB.replace("-", "")]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_dead_job_of_a_foreign_id_is_shown(server: RedisServer, foreign: str) -> None:
    server.call("HSET", KEYS.job(foreign), "status", "failed", "error", "no such thing")
    shown = bananasd("dead", "show", foreign, *on(server))
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "no such thing" in shown.stdout


def test_a_dead_job_that_is_not_there_is_named(server: RedisServer) -> None:
    result = bananasd("dead", "show", "a/b", *on(server))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bananasd: no job 'a/b': ")


def test_one_dead_job_is_found_by_its_id_in_any_form(server: RedisServer, dead: list[str]) -> None:
    for form in (dead[0].upper(), dead[0].replace("-", "")):
        shown = bananasd("dead", "show", form, "--json", *on(server))
        assert json.loads(shown.stdout)["id"] == dead[0]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_dead_job_of_a_foreign_id_is_deleted_as_it_was_written(server: RedisServer, foreign: str) -> None:
    server.call("ZADD", KEYS.dead, 1, foreign)
    result = bananasd("dead", "retry", foreign, *on(server))
    assert (result.exit_code, result.stdout) == (1, "0 jobs put back\n")
    assert "without a record that could run: " in result.stderr
    result = bananasd("dead", "purge", "--yes", foreign, *on(server))
    assert (result.exit_code, result.stdout) == (0, "1 job deleted\n")
    assert server.call("ZCARD", KEYS.dead) == 0


@pytest.mark.parametrize("command", ["retry", "purge"])
@pytest.mark.parametrize("choice", [[], ["--all", NO_JOB]], ids=["nothing", "both"])
def test_an_unclear_choice_touches_nothing(
    server: RedisServer, client: Client, dead: list[str], command: str, choice: list[str]
) -> None:
    assert bananasd("dead", command, *choice, *on(server)).exit_code == 2
    assert client.queue_stats().dead == 3


def test_what_somebody_else_pushed_and_was_buried_is_deleted_by_what_it_is(
    server: RedisServer, dead: list[str]
) -> None:
    for foreign in (b"not-a-uuid", b"\xff<b>"):
        server.call("ZADD", KEYS.dead, 1, foreign)
    result = bananasd("dead", "retry", dead[0], "not-a-uuid", *on(server))
    assert (result.exit_code, result.stdout) == (1, "1 job put back\n")
    assert "without a record that could run: not-a-uuid" in result.stderr
    result = bananasd("dead", "purge", "--yes", "not-a-uuid", "\udcff<b>", dead[1], *on(server))
    assert (result.exit_code, result.stdout) == (0, "3 jobs deleted\n")
