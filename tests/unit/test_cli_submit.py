"""``bananasd submit`` against a real server."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bananasd import Client, Status
from bananasd.retry import Delays
from tests.command_line import bananasd, bury, complete, meanwhile, on
from tests.conftest import RedisServer

JOB_ID = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


def test_it_prints_the_id_of_the_job(server: RedisServer, client: Client) -> None:
    result = bananasd("submit", "greet", "--payload", '{"to": "ä"}', *on(server))
    assert (result.exit_code, result.stderr) == (0, "")
    job = client.get_job(result.stdout.strip())
    assert (job.name, job.payload, job.status) == ("greet", {"to": "ä"}, Status.PENDING)


def test_every_option_reaches_the_job(server: RedisServer, client: Client) -> None:
    result = bananasd(
        "submit", "greet", "--priority", "high", "--queue", "mail", "--description", "a greeting",
        "--max-retries", 2, "--timeout", "1.5m", "--expires-in", "2h", "--retry", "1s, 2m,0.5", "--on-lost", "dead",
        "--header", "tenant=7", "--header", "empty=", "--header", "a=b=c", "--id", JOB_ID, *on(server),
    )  # fmt: skip
    assert result.stdout == f"{JOB_ID}\n"
    job = client.get_job(JOB_ID)
    assert timedelta(hours=1) < job.expires_at - job.created_at < timedelta(hours=3)
    assert (job.priority, job.queue, job.description) == ("high", "mail", "a greeting")
    assert (job.max_retries, job.timeout_seconds, job.payload) == (2, 90, None)
    assert (job.retry, job.on_lost) == (Delays((1, 120, 0.5)), "dead")
    assert job.headers == {"tenant": "7", "empty": "", "a": "b=c"}


@pytest.mark.parametrize(
    ("header", "reason"), [("tenant", "'tenant' is no header: want NAME=VALUE"), ("=7", "headers, name ''")]
)
def test_what_is_no_header_is_refused(server: RedisServer, header: str, reason: str) -> None:
    result = bananasd("submit", "greet", "--header", header, *on(server))
    assert result.exit_code == 2
    assert reason in result.stderr


def test_a_duplicate_prints_the_id_of_the_job_that_is_there(server: RedisServer, client: Client) -> None:
    options = ("submit", "greet", "--unique-key", "k", "--unique-for", "1h", *on(server))
    job_id = bananasd(*options, "--unique-until", "start").stdout.strip()
    job = client.get_job(job_id)
    assert (job.unique_key, job.status) == ("k", Status.PENDING)
    assert 0 < server.call("PTTL", "{bananas:default}:unique:k") <= 3_600_000
    again = bananasd(*options)
    assert (again.exit_code, again.stdout) == (0, f"{job_id}\n")
    failed = bananasd(*options, "--on-duplicate", "raise")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert f"job {job_id} has the unique key 'k'" in failed.stderr
    replaced = bananasd(*options, "--on-duplicate", "replace").stdout.strip()
    assert (client.get_job(job_id).status, client.get_job(replaced).status) == (
        Status.CANCELLED,
        Status.PENDING,
    )


@pytest.mark.parametrize(
    "option",
    [
        ("--retry", ""),
        ("--retry", "1s,soon"),
        ("--on-lost", "die"),
        ("--unique-for", "5"),
        ("--unique-until", "now"),
    ],
)
def test_a_wish_that_cannot_be_is_wrong_usage(server: RedisServer, option: tuple[str, str]) -> None:
    assert bananasd("submit", "greet", *option, *on(server)).exit_code == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--expires-in", "0"], "Invalid value for '--expires-in': '0' is no time at all"),
        (
            ["--unique-key", "k", "--unique-for", "0s"],
            "Invalid value for '--unique-for': '0s' is no time at all",
        ),
        (["--unique-for", "5"], "--unique-for, --unique-until and --on-duplicate need --unique-key"),
        (["--on-duplicate", "raise"], "--unique-for, --unique-until and --on-duplicate need --unique-key"),
        (["--unique-key", ""], "Invalid value for '--unique-key': key '': want 1 to 200 characters"),
        (["--max-retries", "-1"], "Invalid value for '--max-retries': -1 is not in the range 0<=x<=1000000"),
        (["--retry", ",".join(["1"] * 1001)], "Invalid value for '--retry': 1,001 delays, at most 1,000"),
        (
            ["--at", "2999-01-01T00:00Z"],
            "Invalid value for '--at': '2999-01-01T00:00Z' is more than a century",
        ),
    ],
    ids=lambda value: "_".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_of_the_option_that_was_typed(
    server: RedisServer, options: list[str], told: str
) -> None:
    result = bananasd("submit", "greet", *options, *on(server))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"bananasd: {told}")


def test_json_output(server: RedisServer) -> None:
    result = bananasd("submit", "greet", "--id", JOB_ID, "--json", *on(server))
    assert json.loads(result.stdout) == {"id": JOB_ID}


def test_a_payload_from_a_file(server: RedisServer, client: Client, tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text('["ä", 1]', encoding="utf-8")
    result = bananasd("submit", "greet", "--payload", f"@{tmp_path}/payload.json", *on(server))
    assert client.get_job(result.stdout.strip()).payload == ["ä", 1]


def test_a_payload_from_standard_input(server: RedisServer, client: Client) -> None:
    result = bananasd("submit", "greet", "--payload", "-", *on(server), stdin="[1]\n")
    assert client.get_job(result.stdout.strip()).payload == [1]


def test_a_delay(server: RedisServer, client: Client) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    job = client.get_job(bananasd("submit", "greet", "--in", "5m", *on(server)).stdout.strip())
    assert job.status is Status.SCHEDULED
    assert timedelta(minutes=5) <= job.scheduled_for - before < timedelta(minutes=6)


def test_an_instant(server: RedisServer, client: Client) -> None:
    job = client.get_job(
        bananasd("submit", "greet", "--at", "2100-01-31T09:00+01:00", *on(server)).stdout.strip()
    )
    assert job.scheduled_for == datetime(2100, 1, 31, 8, tzinfo=UTC)


def test_waiting_for_a_job_that_completes(server: RedisServer) -> None:
    with meanwhile(complete, server, b'{"sent":"\\u001b"}'):
        result = bananasd("submit", "greet", "--id", JOB_ID, *on(server), "--wait")
    assert result.exit_code == 0
    job_id, outcome, shown = result.stdout.splitlines()
    assert job_id == JOB_ID
    assert re.fullmatch(r"completed in \d+\.\d{3} s", outcome)
    assert json.loads(shown) == {"sent": "\x1b"}


def test_waiting_for_a_job_that_fails(server: RedisServer) -> None:
    with meanwhile(bury, server, "Traceback …\nValueError: no"):
        result = bananasd("submit", "greet", *on(server), "--wait", "10")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == ["failed after 1 attempt", "Traceback …", "ValueError: no"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_who_waits_for_a_job_is_not_shown_the_secret_of_a_url_in_its_error(
    server: RedisServer, form: list[str]
) -> None:
    with meanwhile(bury, server, "ValueError: redis://user:s3cret@host:1/0"):
        result = bananasd("submit", "greet", *on(server), "--wait", "10", *form)
    assert "ValueError: redis://***@host:1/0" in result.stdout
    assert "s3cret" not in result.output


def test_the_name_may_follow_the_wait(server: RedisServer) -> None:
    for wait in (["--wait"], ["--wait", "10s"]):
        with meanwhile(complete, server):
            assert bananasd("submit", *on(server), *wait, "greet").exit_code == 0


def test_waiting_with_json(server: RedisServer) -> None:
    with meanwhile(complete, server, b"7"):
        result = bananasd("submit", "greet", *on(server), "--wait", "10s", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["status"], told["result"]) == (0, "completed", 7)


def test_waiting_for_a_job_that_is_cancelled(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None, job_id=JOB_ID)
    client.cancel(JOB_ID)
    result = bananasd("submit", "greet", "--id", JOB_ID, *on(server), "--wait")
    assert (result.exit_code, result.stdout.splitlines()[1]) == (1, "cancelled")


def test_waiting_too_long(server: RedisServer) -> None:
    result = bananasd("submit", "greet", "--id", JOB_ID, *on(server), "--wait", "0")
    assert (result.exit_code, result.stdout) == (75, f"{JOB_ID}\n")
    assert result.stderr.splitlines() == [
        "bananasd: warning: unserved: no live worker takes jobs of queue default, priority normal",
        f"bananasd: job {JOB_ID} (greet) is still pending after 0 s",
    ]


@pytest.mark.parametrize(
    "options",
    [
        ["--payload", "{"],
        ["--payload", "[" * 100_000],
        ["--payload", "@/does/not/exist"],
        ["--payload", "99999999999999999999"],
        ["--payload", "NaN"],
        ["--priority", "urgent"],
        ["--in", "soon"],
        ["--at", "2030-01-31"],
        ["--in", "1", "--at", "2030-01-31T00:00Z"],
        ["--queue", "no spaces"],
        ["--max-retries", "-1"],
        ["--id", "7"],
        ["--wait", "soon"],
        ["--namespace", "no spaces"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_what_can_never_be_right_is_wrong_usage(
    server: RedisServer, client: Client, options: list[str]
) -> None:
    result = bananasd("submit", "greet", *on(server), *options)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert client.queue_stats().ready == 0


def test_a_server_that_is_not_there() -> None:
    result = bananasd("submit", "greet", "--url", "redis://:secret@localhost:1", "--config", "/dev/null")
    assert result.exit_code == 69
    assert result.stderr.startswith("bananasd: redis://localhost:1: ")
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


def test_a_configuration_leads_to_server_and_namespace(server: RedisServer, tmp_path: Path) -> None:
    path = tmp_path / "bananas.toml"
    path.write_text(f'namespace = "mine"\n[redis]\nurl = "{server.url}"\n')
    job_id = bananasd("submit", "greet", "--config", path).stdout.strip()
    with Client(server.url, namespace="mine") as client:
        assert client.get_job(job_id).name == "greet"


def test_the_password_file_is_used(own_server: RedisServer, tmp_path: Path) -> None:
    password = "p@ss:/wörd?#%"
    own_server.call("CONFIG", "SET", "requirepass", password)
    (tmp_path / "password").write_text(f"{password}\n", encoding="utf-8")
    path = tmp_path / "bananas.toml"
    path.write_text(f'[redis]\nurl = "{own_server.url}"\npassword_file = "password"\n')
    assert bananasd("submit", "greet", "--config", path).exit_code == 0


def test_the_environment_leads_to_the_server(server: RedisServer, client: Client) -> None:
    result = bananasd("submit", "greet", "--config", "/dev/null", BANANAS_REDIS_URL=server.url)
    assert client.get_job(result.stdout.strip()).name == "greet"


def test_the_embedded_server_of_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "bananas.toml"
    path.write_text('run_dir = "run"\n[redis]\ntimeout_seconds = 0.1\n')
    result = bananasd("submit", "greet", "--config", path)
    assert result.exit_code == 69
    assert "bananasd start" in result.stderr


def test_a_broken_configuration(tmp_path: Path) -> None:
    path = tmp_path / "bananas.toml"
    path.write_text("[redis]\nurl = 7\n[worker]\ncount = 1\n")
    result = bananasd("submit", "greet", "--config", path)
    assert result.exit_code == 78
    assert [line.startswith(f"bananasd: {path}: ") for line in result.stderr.splitlines()] == [True, True]
