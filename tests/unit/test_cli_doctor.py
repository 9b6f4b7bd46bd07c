"""``bananasd doctor`` against a real server."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bananasd import Client, Status
from bananasd.store import vitals
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys
from bananasd.store.store import Store
from tests.command_line import bananasd, complete, on
from tests.conftest import RedisServer

KEYS = Keys("default")
LANE = f"{KEYS.prefix}ready:default:normal"
NO_JOB = "6f1c8e52-2f0e-4a55-9a3e-0a1b2c3d4e5f"


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """How busy and how full this machine is, is no matter here."""
    monkeypatch.setattr(vitals, "SLOW_TRIP_MS", 1e9)
    monkeypatch.setattr(vitals, "HOST_NEARLY_FULL", 1e9)


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
    last = result.stdout.splitlines()[-1]
    assert (result.exit_code, last) == (0, "1 record looked at, no fault found; 1 warning")
    assert bananasd("doctor", "--repair", *on(server)).exit_code == 0


def test_an_empty_server_is_in_order(server: RedisServer) -> None:
    # The server of the tests keeps nothing, and no daemon is there.
    last = bananasd("doctor", *on(server)).stdout.splitlines()[-1]
    assert last == "0 records looked at, no fault found; 2 warnings"


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
    assert lines[-1] == "1 record looked at, 13 faults found; 3 warnings"
    assert result.stderr == "bananasd: 13 faults found; 'bananasd doctor --repair' mends them\n"


def test_a_repair_mends_them(server: RedisServer, client: Client, damage: str) -> None:
    result = bananasd("doctor", "--repair", *on(server))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\n1 record looked at, 13 faults mended; " in result.stdout
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


# The server, the nodes, the unit


def checks(*args: object, **environ: str) -> dict[str, list[dict[str, str]]]:
    """By check, what was told."""
    found: dict[str, list[dict[str, str]]] = {}
    for check in json.loads(bananasd("doctor", "--json", *args, **environ).stdout)["checks"]:
        found.setdefault(check["check"], []).append(check)
    return found


@pytest.fixture
def live_server(own_server: RedisServer) -> RedisServer:
    """One that keeps its data, with a node."""
    connection = HeldConnection(Server(own_server.url, 5))
    Store(connection, "default").beat("n1", 60_000, b"{}", [])
    connection.close()
    return own_server


def test_where_all_is_well_each_check_says_so(
    live_server: RedisServer,
) -> None:
    result = bananasd("doctor", *on(live_server))
    *lines, empty, last = result.stdout.splitlines()
    assert (result.exit_code, empty, last) == (0, "", "0 records looked at, everything is in order")
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert heads == ["ok"] * 7
    assert {*checks(*on(live_server))} == {
        "server", "persistence", "memory", "clock", "round trip", "nodes", "lanes"
    }  # fmt: skip


def test_an_error_is_told_with_what_to_do_and_ends_with_1(live_server: RedisServer) -> None:
    live_server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    result = bananasd("doctor", *on(live_server))
    assert (result.exit_code, result.stderr) == (1, "bananasd: 1 error found, above with what to do\n")
    assert result.stdout.endswith("\n0 records looked at, no fault found; 1 error\n")
    assert "error   memory        maxmemory-policy is allkeys-lru" in result.stdout
    assert "do: set maxmemory-policy noeviction" in result.stdout
    (memory,) = checks(*on(live_server))["memory"]
    assert (memory["level"], memory["where"]) == ("error", live_server.url)


def test_errors_and_warnings_are_both_in_the_last_line(live_server: RedisServer, client: Client) -> None:
    live_server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    live_server.call("CONFIG", "SET", "appendonly", "no")
    last = bananasd("doctor", *on(live_server)).stdout.splitlines()[-1]
    assert last == "0 records looked at, no fault found; 1 error, 1 warning"


def test_where_it_is_so_is_said_once_for_several_in_a_row(live_server: RedisServer) -> None:
    text = " ".join(bananasd("doctor", *on(live_server)).stdout.split())
    assert text.count(f"({live_server.url})") == 1
    assert text.count("(namespace default)") == 1
    assert text.index(f"({live_server.url})") < text.index("persistence")


def test_a_warning_leaves_the_exit_code_at_0(server: RedisServer) -> None:
    assert bananasd("doctor", *on(server)).exit_code == 0
    assert checks(*on(server))["persistence"][0]["level"] == "warning"


UNIT = """\
[Service]
Type=notify
KillMode=mixed
WatchdogSec=30
OOMPolicy=continue
Restart=on-failure
RestartPreventExitStatus=78
TimeoutStopSec=10
"""


def write_unit(folder: Path, config: Path) -> Path:
    """The unit of a daemon with this configuration."""
    unit = folder / "bananasd.service"
    unit.write_text(f"{UNIT}ExecStart=/x/bananasd start --config '{config}'\n")
    return unit


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = tmp_path / "bananas.toml"
    config.write_text(f'[redis]\nurl = "unix://{tmp_path}/no.sock"\n[workers]\ncount = 2\n')
    return config


def test_a_server_that_is_away_is_told_and_the_unit_looked_at_all_the_same(
    config: Path, tmp_path: Path
) -> None:
    unit = write_unit(tmp_path, config)
    result = bananasd("doctor", "--config", config, "--unit", unit)
    assert result.exit_code == 69
    text = " ".join(result.stdout.split())
    assert text.startswith("error server it cannot be asked: Error 2 connecting to ")
    assert f"(unix://{tmp_path}/no.sock)" in text
    assert "error unit TimeoutStopSec is 10 s and master.drain_seconds 30" in text
    assert "looked at" not in result.stdout
    found = json.loads(bananasd("doctor", "--json", "--config", config, "--unit", unit).stdout)
    assert (found["records"], found["findings"]) == (None, [])
    assert [check["check"] for check in found["checks"]] == ["server", "unit"]


def test_drop_ins_beside_a_unit_count_in_the_order_of_their_names(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = write_unit(tmp_path, config)
    folder = tmp_path / "bananasd.service.d"
    folder.mkdir()
    for number, seconds in ((1, 5), (2, 60)):
        (folder / f"{number}.conf").write_text(f"[Service]\nTimeoutStopSec={seconds}\n")
    # A file system lists them in any order.
    monkeypatch.setattr(Path, "glob", lambda path, _: iter([path / "2.conf", path / "1.conf"]))
    (check,) = checks("--config", config, "--unit", unit)["unit"]
    assert (check["level"], check["where"]) == ("ok", str(unit))


def test_a_drop_in_that_is_masked_counts_for_nothing(config: Path, tmp_path: Path) -> None:
    """A link to /dev/null takes one away that is in another folder of systemd's."""
    unit = write_unit(tmp_path, config)
    unit.write_text(f"{unit.read_text()}TimeoutStopSec=40\n")
    masked = tmp_path / "bananasd.service.d" / "1.conf"
    masked.parent.mkdir()
    masked.symlink_to("/dev/null")
    (check,) = checks("--config", config, "--unit", unit)["unit"]
    assert check["level"] == "ok"


