"""What ``bananasd status`` prints of whatever a board may show."""

import json
import re
from pathlib import Path

import pytest

from bananasd.cli import status as status_module
from bananasd.cli.nodes import node_lines
from bananasd.cli.output import width
from bananasd.cli.status import to_taken
from bananasd.processes.control import ChildView, NodeView
from bananasd.processes.usage import Usage
from tests.command_line import bananasd
from tests.views import make_child, make_node

ROOT = Path(__file__).parents[2]
JOB_ID = "668ee2ea-0304-4655-82d1-f1cca65296dd"
MIB = 1024 * 1024


def lines_of(node: NodeView, usage=None, room=80) -> list[str]:
    return [line.text for line in node_lines(node, to_taken(usage or {}), room)]


def row_of(lines: list[str], slot: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"{slot} ")]
    return line.removeprefix(slot).split()


def busy(name="data_processing", seconds=187.0) -> dict:
    return {"job_id": JOB_ID, "job_name": name, "job_seconds": seconds}


def crashed(state: str, **values) -> ChildView:
    values = {"pid": 0, "crashes": 3, "restarts": 3, "last_end": "signal 11 (SIGSEGV)"} | values
    return make_child("worker 1", state=state, **values)


SAMPLE = make_node(
    make_child("redis", pid=22441),
    make_child("scheduler", pid=22442),
    make_child("worker 0", pid=22443, done=1203, failed=7, **busy()),
    crashed("backoff", starts_in_seconds=3.4),
    make_child("worker 2", pid=30112, up_seconds=2301.0, done=87, restarts=1, last_end="signal 9 (SIGKILL)"),
)
SAMPLE_USAGE = {
    22440: Usage(14 * MIB, 31.0),
    22441: Usage(6 * MIB, 71.2),
    22442: Usage(13 * MIB, 44.0),
    22443: Usage(181 * MIB, 4210.0),
    30112: Usage(96 * MIB, 388.0),
}


def test_the_readme_shows_what_status_prints():
    section = (ROOT / "README.md").read_text().partition("## Processes and signals")[2]
    assert "```text\n" + "\n".join(lines_of(SAMPLE, SAMPLE_USAGE)) + "\n```" in section


def test_a_row_has_everything_that_is_short():
    lines = lines_of(SAMPLE, SAMPLE_USAGE)
    assert row_of(lines, "worker 0") == ["22443", "UP", "3h12m", "1,203", "7", "0", "181M", "1h10m"]
    assert row_of(lines, "master") == ["22440", "UP", "3h12m", "-", "-", "-", "14.0M", "31s"]


def test_what_cannot_be_read_is_a_dash():
    assert row_of(lines_of(make_node(make_child())), "worker 0")[-2:] == ["-", "-"]


def test_a_running_job_has_a_line_with_its_name_id_and_time():
    lines = lines_of(SAMPLE)
    at = next(i for i, line in enumerate(lines) if line.startswith("worker 0"))
    assert lines[at + 1] == f"    runs data_processing {JOB_ID} for 3m07s"


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (crashed("backoff", starts_in_seconds=3.4),
         "starts again in 3.4s after 3 crashes in a row; last end: signal 11 (SIGSEGV)"),
        (crashed("backoff", starts_in_seconds=0.0, crashes=1, last_end="exit status 1"),
         "starts again in 0.0s after 1 crash in a row; last end: exit status 1"),
        (crashed("fatal", crashes=8),
         "not started again after 8 crashes in a row; last end: signal 11 (SIGSEGV)"),
        (crashed("fatal", crashes=0, last_end="exit status 78"),
         "not started again; last end: exit status 78"),
        (make_child("worker 1", restarts=1, last_end="killed for its job's time"),
         "last end: killed for its job's time"),
    ],
)  # fmt: skip
def test_a_slot_tells_how_its_last_child_ended_and_what_comes_next(child, said):
    lines = lines_of(make_node(child))
    assert lines[-1] == f"    {said}"
    assert row_of(lines, "worker 1")[1] == child.state.upper()


@pytest.mark.parametrize("phase", ["running", "quiet", "reloading", "draining"])
def test_the_phase_of_the_daemon_stands_in_the_first_line(phase):
    assert lines_of(make_node(make_child(), phase=phase))[0].startswith(f"web1-5c0ffee5: {phase}, up 3h12m")
    stopped = lines_of(make_node(make_child(), phase=phase, is_stopped=True))
    assert stopped[0].startswith(f"web1-5c0ffee5: stopped while {phase}, up")
    assert "'kill -CONT 22440' lets it go on" in " ".join(stopped[:3])
    assert row_of(stopped, "master")[1] == "STOPPED"


def test_a_quiet_daemon_tells_what_ends_that():
    assert "'kill -CONT 22440' lets it go on" in lines_of(make_node(make_child(), phase="quiet"))[1]


def test_a_child_that_is_stopped_is_told_as_such():
    assert row_of(lines_of(make_node(make_child(is_stopped=True))), "worker 0")[1] == "STOPPED"


def test_a_daemon_whose_master_is_gone_shows_what_its_children_were_doing():
    lines = lines_of(make_node(make_child("redis"), make_child(**busy()), is_running=False))
    assert lines[0].startswith("web1-5c0ffee5: gone, was pid 22440; the next start takes care of its jobs")
    assert row_of(lines, "worker 0")[:3] == ["22443", "GONE", "-"]
    assert f"    ran data_processing {JOB_ID}" in lines
    assert not [line for line in lines if line.startswith("master")]


