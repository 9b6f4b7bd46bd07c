"""What a HUP does: the new handlers and settings are tried, then the children are replaced, and no job notices."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from bananasd import Status
from bananasd.processes import procfs
from bananasd.processes.board import Board, Head
from tests.conftest import wait_until
from tests.daemon import Daemon, is_alive

pytestmark = pytest.mark.usefixtures("untraced")


def write_handler(daemon: Daemon, text: str) -> None:
    replace(daemon.directory / "handlers" / "versioned.py", text)


def replace(path: Path, text: str) -> None:
    """At once: whoever watches it never sees it empty."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def version_is(number: int) -> str:
    return (
        "import time\nfrom bananasd import handler\n"
        f"@handler('version')\ndef version(job):\n    time.sleep(job.payload or 0)\n    return {number}\n"
    )


def reconfigure(daemon: Daemon, old: str, new: str) -> None:
    text = daemon.config.read_text()
    assert old in text
    replace(daemon.config, text.replace(old, new))


def reload(daemon: Daemon) -> list[str]:
    """HUP, and wait for the outcome; why it was refused."""
    board = daemon.board
    ended = board.head[Head.RELOADS_ENDED]
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_ENDED] > ended, 45)
    return [] if board.head[Head.IS_RELOADED] else board.problems_path.read_text().splitlines()


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon()
    write_handler(daemon, version_is(1))
    return daemon.start()


def workers(daemon: Daemon) -> dict[int, str]:
    return {child.pid: child.slot for child in daemon.children("worker")}


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_new_handlers_run_in_new_workers_under_the_same_master_and_server(daemon):
    master, (redis,), before = daemon.pid, daemon.children("redis"), workers(daemon)
    write_handler(daemon, version_is(2))
    assert reload(daemon) == []
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 2
    assert daemon.process.poll() is None
    assert daemon.board.master_pid == master
    assert [child.pid for child in daemon.children("redis")] == [redis.pid]
    wait_until(lambda: len(workers(daemon)) == 2)
    assert not set(workers(daemon)) & set(before)
    assert sorted(workers(daemon).values()) == ["worker 0", "worker 1"]


def test_a_job_that_runs_is_not_interrupted_and_its_worker_stays_until_it_ends(daemon):
    until = daemon.directory / "go"
    with daemon.client() as client:
        job_id = client.submit_job("hold", {"until": str(until)})
        worker = daemon.worker_of(job_id)
        assert reload(daemon) == []
        # It has been told, and may not have heard of it yet.
        wait_until(lambda: {c.pid: c.state for c in daemon.children()}[worker.pid] == "draining")
        until.touch()
        job = client.wait(job_id, 30)
    assert (job.status, job.run, job.attempts, job.recoveries) == (Status.COMPLETED, 1, 1, 0)
    wait_until(lambda: not is_alive(worker.pid))


BROKEN = {
    "a syntax error": ("x = (\n", "SyntaxError"),
    "an import error": ("import nonsense\n", "No module named 'nonsense'"),
    "a name twice": (version_is(2) + version_is(3), "declared twice"),
    "an end of the interpreter": ("import os\nos._exit(5)\n", "exit status 5"),
    "a crash of the interpreter": ("import ctypes\nctypes.string_at(0)\n", "SIGSEGV"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_handlers_change_nothing_and_every_problem_is_told(daemon, case):
    text, problem = BROKEN[case]
    before = workers(daemon)
    write_handler(daemon, text)
    (daemon.directory / "handlers" / "other.py").write_text(text)
    problems = reload(daemon)
    assert any(problem in line for line in problems)
    assert all(daemon.lines("reload refused", line) for line in problems)
    if "interpreter" not in case:
        assert [line for line in problems if "versioned.py" in line]
        assert [line for line in problems if "other.py" in line]
    assert workers(daemon) == before
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 1


def test_a_broken_configuration_changes_nothing_and_every_problem_is_told(daemon):
    before = workers(daemon)
    reconfigure(daemon, "count = 2", 'cuont = 2\ntimeout_seconds = "x"')
    problems = reload(daemon)
    assert len(problems) == 2
    assert daemon.lines("reload refused", "workers.cuont")
    assert daemon.lines("reload refused", "workers.timeout_seconds")
    assert workers(daemon) == before


def test_handlers_that_take_too_long_to_import_are_refused(make_daemon):
    daemon = make_daemon(settings={"workers": {"start_seconds": 1}}).start()
    write_handler(daemon, "import time\nwhile True:\n    time.sleep(0.1)\n")
    (problem,) = reload(daemon)
    assert problem == "the handlers were not loaded within 1 s (workers.start_seconds)"
    assert daemon.is_up()


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ('run_dir = "run"', 'run_dir = "run2"', "run_dir"),
        ('state_dir = "state"', 'state_dir = "state2"', "state_dir"),
        ('node_name = "testnode"', 'node_name = "testnode"\nnamespace = "other"', "namespace"),
        ('url = "embedded"', 'url = "redis://localhost:1/0"', "redis.url"),
        ("count = 2", "count = 2\npreload = true", "workers.preload"),
        ('node_name = "testnode"', 'node_name = "node2"', "node_name"),
    ],
)
def test_what_cannot_change_without_a_restart_is_refused_by_name(daemon, old, new, name):
    before = workers(daemon)
    reconfigure(daemon, old, new)
    (problem,) = reload(daemon)
    assert problem == f"{daemon.config}: {name}: cannot change without a restart of the daemon"
    assert workers(daemon) == before


