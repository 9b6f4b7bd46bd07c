"""Processes that a handler starts: they are ended like any other, and none of them is taken for the worker."""

import os
import signal

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.daemon import is_alive


def test_a_handler_may_use_a_process_pool(run):
    job = run(
        """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            result = pool.map(abs, [-1, -2])
            pool.close()  # The pool's own end is a SIGTERM, in which what measures the coverage may hang.
            pool.join()
        """
    )
    assert job.result == [1, 2]


def test_a_process_that_a_handler_forked_dies_of_sigterm(run, restarts):
    job = run(
        """
        if (pid := os.fork()) == 0:
            time.sleep(1000)
        os.kill(pid, signal.SIGTERM)
        result = os.waitpid(pid, 0)[1]
        """
    )
    assert job.result == signal.SIGTERM
    assert restarts() == 0


@pytest.mark.parametrize(
    ("end", "code"),
    [("result = 'copy'", 0), ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("raise ValueError", 1)],
)
def test_a_fork_that_comes_back_from_the_handler_ends_and_the_worker_goes_on(run, restarts, end, code):
    job = run(
        f"""
        if (pid := os.fork()) == 0:
            {end}
        else:
            result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        """
    )
    assert (job.status, job.result, job.run) == (Status.COMPLETED, code, 1)
    assert run("result = 3").result == 3
    assert restarts() == 0


def test_a_fork_tells_progress_over_a_connection_of_its_own(run):
    job = run(
        """
        job.set_progress(1)
        if (pid := os.fork()) == 0:
            job.set_progress(2)
            os._exit(0)
        os.waitpid(pid, 0)
        job.set_progress(3)
        """
    )
    assert job.progress["done"] == 3


def test_a_program_that_a_handler_starts_obeys_sigint(run):
    job = run(
        """
        program = subprocess.Popen(["sleep", "1000"])
        program.send_signal(signal.SIGINT)
        result = program.wait()
        """
    )
    assert job.result == -signal.SIGINT


def test_a_handler_reads_nothing_from_standard_input(run):
    job = run("result = [os.readlink('/proc/self/fd/0'), sys.stdin.read()]")
    assert job.result == ["/dev/null", ""]


PROGRAM = """
    program = is_told = None
    while {condition}:
        try:
            {first}
            program = program or subprocess.Popen(["sleep", "1000"])
            is_told = is_told or note(job, f"program {program.pid}") or True
            program.wait()
        except BaseException:
            pass
"""


@pytest.fixture
def start_program(daemon):
    """Starts a job that starts a program; the worker's pid and the program's."""

    def start(condition="True", first="pass", **options):
        with daemon.client() as client:
            code = PROGRAM.replace("{condition}", condition).replace("{first}", first)
            job_id = client.submit_job("tested", code, max_retries=0, **options)
        wait_until(lambda: any(job_id in line for line in daemon.entries("program")))
        entry = next(line for line in daemon.entries("program") if job_id in line)
        return int(entry[4]), int(entry[1])

    return start


def test_what_a_killed_worker_had_started_is_gone(start_program):
    worker, program = start_program("job.run == 1")
    assert is_alive(program)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_alive(program))


def test_what_a_worker_had_started_that_was_killed_for_its_time_is_gone(start_program):
    worker, program = start_program(timeout_seconds=0.5)
    wait_until(lambda: not is_alive(worker))
    wait_until(lambda: not is_alive(program))


def test_a_worker_that_has_left_its_group_is_killed_all_the_same(start_program):
    worker, _ = start_program(first="os.setpgid(0, os.getpgid(os.getppid()))", timeout_seconds=0.5)
    wait_until(lambda: not is_alive(worker))