HUGE = {
    "pid": 4194304, "up_seconds": 9e7, "done": 9_999_999_999, "failed": 9_999_999_999, "restarts": 9_999_999_999,
    "crashes": 8, "last_end": "signal 64 (SIGRTMAX) " * 5,
}  # fmt: skip
NAMES = {
    "long": "x" * 200,
    "wide": "日本語" * 66,
    "emoji": "🍌" * 200,
    "combining": "e\u0301" * 100,
    "bidirectional": "\u202e" * 200,
    "controls": "\x1b[31m" * 40,
    "spaces": "a b " * 50,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("room", [80, 120])
def test_it_fits_whatever_the_values(name, room):
    states = ("starting", "up", "draining", "left", "backoff", "fatal")
    children = [
        make_child(f"worker {900 + i}", state=state, starts_in_seconds=1e9, **(HUGE | busy(NAMES[name], 9e7)))
        for i, state in enumerate(states)
    ]
    node = make_node(
        make_child("scheduler", **HUGE), *children, node="n" * 73, master_pid=4194303, up_seconds=9e7
    )
    usage = dict.fromkeys((4194303, 4194304), Usage(10**14, 9e9))
    for shown in (node, node._replace(is_stopped=True), node._replace(is_running=False)):
        lines = lines_of(shown, usage, room)
        assert max(map(width, lines)) <= room
        assert all(line.isprintable() for line in lines)


def test_a_thousand_workers_are_a_thousand_rows_under_one_head():
    node = make_node(*(make_child(f"worker {i}", pid=100_000 + i, **busy()) for i in range(1000)))
    lines = lines_of(node)
    assert len(lines) == 1 + 1 + 1 + 2000
    assert "1,000 workers, 1,000 busy" in lines[0]
    assert len({line.index("UP") for line in lines if line.startswith("worker")}) == 1


IN_POOLS = make_node(
    make_child("scheduler"),
    make_child("worker 0"),
    make_child("worker 1", pool="slow", **busy()),
    make_child("worker 2", pool="urgent"),
    make_child("worker 3", pool="slow"),
    make_child("worker 4"),
)


def test_workers_of_a_pool_stand_under_its_name():
    lines = lines_of(IN_POOLS)
    first_words = [" ".join(line.split()[:2]) for line in lines[2:]]
    assert first_words == [
        "master 22440", "scheduler 22443", "worker 0", "worker 4",
        "pool slow", "worker 1", "runs data_processing", "worker 3", "pool urgent", "worker 2",
    ]  # fmt: skip


def test_a_long_name_of_a_pool_fits():
    assert max(map(width, lines_of(make_node(make_child("worker 0", pool="x" * 64)), room=80))) <= 80


def test_json_tells_the_pools_where_there_are_some(seen):
    seen(IN_POOLS)
    (node,) = json.loads(status("--json").stdout)
    assert [child["pool"] for child in node["children"]] == ["", "", "slow", "urgent", "slow", ""]


def test_large_counts_are_shortened():
    row = row_of(
        lines_of(make_node(make_child(done=1_234_567_890, failed=123_456, restarts=99_999))), "worker 0"
    )
    assert row[3:6] == ["1.23G", "123k", "99,999"]


# The command


@pytest.fixture
def seen(monkeypatch):
    """Shows the command these nodes, and no process's usage."""

    def show(*nodes, pid=None):
        monkeypatch.setattr(status_module, "nodes", lambda _: list(nodes))
        monkeypatch.setattr(
            status_module, "usages", lambda pids: {p: SAMPLE_USAGE[p] for p in pids if p in SAMPLE_USAGE}
        )
        monkeypatch.setattr(status_module, "running_pid", lambda _: pid)
        monkeypatch.setattr(status_module, "trouble_with", lambda _: "")

    return show


def status(*options):
    return bananasd("status", "--config", "/dev/null", *options)


def test_status_of_a_running_daemon_is_exit_code_0(seen):
    seen(SAMPLE)
    result = status()
    assert (result.exit_code, result.stdout.splitlines()) == (0, lines_of(SAMPLE, SAMPLE_USAGE))


def test_json_has_everything_with_its_unit(seen):
    seen(SAMPLE)
    (node,) = json.loads(status("--json").stdout)
    assert set(node) == {*NodeView._fields, *Usage._fields, "redis_error"}
    assert (node["master_pid"], node["pss_bytes"], node["cpu_seconds"]) == (22440, 14 * MIB, 31.0)
    fields = {*ChildView._fields, *Usage._fields} - {"pool"}
    assert all(set(child) == fields for child in node["children"])
    worker, waiting = node["children"][2:4]
    assert (worker["job_id"], worker["job_seconds"], worker["pss_bytes"]) == (JOB_ID, 187.0, 181 * MIB)
    assert (waiting["state"], waiting["starts_in_seconds"], waiting["cpu_seconds"]) == ("backoff", 3.4, None)
    assert not [name for name in {*node, *worker} if re.search("(time|age|memory)$", name)]


@pytest.mark.parametrize(
    ("pid", "said"), [(None, "no daemon is running on"), (7, "the daemon (pid 7) is only just starting")]
)
def test_without_a_running_daemon_the_exit_code_is_1(seen, pid, said):
    seen(make_node(is_running=False), pid=pid)
    result = status()
    assert result.exit_code == 1
    assert "gone, was pid 22440" in result.stdout
    assert result.stderr.startswith(f"bananasd: {said}")
    assert result.stderr.count("\n") == 1