def test_sentinels_cannot_take_the_place_of_the_server_without_a_restart(daemon):
    reconfigure(daemon, 'url = "embedded"', 'sentinels = ["localhost:1"]\nservice = "jobs"')
    names = ("redis.sentinels", "redis.service")
    assert reload(daemon) == [
        f"{daemon.config}: {name}: cannot change without a restart of the daemon" for name in names
    ]


def test_more_workers_than_there_is_room_for_are_refused(daemon):
    reconfigure(daemon, "count = 2", "count = 500")
    (problem,) = reload(daemon)
    assert "workers.count: 500: more than" in problem


@pytest.mark.parametrize("count", [1, 5])
def test_the_number_of_workers_follows(daemon, count):
    reconfigure(daemon, "count = 2", f"count = {count}")
    assert reload(daemon) == []
    wait_until(lambda: sorted(workers(daemon).values()) == [f"worker {i}" for i in range(count)])
    wait_until(daemon.is_up)


def test_queues_and_time_limits_follow(daemon):
    reconfigure(daemon, "count = 2", 'count = 2\nqueues = ["other"]\ntimeout_seconds = 0.3')
    reconfigure(daemon, "grace_seconds = 1", "grace_seconds = 7")
    assert reload(daemon) == []
    with daemon.client() as client:
        job = client.wait(client.submit_job("version", 60, queue="other", max_retries=0), 30)
        assert job.status is Status.FAILED
        assert "JobTimeout" in job.error


def test_the_log_level_and_the_time_to_drain_follow(daemon):
    reconfigure(daemon, 'level = "debug"', 'level = "warning"')
    reconfigure(daemon, "drain_seconds = 8", "drain_seconds = 9")
    assert reload(daemon) == []
    lines = len(daemon.log_text().splitlines())
    with daemon.client() as client:
        client.wait(client.submit_job("version", None), 30)
    reconfigure(daemon, 'level = "warning"', 'level = "info"')
    assert reload(daemon) == []
    between = daemon.log_text().splitlines()[lines:]
    assert not [line for line in between if "job completed" in line]
    assert daemon.stop() == 0
    assert daemon.lines("drain began", "seconds=9")


def test_a_lease_that_a_hanging_connection_could_cost_is_told_at_the_start_and_at_each_reload(make_daemon):
    sound = {"scheduler": {"lease_seconds": 5}}
    daemon = make_daemon(settings=sound).start()
    assert not daemon.lines("warning master ")
    reconfigure(daemon, "lease_seconds = 5", "lease_seconds = 1")
    for count in (1, 2):
        assert reload(daemon) == []
        told = daemon.lines(
            "warning master ", "configuration risky", "scheduler.lease_seconds: 1: is less than"
        )
        assert len(told) == count
    assert daemon.stop() == 0
    daemon.start()
    assert len(daemon.lines("configuration risky")) == 3