@pytest.mark.parametrize(
    "line",
    [
        "ReadOnlyPaths=/a\0b",
        "ExecStart=/x/bananasd start --config /a\0b",
        "User=\0",
        "WorkingDirectory=/a\0b",
        "Environment=HOME=/a\0b XDG_RUNTIME_DIR=/\0",
        "RuntimeDirectory=\0",
        "EnvironmentFile=\0",
    ],
)
def test_a_byte_that_no_path_can_have_keeps_the_doctor_from_nothing(
    config: Path, tmp_path: Path, line: str
) -> None:
    unit = write_unit(tmp_path, config)
    unit.write_text(f"{unit.read_text()}{line}\n")
    told = [check["what"] for check in checks("--config", config, "--unit", unit)["unit"]]
    assert any(what.startswith("TimeoutStopSec is 10 s") for what in told)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("bananasd.service", "name the file of the daemon's unit"),
        ("bananasd.service.d/1.conf", "mend that drop-in, or take it away"),
    ],
)
@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (os.mkfifo, "is no regular file, but a pipe or a device"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file, but a pipe or a device"),
        (lambda path: path.write_bytes(bytes(1024 * 1024 + 1)), "has more than 1,024 KiB"),
    ],
)
def test_a_unit_is_a_regular_file_of_a_sensible_size(
    config: Path, tmp_path: Path, name: str, remedy: str, make: Callable[[Path], None], fault: str
) -> None:
    unit = write_unit(tmp_path, config)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)
    result = bananasd("doctor", "--config", config, "--unit", unit)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"bananasd: --unit {path}: {fault}")
    assert result.stderr.endswith(f"; {remedy}\n")


