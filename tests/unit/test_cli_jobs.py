"""``bananasd job`` and ``bananasd queues`` against a real server."""

import json
from datetime import timedelta

import pytest

from bananasd import Client, Priority
from bananasd.cli.waiting import show_progress
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys
from bananasd.store.store import Store
from tests.command_line import bananasd, bury, complete, meanwhile, on
from tests.conftest import RedisServer

NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


def test_a_pending_job(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", {"to": "ä"}, Priority.HIGH, "hello\x1b[31m", queue="mail")
    lines = [line.split(maxsplit=1) for line in bananasd("job", job_id, *on(server)).stdout.splitlines()]
    shown = dict(lines)
    assert shown["id"] == job_id
    assert shown["name"] == "greet"
    assert shown["description"] == "hello\\x1b[31m"
    assert shown["payload"] == '{"to": "ä"}'
    assert shown["queue"] == "mail, priority high"
    assert shown["status"] == "pending"
    assert "result" not in shown
    assert "error" not in shown


UNSERVED = "bananasd: warning: unserved: no live worker takes jobs of queue mail, priority high\n"


def test_a_job_that_waits_where_no_worker_is_is_told_as_such(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None, Priority.HIGH, queue="mail")
    assert bananasd("job", job_id, *on(server)).stderr == UNSERVED
    assert bananasd("job", job_id, "--wait", "0", *on(server)).stderr.startswith(UNSERVED)
    connection = HeldConnection(Server(server.url, 5))
    Store(connection, "default").beat("n1", 60_000, b'{"lanes": {"mail:high": 1}}', [])
    connection.close()
    assert bananasd("job", job_id, *on(server)).stderr == ""
    client.cancel(job_id)
    assert bananasd("job", job_id, *on(server)).stderr == ""


QUIET = (
    b'{"phase": "quiet", "would_serve": ["mail:high", "mail:low"], "host": "web\\u001b1", "master_pid": 7}'
)
WHY = "node n1 is quiet ('kill -CONT 7' on web\\x1b1 lets it go on)"


def test_who_would_serve_a_lane_but_is_quiet_is_told(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None, Priority.HIGH, queue="mail")
    client.submit_job("greet", None, Priority.LOW, queue="mail")
    connection = HeldConnection(Server(server.url, 5))
    Store(connection, "default").beat("n1", 60_000, QUIET, [])
    connection.close()
    assert bananasd("job", job_id, *on(server)).stderr == f"{UNSERVED.rstrip()}: {WHY}\n"
    shown = [line.split(maxsplit=1) for line in bananasd("queues", *on(server)).stdout.splitlines() if line]
    assert [words for name, words in shown if name == "unserved"] == [f"mail high, mail low: {WHY}"]


def test_a_completed_job_has_its_result(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    complete(server, b'{"greeting":"hi"}')
    shown = bananasd("job", job_id, *on(server)).stdout
    assert "completed" in shown
    assert '{"greeting": "hi"}' in shown


def test_a_failed_job_has_its_whole_error_at_the_end(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    bury(server, "Traceback:\n  here\nValueError: no")
    lines = bananasd("job", job_id, *on(server)).stdout.splitlines()
    assert [line.split() for line in lines[-3:]] == [["error", "Traceback:"], ["here"], ["ValueError:", "no"]]


def test_a_job_as_json(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", ["ä"])
    result = bananasd("job", job_id, "--json", *on(server))
    assert json.loads(result.stdout) == client.get_job(job_id).to_dict()


@pytest.mark.parametrize("options", [["--wait"], ["--wait", "10s"]])
@pytest.mark.parametrize("is_first", [True, False])
def test_waiting_for_a_job(server: RedisServer, client: Client, options: list[str], is_first: bool) -> None:
    job_id = client.submit_job("greet", None)
    with meanwhile(complete, server, b"7"):
        result = bananasd(
            "job", *([*options, job_id] if is_first else [job_id, *options]), "--json", *on(server)
        )
    told = json.loads(result.stdout)
    assert (result.exit_code, told["status"], told["result"]) == (0, "completed", 7)


def test_waiting_for_a_job_whose_id_begins_with_a_digit(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None, job_id=NO_JOB)
    client.cancel(NO_JOB)
    result = bananasd("job", "--wait", NO_JOB, *on(server))
    assert (result.exit_code, "cancelled" in result.stdout) == (1, True)


def test_waiting_too_long_for_a_job(server: RedisServer, client: Client) -> None:
    job_id = client.submit_job("greet", None)
    result = bananasd("job", job_id, "--wait", "0", *on(server))
    assert (result.exit_code, result.stdout) == (75, "")
    assert "is still pending after 0 s" in result.stderr


def test_a_job_that_is_not_there(server: RedisServer) -> None:
    result = bananasd("job", NO_JOB, *on(server))
    assert (result.exit_code, result.stdout) == (1, "")
    assert NO_JOB in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_id_that_is_none(server: RedisServer) -> None:
    assert bananasd("job", "7", *on(server)).exit_code == 2


@pytest.mark.parametrize("command", ["job 6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f", "queues", "dead list"])
def test_a_server_that_is_not_there(command: str, own_server: RedisServer) -> None:
    own_server.stop()
    result = bananasd(*command.split(), "--url", own_server.url, "--config", "/dev/null")
    assert (result.exit_code, result.stdout) == (69, "")
    assert result.stderr.startswith(f"bananasd: {own_server.url}: ")


@pytest.mark.parametrize(
    ("done", "total", "note", "shown"),
    [(3, 5, "sums", "3 of 5: sums"), (0.5, None, "", "0.5"), (1e15, 2e15, "", "1e+15 of 2e+15")],
)
def test_progress_in_words(done: float, total: float | None, note: str, shown: str) -> None:
    assert show_progress({"done": done, "total": total, "note": note}) == shown


def test_queues_of_an_empty_server(server: RedisServer) -> None:
    result = bananasd("queues", *on(server))
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines() if line] == [
        ["QUEUE", "PRIORITY", "READY", "OLDEST", "RATE", "WORKERS"],
        ["processing", "0"],
        ["scheduled", "0"],
        ["dead", "0"],
    ]


def test_queues_count_by_lane(server: RedisServer, client: Client) -> None:
    for _ in range(2):
        client.submit_job("greet", None, Priority.HIGH)
    client.submit_job("greet", None, Priority.LOW, queue="mail")
    client.submit_job_scheduled("greet", None, Priority.LOW, timedelta(hours=1))
    lines = [line.split() for line in bananasd("queues", *on(server)).stdout.splitlines() if line]
    assert lines[1][:3] == ["default", "high", "2"]
    assert lines[1][3].endswith("s")
    assert lines[1][4:] == ["-", "unserved"]
    assert ["default", "low", "0", "-", "-", "0"] in lines
    assert ["mail", "low", "1"] in [line[:3] for line in lines]
    assert ["scheduled", "1"] in lines


def test_queues_as_json(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None, Priority.HIGH)
    told = json.loads(bananasd("queues", "--json", *on(server)).stdout)
    assert told["lanes"][0] | {"oldest_seconds": 0} == {
        "queue": "default", "priority": "high", "ready": 1, "oldest_seconds": 0, "workers": 0, "runs_per_second": None, "why_unserved": "",
    }  # fmt: skip
    assert {told[name] for name in ("processing", "scheduled", "dead")} == {0}
    assert isinstance(told["counters"], dict)


def test_queues_tell_how_many_jobs_a_second_while_a_daemon_is_live(
    server: RedisServer, client: Client
) -> None:
    client.submit_job("greet", None)
    assert "a second" not in bananasd("queues", *on(server)).stdout
    connection = HeldConnection(Server(server.url, 5))
    Store(connection, "default").beat("n1", 60_000, b"{}", [])
    connection.close()
    keys, (seconds, _) = Keys("default"), server.call("TIME")
    server.call("HSET", keys.node("n1"), "counted", f"{int(seconds) * 1000 - 10_000} dead 3")
    server.call("HSET", keys.stats, "completed", 100, "retried", 50, "dead", 3)
    (line,) = [
        line for line in bananasd("queues", *on(server)).stdout.splitlines() if line.startswith("a second")
    ]
    words = line.split()
    assert words[3::2] == ["submitted,", "completed,", "failed"]
    assert pytest.approx([float(word) for word in words[2::2]], rel=0.15) == [0.1, 10, 5]
    told = json.loads(bananasd("queues", "--json", *on(server)).stdout)["rates"]
    assert (told["dead"], told["retried"]) == (0, pytest.approx(5, rel=0.15))


def test_a_namespace_of_its_own(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None)
    told = json.loads(bananasd("queues", "--json", "--url", server.url, "--namespace", "other").stdout)
    assert told["lanes"] == []
