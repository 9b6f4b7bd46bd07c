"""The benchmark as it is run, with few jobs, and the promises of its yardstick."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from bench import yardstick
from bench.server import TRANSPORTS, Server, trip
from bench.yardstick import HOLDERS, JOB, LEASES, NORMAL, STATS, Submitter, Worker
from tests.conftest import wait_until

# Many processes are started one after the other, each of which a busy machine delays.
pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]


def bench(*arguments, module="bench"):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=150
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_small_run_tells_figures_beside_their_yardsticks(tmp_path, transport):
    told = tmp_path / "figures.json"
    done = bench("enqueue", "drain", "latency", "--scale", "0.01", "--rounds", "1", "--transport", transport,
                 "--against", str(ROOT), "--json", str(told))  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(told.read_text())["figures"]
    assert {figure["name"] for figure in figures} >= {
        "enqueue, one a call", "enqueue, submit_many", "drain", "drain, from the daemon's start", "idle latency, p50",
    }  # fmt: skip
    for figure in figures:
        assert figure["value"] > 0 and figure["against_value"] > 0 and figure["against_ratio"] > 0
        assert (figure["ratio"] is not None) == bool(figure["yardstick"])
        assert figure["name"] in done.stdout


def test_an_idle_daemon_is_told_by_process():
    done = bench("idle", "--scale", "0.1", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    for process in ("master", "scheduler", "worker 0", "worker 1"):
        assert f"idle, CPU of {process}" in done.stdout


def test_a_mistake_is_told_in_a_line():
    done = bench("drian")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bench: there is no measurement drian")


@pytest.fixture
def server():
    server = Server("unix")
    yield server
    server.close()


@pytest.fixture
def short_directory():
    # pytest's own can be too long for a socket's path.
    directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
    yield directory
    shutil.rmtree(directory)


def record(server, job_id):
    found = server.call("HGETALL", JOB + job_id)
    return {name.decode(): value.decode() for name, value in found.items()}


def claimed(server, submitter, name="w0"):
    """A worker that has run a job and not completed it, and the id of the job."""
    submitter.submit(1)
    worker = Worker(server, name, 1)
    assert worker.step(lambda _: None) == 1
    (job_id,) = server.call("LRANGE", worker.held, 0, -1)
    return worker, job_id.decode()


def test_the_yardstick_completes_what_it_claimed(server):
    worker, job_id = claimed(server, Submitter(server))
    assert record(server, job_id)["status"] == "processing"
    assert worker.step(lambda _: None) == 0
    assert record(server, job_id)["status"] == "completed"
    assert server.call("EXISTS", worker.held) == 0
    assert server.call("HGET", STATS, "completed") == b"1"


@pytest.mark.parametrize("field", ["run", "holder", "status"])
def test_the_yardstick_refuses_to_end_a_run_that_is_not_its_own(server, field):
    worker, job_id = claimed(server, Submitter(server))
    server.call("HSET", JOB + job_id, field, "another")
    worker.step(lambda _: None)
    assert record(server, job_id)["status"] in ("processing", "another")
    assert server.call("HGET", STATS, "completed") is None


@pytest.mark.parametrize(
    ("spoil", "error"),
    [(("DEL", HOLDERS), "UNKNOWNHOLDER"), (("ZADD", LEASES, 1, yardstick.NODE), "LEASEENDED")],
)
def test_the_yardstick_claims_nothing_without_holder_and_lease(server, spoil, error):
    worker = Worker(server, "w0", 1)
    server.call(*spoil)
    Submitter(server).submit(1)
    with pytest.raises(ResponseError, match=error):
        worker.step(lambda _: None)
    assert server.call("LLEN", yardstick.LANES[NORMAL]) == 1


def test_the_yardstick_accepts_an_id_once(server):
    submitter = Submitter(server)
    command = submitter.command({"i": 1})
    connection = server.connect()
    assert trip(connection, [command, command]) == [1, 0]
    assert server.call("LLEN", yardstick.LANES[NORMAL]) == 1


def test_the_yardstick_runs_every_job_once(server, tmp_path):
    Submitter(server).submit(1_000, 100)
    yardstick.drain(server, yardstick.BATCH, tmp_path / "stamps")
    assert (tmp_path / "stamps").stat().st_size == 1_000 * 20
    assert server.call("HGET", STATS, "completed") == b"1000"


def test_a_run_that_is_ended_leaves_nothing_behind(short_directory):
    environ = {**os.environ, "TMPDIR": str(short_directory)}
    with subprocess.Popen([sys.executable, "-m", "bench", "idle"], cwd=ROOT, env=environ) as process:
        wait_until(lambda: list(short_directory.glob("bananasd-bench-*/run/*.board")), 60)
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(short_directory.iterdir()) == []
