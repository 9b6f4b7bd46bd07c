"""How a handler ends, and what becomes of its job and of the worker that ran it."""

import pytest

from bananasd import Status
from tests.conftest import wait_until
from tests.patience import assert_soon


@pytest.fixture
def runs_on(run):
    """Whether the daemon still runs jobs."""
    return lambda: run("result = 3").result == 3


def test_a_raising_handler_leaves_the_worker_working(run, runs_on, restarts):
    job = run("raise LookupError('nothing there')", max_retries=0)
    assert job.status is Status.FAILED
    assert "tested.py" in job.error
    assert job.error.endswith("LookupError: nothing there")
    assert runs_on()
    assert restarts() == 0


def test_a_handler_that_calls_sys_exit_has_failed_like_any_other(run, runs_on, restarts):
    job = run("sys.exit('enough')", max_retries=0)
    assert job.status is Status.FAILED
    assert job.error.endswith("SystemExit: enough")
    assert runs_on()
    assert restarts() == 0


@pytest.mark.parametrize(
    ("death", "cause"),
    [
        ("os._exit(0)", "exit status 0"),
        ("os._exit(78)", "exit status 78"),
        ("import ctypes; ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
        ("os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
    ],
)
def test_a_handler_that_takes_the_only_worker_along_is_dead_after_three_runs_and_the_daemon_goes_on(
    run, runs_on, restarts, death, cause
):
    job = run(death)
    assert job.status is Status.FAILED
    assert job.error == f"its worker ended in the job: {cause}"
    assert (job.recoveries, job.attempts, job.run) == (3, 0, 3)
    assert runs_on()
    assert restarts() == 3


KILL_LATER = """
    import threading

    def kill():
        while not os.path.exists({until!r}):
            time.sleep(0.005)
        os._exit(1)

    threading.Thread(target=kill, daemon=True).start()
"""


def test_jobs_that_kill_their_worker_after_their_end_do_not_stop_the_daemon(run, runs_on, restarts, tmp_path):
    for i in range(9):
        until = tmp_path / str(i)
        run(KILL_LATER.format(until=str(until)))
        until.touch()
        wait_until(lambda count=i + 1: restarts() == count)
    assert runs_on()


def test_give_up_goes_to_the_dead_letters_at_once(run):
    job = run("raise GiveUp('no such customer')", max_retries=5)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "the handler gave up: no such customer"


def test_give_up_without_a_reason_says_that(run):
    assert run("raise GiveUp").error == "the handler gave up: it gave no reason"


def test_a_handler_sees_when_its_run_began_as_the_record_has_it(run):
    job = run("result = [job.started_at, job.updated_at]")
    assert job.result == [job.started_at.isoformat()] * 2


def test_retry_later_comes_back_when_it_asked_to(run, daemon):
    def attempt() -> float:
        job = run(
            """
            note(job, "try")
            if job.attempt == 1:
                raise RetryLater(0.3, "rate limit")
            result = "done"
            """
        )
        assert (job.result, job.attempts) == ("done", 2)
        assert job.error == "RetryLater: rate limit"
        first, second = (float(entry[4]) for entry in daemon.entries("try", job.id))
        assert second - first > 0.29
        return second - first

    assert_soon(1, attempt)


@pytest.mark.parametrize("seconds", ["float('inf')", "float('nan')", "-5", "10**400", "'soon'", "None"])
def test_retry_later_with_an_impossible_time_is_a_failed_attempt_like_any_other(
    run, daemon, runs_on, restarts, seconds
):
    with daemon.client() as client:
        code = f"error = RetryLater(1); error.seconds = {seconds}; raise error"
        job_id = client.submit_job("tested", code, max_retries=1)
        wait_until(lambda: client.get_job(job_id).attempts)
    assert runs_on()
    assert restarts() == 0


@pytest.mark.parametrize("kind", ["GiveUp", "RetryLater", "ValueError"])
def test_an_error_whose_text_cannot_be_made_is_still_an_error(run, restarts, kind):
    job = run(
        f"""
        class Odd({kind}):
            def __init__(self):
                pass
            def __str__(self):
                raise RuntimeError
        raise Odd
        """,
        max_retries=0,
    )
    assert job.status is Status.FAILED
    assert "Odd" in job.error
    assert restarts() == 0


@pytest.mark.parametrize("kind", ["GiveUp", "ValueError"])
def test_what_cannot_be_stored_of_an_error_is_made_visible(run, restarts, kind):
    job = run(rf"raise {kind}('half a character: \ud800')", max_retries=0)
    assert job.error.endswith(r"half a character: \ud800")
    assert restarts() == 0


@pytest.mark.parametrize("kind", ["GiveUp", "ValueError"])
def test_of_a_long_error_the_end_is_kept(run, kind):
    job = run(f"raise {kind}('x' * 10_000 + 'the end')", max_retries=0)
    assert len(job.error) == 4001
    assert job.error.endswith("xthe end")


def test_a_result_that_is_not_json_is_dead_at_once_with_the_reason(run):
    job = run("result = {'at': [1, object()]}")
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error.startswith("the handler returned, but the result cannot be written as JSON")


def test_a_result_that_is_too_long_is_dead_at_once_with_the_reason(run):
    job = run("result = 'x' * 1024 * 1024")
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "the handler returned, but the result has 1,048,578 bytes, at most 1,048,576 are kept"


def test_a_result_whose_own_code_fails_is_dead_at_once_and_harms_nobody(run, restarts):
    job = run(
        """
        from dataclasses import dataclass
        @dataclass
        class Odd:
            field: int = 1
            def __getattribute__(self, name):
                if name == "field":
                    raise KeyError("odd")
                return super().__getattribute__(name)
        result = [Odd()]
        """
    )
    assert job.status is Status.FAILED
    assert job.error.startswith("the handler returned, but ")
    assert restarts() == 0


def test_an_async_handler_runs_to_its_end(run):
    job = run(
        """
        await asyncio.sleep(0.01)
        return await asyncio.to_thread(lambda: 42)
        """,
        name="tested_async",
    )
    assert job.result == 42


def test_a_handler_submits_to_the_server_that_it_works_for(run, daemon):
    job = run("result = run_tested.submit('result = 42')")
    with daemon.client() as client:
        assert client.wait(job.result, 30).result == 42


def test_progress_is_seen_while_the_job_runs(daemon):
    until = daemon.directory / "until"
    code = f"job.set_progress(1, 2, 'half')\nwhile not os.path.exists({str(until)!r}): time.sleep(0.005)"
    with daemon.client() as client:
        job_id = client.submit_job("tested", code)
        wait_until(lambda: client.get_job(job_id).progress)
        job = client.get_job(job_id)
        assert (job.status, job.progress) == (
            Status.PROCESSING,
            {"done": 1, "total": 2, "note": "half"},
        )
        until.touch()
        assert client.wait(job_id, 30).progress["note"] == "half"


def test_a_job_that_looks_learns_that_the_daemon_drains(server, make_daemon):
    daemon = make_daemon(
        """
        @handler("looks")
        def run_looks(job):
            note(job, "start")
            while not job.should_stop:
                time.sleep(0.01)
            return "stopped"
        """,
        redis_url=server.url,
        settings={"workers": {"count": 1}, "master": {"drain_seconds": 60}},
    ).start()
    with daemon.client() as client:
        job_id = client.submit_job("looks", None)
        wait_until(lambda: daemon.entries("start"))
        assert daemon.stop() == 0
        assert client.get_job(job_id).result == "stopped"


def test_a_worker_has_loaded_no_client_of_redis_py_until_a_handler_imports_one(run):
    looked = "import sys; result = ['redis.connection' in sys.modules, 'redis.client' in sys.modules]"
    assert run(looked).result == [True, False]
    assert run("import redis; result = redis.Redis.__name__").result == "Redis"