def test_the_log_file_the_grace_and_the_limits_of_workers_follow(make_daemon):
    daemon = make_daemon(
        """
        @handler("stubborn", timeout_seconds=0.2, max_retries=0)
        def stubborn(job):
            while True:
                try:
                    time.sleep(1)
                except BaseException:
                    pass
        """,
        settings={"workers": {"grace_seconds": 7}},
    ).start()
    reconfigure(daemon, "grace_seconds = 7", "grace_seconds = 0.2\nmax_jobs = 3")
    reconfigure(daemon, "[log]", '[log]\nfile = "the.log"')
    assert reload(daemon) == []
    with daemon.client() as client:
        job = client.wait(client.submit_job("stubborn", None), 30)
        assert job.status is Status.FAILED
        assert (job.finished_at - job.started_at).total_seconds() < 7
        ids = [client.submit_job("note", {}) for _ in range(20)]
        assert {job.status for job in client.wait(ids, 30)} == {Status.COMPLETED}
    pids = [line[3] for line in daemon.entries("start")]
    assert max(map(pids.count, pids)) <= 3
    assert daemon.stop() == 0
    text = (daemon.directory / "the.log").read_text()
    assert "job completed" in text
    assert "daemon stopped" in text


def test_a_successor_that_does_not_come_up_leaves_the_old_ones_in_place(daemon):
    before = workers(daemon)
    # The check is no worker.
    write_handler(
        daemon,
        "import os\nfrom pathlib import Path\n"
        "if 'bananasd: worker' in Path('/proc/self/cmdline').read_text():\n    os._exit(1)\n" + version_is(2),
    )
    (problem,) = reload(daemon)
    assert problem == "the new worker 0 does not come up, see the log; nothing was changed"
    assert workers(daemon) == before
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 1
    write_handler(daemon, version_is(3))
    assert reload(daemon) == []
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 3


def test_a_reload_heals_a_daemon_whose_workers_keep_crashing(make_daemon):
    daemon = make_daemon()
    write_handler(daemon, "import os\nos._exit(1)\n")
    daemon.start(wait=False)
    wait_until(lambda: "backoff" in [child.state for child in daemon.children("worker")])
    write_handler(daemon, version_is(2))
    assert reload(daemon) == []
    wait_until(daemon.is_up)


def test_a_hup_during_a_reload_is_followed_by_another_reload(daemon):
    board, gate = daemon.board, daemon.directory / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    write_handler(daemon, wait + version_is(2))
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_BEGUN] == 1)
    os.kill(daemon.pid, signal.SIGHUP)
    os.kill(daemon.pid, signal.SIGHUP)
    gate.touch()
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 2, 45)
    wait_until(daemon.is_up)
    assert board.head[Head.RELOADS_BEGUN] == 2


def test_a_term_during_a_reload_ends_it_and_the_daemon(daemon):
    write_handler(daemon, "import time\ntime.sleep(30)\n")
    board, run_dir = daemon.board, daemon.run_dir
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_BEGUN] == 1)
    assert daemon.stop() == 0
    assert not board.head[Head.IS_RELOADED]
    assert [path.name for path in run_dir.iterdir()] == ["pid"]


def test_preloaded_handlers_stay_but_settings_follow(make_daemon):
    daemon = make_daemon(settings={"workers": {"preload": True}})
    write_handler(daemon, version_is(1))
    daemon.start()
    write_handler(daemon, version_is(2))
    reconfigure(daemon, "count = 2", "count = 3")
    assert reload(daemon) == []
    wait_until(lambda: len(workers(daemon)) == 3)
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 1


def test_the_daemon_reloads_by_itself_when_it_watches(make_daemon):
    daemon = make_daemon()
    write_handler(daemon, version_is(1))
    daemon.start(options=["--watch"])
    board = daemon.board
    write_handler(daemon, version_is(2))
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 1)
    reconfigure(daemon, "count = 2", "count = 1")
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 2)
    wait_until(lambda: len(workers(daemon)) == 1)
    write_handler(daemon, "nonsense(")
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 3)
    assert not board.head[Head.IS_RELOADED]
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None), 30).result == 2


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("untraced")
def test_ten_reloads_under_load_lose_and_double_nothing_and_leave_nothing_behind(daemon):
    board = daemon.board
    files = len(os.listdir(daemon.run_dir))
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}), 30)
        fds, memory_mb, ids = descriptors(daemon.pid), procfs.rss_mb(daemon.pid), []
        for number in range(10):
            ids += [client.submit_job("note", {"seconds": 0.02}) for _ in range(20)]
            write_handler(daemon, version_is(number))
            ended = board.head[Head.RELOADS_ENDED]
            os.kill(daemon.pid, signal.SIGHUP)
            while board.head[Head.RELOADS_ENDED] == ended:
                up = {child.slot for child in daemon.snapshot("worker") if child.state == "up"}
                assert len(up) >= 1
                time.sleep(0.005)
            assert board.head[Head.IS_RELOADED]
        jobs = client.wait(ids, 60)
    # What a worker had claimed and not begun when it was told to leave goes back, and is claimed again.
    assert {(job.status, job.attempts, job.recoveries) for job in jobs} == {(Status.COMPLETED, 1, 0)}
    assert sorted(line[1] for line in daemon.entries("start") if line[1] in set(ids)) == sorted(ids)
    wait_until(lambda: len(daemon.children()) == 4)
    wait_until(lambda: descriptors(daemon.pid) <= fds)
    assert procfs.rss_mb(daemon.pid) < memory_mb + 4
    wait_until(lambda: len(os.listdir(daemon.run_dir)) == files)
    wait_until(lambda: len(list(Board.open(board.path).used_rows())) == 4)


