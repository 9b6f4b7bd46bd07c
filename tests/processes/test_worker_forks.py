"""Processes that a handler starts: they are ended like any other, and none of them is taken for the worker."""

import os
import signal

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import is_alive


@pytest.fixture
def run(server, make_daemon):
    def run(handlers, **options):
        daemon = make_daemon(handlers, redis_url=server.url, settings={"workers": {"count": 1}}).start()
        with daemon.client() as client:
            return client.wait(client.submit_job("tested", None, **options), 10), daemon

    return run


def test_a_handler_may_use_a_process_pool(run):
    job, _ = run(
        """
        import multiprocessing
        @handler("tested")
        def run_tested(job):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return pool.map(abs, [-1, -2])
        """
    )
    assert job.result == [1, 2]


def test_a_process_that_a_handler_forked_dies_of_sigterm(run):
    job, daemon = run(
        """
        @handler("tested")
        def run_tested(job):
            if (pid := os.fork()) == 0:
                time.sleep(1000)
            os.kill(pid, signal.SIGTERM)
            return os.waitpid(pid, 0)[1]
        """
    )
    assert job.result == signal.SIGTERM
    assert daemon.children("worker")[0].state == "up"


@pytest.mark.parametrize(
    ("end", "code"),
    [("return 'copy'", 0), ("sys.exit(3)", 3), ("raise ValueError", 1), ("sys.exit('no')", 1)],
)
def test_a_fork_that_comes_back_from_the_handler_ends_and_the_worker_goes_on(run, end, code):
    job, daemon = run(
        f"""
        @handler("tested")
        def run_tested(job):
            if (pid := os.fork()) == 0:
                {end}
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        """
    )
    assert (job.status, job.result, job.run) == (Status.COMPLETED, code, 1)
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {"result": 3}), 10).result == 3


def test_a_fork_tells_progress_over_a_connection_of_its_own(run):
    job, _ = run(
        """
        @handler("tested")
        def run_tested(job):
            job.set_progress(1)
            if (pid := os.fork()) == 0:
                job.set_progress(2)
                os._exit(0)
            os.waitpid(pid, 0)
            job.set_progress(job.progress["done"] + 2)
        """
    )
    assert job.progress["done"] == 3


def test_a_program_that_a_handler_starts_obeys_sigint(run):
    job, _ = run(
        """
        @handler("tested")
        def run_tested(job):
            program = subprocess.Popen(["sleep", "1000"])
            program.send_signal(signal.SIGINT)
            return program.wait()
        """
    )
    assert job.result == -signal.SIGINT


def test_a_handler_reads_nothing_from_standard_input(run):
    job, _ = run(
        """
        @handler("tested")
        def run_tested(job):
            return [os.readlink("/proc/self/fd/0"), sys.stdin.read()]
        """
    )
    assert job.result == ["/dev/null", ""]


@pytest.mark.parametrize("escape", ["", "os.setpgid(0, os.getpgid(os.getppid()))"])
def test_what_a_killed_worker_had_started_is_gone(server, make_daemon, escape):
    daemon = make_daemon(
        f"""
        @handler("tested")
        def run_tested(job):
            program = subprocess.Popen(["sleep", "1000"])
            {escape}
            (Path(__file__).parent.parent / "program").write_text(f"{{program.pid}}\\n")
            while True:
                try:
                    program.wait()
                except BaseException:
                    pass
        from pathlib import Path
        """,
        redis_url=server.url,
    ).start()
    note = daemon.directory / "program"
    with daemon.client() as client:
        job_id = client.submit_job("tested", None, timeout_seconds=0.1 if escape else 0, max_retries=0)
        worker = daemon.worker_of(job_id)
        wait_until(lambda: note.exists() and note.read_text().endswith("\n"))
        program = int(note.read_text())
        assert is_alive(program)
        if not escape:
            os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(worker.pid))
        wait_until(lambda: not is_alive(program))
