"""What ``bananasd top`` makes of two looks, and of a terminal's size."""

import sys
from datetime import UTC, datetime

import pytest

from bananasd.cli.output import width
from bananasd.cli.picture import picture
from bananasd.cli.rates import Look, cpu_percents, done_per_second
from bananasd.job import Priority
from bananasd.processes.control import ChildView
from bananasd.processes.usage import Usage
from bananasd.store.stats import LaneStats, QueueStats
from tests.command_line import bananasd
from tests.conftest import RedisServer
from tests.views import make_child, make_node


def worker(number=0, **values) -> ChildView:
    own = {"pid": 100 + number, "generation": 1 + number, "up_seconds": 50.0}
    return make_child(f"worker {number}", **(own | values))


def look(at, *children, cpu=None, queues=None, trouble="") -> Look:
    usage = {pid: Usage(1024 * 1024, seconds) for pid, seconds in (cpu or {}).items()}
    return Look(
        at,
        [make_node(*children, node="n1", master_pid=7, up_seconds=50.0)] if children else [],
        usage,
        queues,
        trouble,
    )


def make_queues(**ready) -> QueueStats:
    lanes = [
        LaneStats(
            queue, priority, number if priority is Priority.NORMAL else 0, 2.5 if number else None, 2, 1234.5
        )
        for queue, number in ready.items()
        for priority in Priority
    ]
    return QueueStats(lanes, 3, 2, 1, {}, {})


def texts(before, now, room=80, height=100) -> list[str]:
    return [line.text for line in picture(before, now, "/nowhere", room, height)]


def test_cpu_is_what_was_used_since_the_look_before():
    before, now = (
        look(10.0, worker(), cpu={7: 3.0, 100: 1.0}),
        look(12.0, worker(), cpu={7: 3.0, 100: 2.5}),
    )
    assert cpu_percents(before, now) == {7: 0.0, 100: 75.0}


@pytest.mark.parametrize("before", [None, look(10.0, worker(1), cpu={101: 9.0})])
def test_at_the_first_look_at_a_process_it_is_what_it_used_since_it_began(before):
    assert cpu_percents(before, look(12.0, worker(), cpu={100: 5.0})) == {100: 10.0}


def test_cpu_that_cannot_be_read_is_not_told():
    assert cpu_percents(None, look(1.0, worker(), cpu={100: None})) == {}


def test_throughput_counts_what_each_worker_has_done_since_the_look_before():
    before = look(10.0, worker(0, done=10), worker(1, done=500))
    # The second one was replaced meanwhile.
    now = look(12.0, worker(0, done=16), worker(1, done=4, generation=9, up_seconds=1.0))
    assert done_per_second(before, now, now.nodes[0]) == 3 + 4
    assert done_per_second(None, before, before.nodes[0]) == (10 + 500) / 50


def test_two_looks_at_one_instant_divide_by_nothing():
    now = look(10.0, worker(done=1), cpu={100: 1.0})
    assert done_per_second(now, now, now.nodes[0]) == 0
    assert cpu_percents(now, now) == {}


def counted(at, **counters) -> Look:
    queues = QueueStats([], 0, 0, 0, counters, {}, {"submitted": 7.0, "dead": 0.5})
    return look(at, queues=queues)


def test_jobs_a_second_are_those_since_the_look_before_and_at_first_what_daemons_have_kept():
    before, now = counted(10.0, submitted=10), counted(12.0, submitted=30, completed=5, retried=1, dead=2)
    assert texts(before, now)[1] == "a second: 10.0 submitted, 2.5 completed, 1.5 failed"
    for without in (None, look(10.0, trouble="away")):
        assert texts(without, now)[1] == "a second: 7.0 submitted, 0.0 completed, 0.5 failed"