def test_a_unit_may_begin_with_a_byte_order_mark(config: Path, tmp_path: Path) -> None:
    unit = write_unit(tmp_path, config)
    unit.write_text(f"\ufeff{unit.read_text()}TimeoutStopSec=40\n")
    (check,) = checks("--config", config, "--unit", unit)["unit"]
    assert check["level"] == "ok"


def test_a_unit_is_judged_by_the_environment_that_it_gives_its_daemon(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "shell"))
    unit = tmp_path / "bananasd.service"
    start = f"ExecStart=/x start --config '{config}'\nProtectSystem=strict\nTimeoutStopSec=40\n"
    unit.write_text(f"{UNIT}{start}RuntimeDirectory=bananasd\nRuntimeDirectoryPreserve=yes\n")
    assert [check["level"] for check in checks("--config", config, "--unit", unit)["unit"]] == ["ok"]
    unit.write_text(
        f"{UNIT}{start}Environment=BANANAS_REDIS_URL=embedded HOME=/srv/jobs XDG_RUNTIME_DIR=/mnt\n"
    )
    told = [check["what"] for check in checks("--config", config, "--unit", unit)["unit"]]
    assert told == [
        "run_dir is /mnt/bananasd, and ProtectSystem=strict: the daemon cannot write there",
        "state_dir is /srv/jobs/.local/state/bananasd, and ProtectSystem=strict: the daemon cannot write there",
    ]


def test_a_template_is_judged_for_the_instance_that_has_this_configuration(
    config: Path, tmp_path: Path
) -> None:
    unit = tmp_path / "bananasd@.service"
    start = f"ExecStart=/x start --config {tmp_path}/%i.toml\nProtectSystem=strict\nTimeoutStopSec=40\n"
    unit.write_text(f"{UNIT}{start}RuntimeDirectory=jobs-%i\nRuntimeDirectoryPreserve=yes\n")
    config.write_text('run_dir = "/run/jobs-bananas"\n[redis]\nurl = "redis://127.0.0.1:1"\n')
    assert [check["level"] for check in checks("--config", config, "--unit", unit)["unit"]] == ["ok"]
    config.write_text('run_dir = "/run/jobs-mail"\n[redis]\nurl = "redis://127.0.0.1:1"\n')
    (check,) = checks("--config", config, "--unit", unit)["unit"]
    assert check["what"].startswith("run_dir is /run/jobs-mail, and ProtectSystem=strict")


