"""``bananasd explain`` against a real server."""

import json
import re
from datetime import timedelta

import pytest

from bananasd import Client, Priority
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys
from bananasd.store.store import Store
from tests.command_line import bananasd, bury, complete, on
from tests.conftest import RedisServer

NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"
KEYS = Keys("default")


@pytest.fixture
def node(server: RedisServer) -> None:
    """One with a worker for the lane default:normal, which does nothing."""
    connection = HeldConnection(Server(server.url, 5))
    store = Store(connection, "default")
    store.enter("n2/1.1", "n2", 60_000, {"greet": b"{}"})
    store.beat("n2", 60_000, b'{"lanes": {"default:normal": 1}}', [])
    connection.close()


def test_the_sentence_comes_first_and_then_the_facts(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None, Priority.HIGH, queue="mail")
    result = bananasd("explain", job_id, *on(server))
    sentence, empty, *facts = result.stdout.splitlines()
    assert result.exit_code == 0
    assert sentence == "No live worker takes jobs of queue mail, priority high: no node is live."
    assert empty == ""
    assert {tuple(line.split(maxsplit=1)) for line in facts} >= {
        ("reason", "unserved"), ("queue", "mail"), ("live_nodes", "0"), ("was_moved", "no"),
    }  # fmt: skip


def test_as_json(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    told = json.loads(bananasd("explain", job_id, "--json", *on(server)).stdout)
    assert told == client.explain(job_id).to_dict()
    assert (told["job_id"], told["reason"], told["evidence"]["ahead"]) == (job_id, "unserved", 0)


@pytest.mark.usefixtures("node")
def test_a_second_look_tells_how_fast_those_before_it_go(server: RedisServer, client: Client) -> None:
    *_, job_id = (client.submit_job("greet", None) for _ in range(4))
    once = json.loads(bananasd("explain", job_id, "--look", "0", "--json", *on(server)).stdout)
    assert (once["sentence"], once["evidence"]["rate_per_second"]) == ("It waits behind about 3 jobs.", None)
    again = bananasd("explain", job_id, "--look", "0.05", *on(server)).stdout
    assert re.match(r"It waits behind about 3 jobs, which did not become fewer in \d", again)


@pytest.mark.usefixtures("node")
def test_what_becomes_of_it_between_two_looks_is_told(
    server: RedisServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = client.submit_job("greet", None), client.submit_job("greet", None)
    waits = client._pool.server.waits
    monkeypatch.setattr(waits, "sleep", lambda _seconds: (complete(server), complete(server)))
    assert client.explain(job_id).reason == "completed"


def test_a_job_that_is_not_there_is_an_answer_and_exit_code_1(server: RedisServer) -> None:
    result = bananasd("explain", NO_JOB, *on(server))
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith(f"There is no job {NO_JOB}: ")
    assert json.loads(bananasd("explain", NO_JOB, "--json", *on(server)).stdout)["reason"] == "not_found"


def test_what_a_job_holds_cannot_drive_the_terminal(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    bury(server, "no\x1b[2J")
    result = bananasd("explain", job_id, *on(server))
    assert "no\\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(("args", "code"), [(["7"], 2), ([NO_JOB, "--look", "61"], 2), ([NO_JOB, "--look", "x"], 2), ([], 2)])  # fmt: skip
def test_what_could_never_be_right_is_a_wrong_usage(server: RedisServer, args: list[str], code: int) -> None:
    result = bananasd("explain", *args, *on(server))
    assert (result.exit_code, result.stdout) == (code, "")


def test_a_record_of_another_type_is_for_the_doctor(server: RedisServer) -> None:
    server.call("SET", KEYS.job(NO_JOB), "x")
    result = bananasd("explain", NO_JOB, *on(server))
    assert (result.exit_code, result.stdout) == (69, "")
    assert result.stderr == (
        "bananasd: the server refused: WRONGTYPE: a key of this namespace has a type that it must not have; "
        "'bananasd doctor' names it, and with --repair mends that\n"
    )
    assert bananasd("doctor", "--repair", *on(server)).exit_code == 0
    assert bananasd("explain", NO_JOB, *on(server)).stdout.startswith("It is dead: ")


def test_a_server_that_is_not_there(own_server: RedisServer) -> None:
    own_server.stop()
    result = bananasd("explain", NO_JOB, "--url", own_server.url, "--config", "/dev/null")
    assert (result.exit_code, result.stdout) == (69, "")


def test_numbers_are_told_as_people_read_them(server: RedisServer, client: Client) -> None:
    later = client.submit_job_scheduled("greet", None, Priority.LOW, timedelta(hours=1))
    lines = dict(
        line.split(maxsplit=1) for line in bananasd("explain", later, *on(server)).stdout.splitlines()[2:]
    )
    assert re.fullmatch(r"3,[56]\d\d\.\d", lines["due_in_seconds"])
    assert lines["attempts"] == "0"