def test_what_is_paused_is_told_with_its_end():
    queues = make_queues(mail=4)._replace(paused={"*": None, "mail": datetime(2030, 1, 31, 9, tzinfo=UTC)})
    lines = list(picture(None, look(1.0, queues=queues), "/nowhere", 100, 24))
    told = "paused: everything until it is resumed, queue mail until 2030-01-31T09:00:00+00:00"
    assert (lines[1].text, lines[1].kind) == (told, "bad")
    assert not any("paused" in line for line in texts(None, look(1.0, queues=make_queues(mail=4))))


def test_the_picture_has_queues_and_processes():
    before = look(10.0, worker(done=10), cpu={7: 0.0, 100: 1.0}, queues=make_queues(default=4))
    now = look(12.0, worker(done=16), cpu={7: 0.0, 100: 2.5}, queues=make_queues(default=4))
    lines = texts(before, now)
    assert lines[:2] == [
        "queues: 4 ready, 3 processing, 2 scheduled, 1 dead",
        "QUEUE    PRIORITY  READY  OLDEST  RATE     WORKERS",
    ]
    assert lines[3] == "default  normal        4  2.5s    1,234.5        2"
    assert "n1: running, up 50s, 1 worker, 0 busy, 3.0 done/s" in lines
    assert lines[-1].split() == ["worker", "0", "100", "UP", "50s", "16", "0", "0", "1.00M", "75%"]


def test_without_a_server_it_says_so_and_shows_the_daemon():
    lines = texts(None, look(1.0, worker(), trouble="unix:///run/redis.sock: no such file " * 5))
    assert lines[0].startswith("queues: unix:///run/redis.sock: no such file")
    assert lines[-1].startswith("worker 0")


def test_without_a_daemon_it_says_so_and_shows_the_queues():
    lines = texts(None, look(1.0, queues=make_queues(default=4)))
    assert lines[3].startswith("default  normal")
    assert "no daemon is running on /nowhere" in " ".join(lines)


@pytest.mark.parametrize("height", [1, 2, 5, 10, 24, 50])
def test_it_fits_into_the_terminal_and_tells_what_does_not(height):
    now = look(1.0, *(worker(i) for i in range(100)), queues=make_queues(**{f"q{i}": i for i in range(50)}))
    lines = texts(None, now, 80, height)
    assert len(lines) == height
    assert max(map(width, lines)) <= 80
    assert lines[-1].startswith("… and ")


def test_of_many_lanes_those_that_hold_jobs_are_shown_and_the_rest_is_counted():
    now = look(1.0, queues=make_queues(**{f"q{i:02}": 7 * (i > 40) for i in range(50)}))
    lines = texts(None, now, 80, 24)
    assert [line.split()[0] for line in lines[2:9]] == [f"q{i}" for i in range(41, 48)]
    assert lines[9] == "… and 143 more lanes, 14 ready"


def test_a_lane_that_nobody_serves_stands_out():
    lanes = [LaneStats("gpu", Priority.LOW, 1, 2.5, 0), LaneStats("gpu", Priority.HIGH, 0, None, 0)]
    lines = list(picture(None, look(1.0, queues=QueueStats(lanes, 0, 0, 0, {}, {})), "/nowhere", 80, 24))
    assert [(line.text.split()[-1], line.kind) for line in lines[2:4]] == [("unserved", "bad"), ("0", "")]


def test_without_a_terminal_it_is_one_picture(server: RedisServer, client, tmp_path):
    client.submit_job("greet", None, queue="mail")
    config = tmp_path / "bananas.toml"
    config.write_text(f'run_dir = "run"\n[redis]\nurl = "{server.url}"\n')
    result = bananasd("top", "--config", config)
    assert result.exit_code == 0
    assert result.stdout.startswith("queues: 1 ready, 0 processing, 0 scheduled, 0 dead\n")
    assert "no daemon is running on" in result.stdout
    assert "\x1b" not in result.stdout


def test_without_rich_it_names_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    result = bananasd("top", "--config", "/dev/null")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "bananasd: top needs the extra of its name: pip install 'bananasd[top]'\n"