def systemctl(tmp_path: Path, output: str, code: int = 0) -> dict[str, str]:
    """An environment whose systemd shows this of any unit; what it was asked is noted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >{folder}/asked\ncat <<"END"\n{output}\nEND\nexit {code}\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def shown(config: Path | str) -> str:
    start = f"{{ path=/x ; argv[]=/x start --config {config} ; ignore_errors=no }}"
    own = {"LoadState": "loaded", "TimeoutStopUSec": "10s", "KillMode": "mixed", "Type": "notify", "WatchdogUSec": "30s",
           "OOMPolicy": "continue", "LimitNOFILESoft": "1024", "ExecStart": start, "Restart": "on-failure",
           "RestartPreventExitStatus": "78"}  # fmt: skip
    return "\n".join(f"{name}={value}" for name, value in own.items())


def test_the_unit_that_systemd_runs_is_asked_for(config: Path, tmp_path: Path) -> None:
    (check,) = checks("--config", config, **systemctl(tmp_path, shown(config)))["unit"]
    assert (check["level"], check["where"]) == ("error", "unit bananasd")
    assert (tmp_path / "bin" / "asked").read_text().startswith("show --property=LoadState,")


def test_a_unit_can_be_named(config: Path, tmp_path: Path) -> None:
    file = "FragmentPath=/etc/systemd/system/bananasd@.service"
    environ = systemctl(tmp_path, f"{shown(config)}\n{file}")
    (check,) = checks("--config", config, "--unit", "bananasd@mail", **environ)["unit"]
    assert check["where"] == "unit bananasd@mail (/etc/systemd/system/bananasd@.service)"
    assert (tmp_path / "bin" / "asked").read_text().endswith("-- bananasd@mail\n")


@pytest.mark.parametrize(("output", "code"), [(shown("/other.toml"), 0), ("LoadState=not-found", 0), ("", 1)])
def test_a_unit_of_another_daemon_or_none_is_left_out(
    config: Path, tmp_path: Path, output: str, code: int
) -> None:
    assert "unit" not in checks("--config", config, **systemctl(tmp_path, output, code))


def test_a_unit_that_is_not_to_be_found_is_told(config: Path, tmp_path: Path) -> None:
    environ = systemctl(tmp_path, "LoadState=not-found")
    result = bananasd("doctor", "--config", config, "--unit", "mail", **environ)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "bananasd: --unit 'mail': systemd does not run here, or does not know it; "
    )
    missing = bananasd("doctor", "--config", config, "--unit", tmp_path / "no.service")
    assert (missing.exit_code, "no.service: No such file" in missing.stderr) == (1, True)


def test_a_unit_needs_a_configuration_to_be_judged_by(server: RedisServer, tmp_path: Path) -> None:
    result = bananasd("doctor", "--unit", tmp_path / "x.service", *on(server))
    assert (result.exit_code, "name that with --config" in result.stderr) == (2, True)


HOSTILE = "evil\nok      server        all is well\r\x1b[2J\u2028"
ESCAPED = r"evil\nok      server        all is well\r\x1b[2J\u2028"


def test_hostile_names_are_told_in_one_line_each(server: RedisServer) -> None:
    server.call("SET", KEYS.prefix + HOSTILE, "x")
    server.call("SADD", KEYS.holders, f"{HOSTILE}/1.1")
    server.call("RPUSH", KEYS.held(f"{HOSTILE}/1.1"), HOSTILE)
    server.call("ZADD", KEYS.nodes, 1, HOSTILE)
    server.call("ZADD", KEYS.paused, "inf", HOSTILE)
    server.call("SADD", KEYS.queues, HOSTILE)
    server.call("RPUSH", f"{KEYS.prefix}ready:{HOSTILE}:high", NO_JOB)
    for command in (["doctor"], ["doctor", "--repair"], ["queues"]):
        told = bananasd(*command, *on(server)).stdout
        assert HOSTILE not in told
        assert not any(line.startswith("ok      server        all is well") for line in told.split("\n"))
        assert set(told) - {"\n"} == {c for c in told if c.isprintable()}
    server.call("SET", KEYS.prefix + HOSTILE, "x")
    told = bananasd("doctor", *on(server)).stdout
    assert f"    {ESCAPED}  string" in told.splitlines()
    assert ESCAPED in bananasd("queues", *on(server)).stdout


def test_a_server_that_takes_no_repair_is_told_and_ends_it(own_server: RedisServer) -> None:
    """Only what a user may not do is no matter of the server."""
    own_server.call("RPUSH", LANE, NO_JOB)
    own_server.call("CONFIG", "SET", "min-replicas-to-write", "1")
    result = bananasd("doctor", "--repair", *on(own_server))
    assert result.exit_code == 69
    text = " ".join(result.stdout.split())
    assert "error server it cannot be asked: the server refused: NOREPLICAS " in text
    assert "may not examine" not in text
    assert own_server.call("LLEN", LANE) == 1


def test_damaged_keys_keep_it_from_nothing(server: RedisServer, client: Client) -> None:
    client.submit_job("greet", None)
    server.call("HSET", KEYS.stats, "dead", "many")
    server.call("SET", KEYS.nodes, "x")
    result = bananasd("doctor", *on(server))
    assert (result.exit_code, "nodes and lanes cannot be counted: " in result.stdout) == (1, True)
    assert result.stdout.endswith("1 record looked at, 2 faults found; 2 warnings\n")
    mended = bananasd("doctor", "--repair", *on(server))
    assert mended.exit_code == 0
    assert "no daemon is live" in mended.stdout