def test_what_fails_half_way_is_told_as_that_and_goes_on_from_there(daemon):
    # The second worker that loads it finds it broken, as if it had been saved just then.
    write_handler(
        daemon,
        "import os\nfrom pathlib import Path\n"
        "if 'bananasd: worker 1' in Path('/proc/self/cmdline').read_text():\n    os._exit(1)\n"
        + version_is(2),
    )
    reconfigure(daemon, "count = 2", 'count = 2\nqueues = ["new"]')
    (problem,) = reload(daemon)
    assert problem.startswith("the new worker 1 does not come up, see the log; 1 others have been replaced")
    until = str(daemon.directory / "go")
    with daemon.client() as client:
        # Worker 0 has gone on to the new queue, worker 1 has stayed on the old one …
        new, old = (client.submit_job("hold", {"until": until}, queue=queue) for queue in ("new", "default"))
        assert [daemon.worker_of(job_id).slot for job_id in (new, old)] == ["worker 0", "worker 1"]
        # … and one that is added now belongs to the new.
        os.kill(daemon.pid, signal.SIGTTIN)
        assert client.wait(client.submit_job("version", None, queue="new"), 30).result == 2
        Path(until).touch()
        assert {client.wait(job_id, 30).status for job_id in (new, old)} == {Status.COMPLETED}
    write_handler(daemon, version_is(3))
    assert reload(daemon) == []
    with daemon.client() as client:
        assert client.wait(client.submit_job("version", None, queue="new"), 30).result == 3


def test_the_time_to_start_follows_for_the_new_workers_already(make_daemon):
    daemon = make_daemon(settings={"workers": {"start_seconds": 1}}).start()
    write_handler(daemon, "import time\ntime.sleep(1.5)\n" + version_is(2))
    reconfigure(daemon, "start_seconds = 1", "start_seconds = 10")
    assert reload(daemon) == []


def test_what_handlers_start_while_they_are_checked_goes_with_the_check(daemon):
    write_handler(daemon, "import subprocess\nsubprocess.Popen(['sleep', '98765'])\nnonsense(\n")
    (daemon.directory / "handlers" / "another.py").write_text(
        "import subprocess\nfrom pathlib import Path\n"
        f"process = subprocess.Popen(['sleep', '98765'])\nPath({str(daemon.directory)!r}, 'pid').write_text(str(process.pid))\n"
    )
    assert reload(daemon)
    pid = int((daemon.directory / "pid").read_text())
    wait_until(lambda: not is_alive(pid))


def test_handlers_that_print_without_end_are_refused_and_cost_no_memory(daemon):
    write_handler(daemon, "while True:\n    print('x' * 10_000)\n")
    memory_mb = procfs.rss_mb(daemon.pid)
    (problem,) = reload(daemon)
    assert "print more than 16 MB" in problem
    assert procfs.rss_mb(daemon.pid) < memory_mb + 4


def test_the_watch_survives_directories_that_come_and_go(make_daemon):
    daemon = make_daemon()
    write_handler(daemon, version_is(1))
    daemon.start(options=["--watch"])
    board, folder = daemon.board, daemon.directory / "handlers" / "parts"
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        folder.mkdir()
        (folder / "part.py").touch()
        shutil.rmtree(folder)
    new = daemon.directory / "new.py"
    new.write_text(version_is(2))
    new.rename(daemon.directory / "handlers" / "versioned.py")
    with daemon.client() as client:
        wait_until(lambda: client.wait(client.submit_job("version", None), 30).result == 2)
    wait_until(lambda: board.head[Head.RELOADS_BEGUN] == board.head[Head.RELOADS_ENDED])
    assert daemon.stop() == 0
