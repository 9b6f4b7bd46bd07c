"""``bananasd doctor`` against a real server."""

import json
from pathlib import Path

import pytest

from bananasd import Client, Status
from bananasd.store.keys import Keys
from tests.command_line import bananasd, complete, on
from tests.conftest import RedisServer

KEYS = Keys("default")
LANE = f"{KEYS.prefix}ready:default:normal"
NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture
def damage(server: RedisServer, client: Client) -> str:
    """A job in no lane, whose id is returned, and twelve ids without a record."""
    job_id = client.submit_job("greet", None)
    server.call("DEL", LANE)
    for n in range(12):
        server.call("RPUSH", LANE, f"{NO_JOB[:-2]}{n:02}")
    return job_id


def test_nothing_is_out_of_order(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None)
    complete(server)
    result = bananasd("doctor", *on(server))
    assert (result.exit_code, result.stdout) == (0, "1 record looked at, everything is in order\n")
    assert bananasd("doctor", "--repair", *on(server)).exit_code == 0


def test_an_empty_server_is_in_order(server: RedisServer) -> None:
    assert bananasd("doctor", *on(server)).stdout == "0 records looked at, everything is in order\n"


def test_faults_are_told_in_words_with_what_would_mend_them(server: RedisServer, damage: str) -> None:
    result = bananasd("doctor", *on(server))
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    start = lines.index("a pending job that is in no lane: 1")
    assert lines[start + 1 : start + 3] == [
        f"    {damage}  ready:default:normal",
        "  a repair: to the end of its lane",
    ]
    start = lines.index("an id without a record: 12")
    assert lines[start + 11 : start + 13] == [
        "    and 2 more",
        "  a repair: to the dead letters, with that reason",
    ]
    assert lines[-1] == "1 record looked at, 13 faults found"
    assert result.stderr == "bananasd: 13 faults found; 'bananasd doctor --repair' mends them\n"


def test_a_repair_mends_them(server: RedisServer, client: Client, damage: str) -> None:
    result = bananasd("doctor", "--repair", *on(server))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("1 record looked at, 13 faults mended\n")
    assert "  mended: to the end of its lane\n" in result.stdout
    assert client.queue_stats().dead == 12
    assert {job.error for job in client.dead_jobs()} == {"its record is missing"}
    assert complete(server) == damage
    assert client.get_job(damage).status is Status.COMPLETED
    assert bananasd("doctor", *on(server)).exit_code == 0


def test_as_json(server: RedisServer, damage: str) -> None:
    result = bananasd("doctor", "--json", *on(server))
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["records"] == 1
    assert len(told["findings"]) == 13
    assert {
        "fault": "in_no_lane",
        "subject": damage,
        "detail": "ready:default:normal",
        "is_mended": False,
        "what": "a pending job that is in no lane",
        "remedy": "to the end of its lane",
    } in told["findings"]
    mended = json.loads(bananasd("doctor", "--json", "--repair", *on(server)).stdout)
    assert all(finding["is_mended"] for finding in mended["findings"])


def test_what_others_wrote_cannot_drive_the_terminal(server: RedisServer) -> None:
    server.call("SET", f"{KEYS.prefix}\x1b[2J".encode() + b"\xff", "x")
    result = bananasd("doctor", *on(server))
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "\\x1b[2J\\udcff  string" in result.stdout


def test_server_and_namespace_are_those_of_the_configuration(
    server: RedisServer, damage: str, tmp_path: Path
) -> None:
    config = tmp_path / "bananas.toml"
    config.write_text(f'[redis]\nurl = "{server.url}"\n')
    assert bananasd("doctor", "--config", config).exit_code == 1
    assert bananasd("doctor", "--config", config, "--namespace", "other").exit_code == 0


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    assert bananasd("doctor", "--url", f"unix://{tmp_path}/no.sock", "--namespace", "default").exit_code == 69
