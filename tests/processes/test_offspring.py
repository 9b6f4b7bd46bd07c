"""Processes that a handler starts by spawn and forkserver: they know the handlers' modules, and log as their worker does."""

import json
import os
import signal
import subprocess
import sys

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import Daemon
from tests.processes.conftest import lend

HANDLERS = """
    import logging
    from concurrent.futures import ProcessPoolExecutor
    from dataclasses import dataclass
    from multiprocessing import get_context
    from unittest.mock import patch

    import beside

    log = logging.getLogger("mine")
    pools = {}

    @dataclass
    class Figures:
        numbers: list

    class TooMany(Exception):
        pass

    class Counter(get_context("spawn").Process):
        def run(self):
            log.info("says process")

    def add(figures):
        log.info("says %s", os.getpid())
        log.debug("says nothing")
        if len(figures.numbers) > 3:
            raise TooMany
        return Figures([sum(figures.numbers), beside.ONE])

    @handler("add", max_retries=1)
    def run_add(job):
        with ProcessPoolExecutor(1, mp_context=get_context(job.payload["method"])) as pool:
            numbers = pool.submit(add, Figures(job.payload["numbers"])).result().numbers
        if job.attempt < job.payload.get("attempts", 1):
            raise RetryLater(0)
        return numbers

    @handler("many", max_retries=0)
    def run_many(job):
        with ProcessPoolExecutor(1, mp_context=get_context(job.payload)) as pool:
            try:
                pool.submit(add, Figures([1] * 4)).result()
            except TooMany:
                return "too many"

    @handler("subclass")
    def run_subclass(job):
        counter = Counter()
        counter.start()
        counter.join()
        return counter.exitcode

    @handler("pool")
    def run_pool(job):
        pool = pools.setdefault(job.payload, ProcessPoolExecutor(1, mp_context=get_context(job.payload)))
        return pool.submit(add, Figures([1])).result().numbers

    def nest():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(add, Figures([2])).result()

    @handler("nested")
    def run_nested(job):
        with ProcessPoolExecutor(1, mp_context=get_context(job.payload)) as pool:
            return pool.submit(nest).result().numbers

    @handler("bare")
    def run_bare(job):
        with patch.dict(os.environ, {}, clear=True):
            process = get_context("spawn").Process(target=abs, args=[1])
            process.start()
        process.join()
        return process.exitcode
"""

METHODS = ["spawn", "forkserver"]
ONE_WORKER = {"workers": {"count": 1, "timeout_seconds": 60}, "log": {"format": "json", "level": "info"}}


def prepared(daemon):
    (daemon.directory / "handlers" / "beside.py").write_text("ONE = 1")
    return daemon.start()


@pytest.fixture(scope="module")
def daemon():
    yield from lend(prepared(Daemon(HANDLERS, settings=ONE_WORKER)))


@pytest.fixture
def ran(daemon):
    def ran(name, payload=None):
        with daemon.client() as client:
            return client.wait(client.submit_job(name, payload), 30)

    return ran


def said(daemon, job):
    """What processes have logged for a job."""
    lines = [json.loads(line) for line in daemon.lines('"mine"')]
    return [line for line in lines if line.get("job_id") == job.id]


@pytest.mark.parametrize("method", METHODS)
def test_a_function_of_a_handlers_module_runs_there_and_logs_for_its_job(daemon, ran, method):
    job = ran("add", {"method": method, "numbers": [1, 2, 3], "attempts": 2})
    assert (job.status, job.result) == (Status.COMPLETED, [6, 1])
    lines = said(daemon, job)
    assert [line["attempt"] for line in lines] == [1, 2]
    (worker,) = daemon.children("worker")
    for line in lines:
        assert (line["process"], line["job_name"], line["level"]) == ("worker 0", "add", "info")
        assert line["message"] == f"says {line['pid']}" != f"says {worker.pid}"


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_of_a_class_of_that_module_comes_back(ran, method):
    assert ran("many", method).result == "too many"


def test_a_process_of_a_class_of_that_module_runs(daemon, ran):
    job = ran("subclass")
    assert job.result == 0
    assert [line["message"] for line in said(daemon, job)] == ["says process"]


@pytest.mark.parametrize("method", METHODS)
def test_a_pool_that_outlives_its_job_logs_for_the_next(daemon, ran, method):
    first, second = ran("pool", method), ran("pool", method)
    assert [len(said(daemon, job)) for job in (first, second)] == [1, 1]
    assert said(daemon, first)[0]["pid"] == said(daemon, second)[0]["pid"]


@pytest.mark.parametrize("method", METHODS)
def test_what_such_a_process_starts_is_as_it_is_itself(daemon, ran, method):
    job = ran("nested", method)
    assert job.result == [2, 1]
    assert len(said(daemon, job)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_handlers_that_were_loaded_before_the_fork_know_it_as_well(make_daemon, method):
    settings = {**ONE_WORKER, "workers": {"count": 1, "preload": True}}
    daemon = prepared(make_daemon(HANDLERS, settings=settings))
    with daemon.client() as client:
        job = client.wait(client.submit_job("add", {"method": method, "numbers": [1]}), 30)
    assert job.result == [1, 1]
    assert len(said(daemon, job)) == 1


def test_run_on_the_command_line_knows_it_as_well(daemon):
    payload = json.dumps({"method": "spawn", "numbers": [2, 3]})
    command = [
        sys.executable,
        "-m",
        "bananasd",
        "run",
        "add",
        "--payload",
        payload,
        "--config",
        str(daemon.config),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout) == [5, 1], done.stderr


def test_a_process_whose_environment_was_cleared_does_what_needs_no_handlers(ran):
    assert ran("bare").result == 0


@pytest.mark.parametrize("method", METHODS)
def test_after_a_rotation_new_processes_write_to_the_new_file(make_daemon, tmp_path, method):
    """Also those that a fork server makes which still has the old one."""
    file = tmp_path / "daemon.log"
    settings = {**ONE_WORKER, "log": {**ONE_WORKER["log"], "file": str(file)}}
    daemon = prepared(make_daemon(HANDLERS, settings=settings))
    payload = {"method": method, "numbers": [1]}
    with daemon.client() as client:
        assert client.submit_and_wait("add", payload, wait_seconds=30).result == [1, 1]
        file.rename(tmp_path / "daemon.log.1")
        os.kill(daemon.pid, signal.SIGUSR1)
        # The worker has turned to the new file, and the job's id stands in no old line.
        wait_until(file.exists)
        wait_until(
            lambda: (client.submit_and_wait("note", {}, wait_seconds=30), "worker 0" in file.read_text())[1]
        )
        job = client.submit_and_wait("add", payload, wait_seconds=30)
    assert [line for line in file.read_text().splitlines() if '"mine"' in line and job.id in line]
