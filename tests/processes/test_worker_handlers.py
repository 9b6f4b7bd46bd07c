"""What a handler does, and what becomes of its job and of the worker that ran it."""

import pytest

from bananasd import Status
from tests.conftest import wait_until

ONE_WORKER = {"workers": {"count": 1}}


@pytest.fixture
def run(server, make_daemon):
    """Starts a daemon of one worker with these handlers, runs a job on it, and returns what became of both."""

    def run(handlers, name="tested", payload=None, settings=None, **options):
        daemon = make_daemon(
            handlers, redis_url=server.url, settings={**ONE_WORKER, **(settings or {})}
        ).start()
        with daemon.client() as client:
            return client.wait(client.submit_job(name, payload, **options), 10), daemon

    return run


def test_a_raising_handler_leaves_the_worker_working(run):
    job, daemon = run(
        """
        @handler("tested", max_retries=0)
        def run_tested(job):
            raise LookupError("nothing there")
        """
    )
    assert job.status is Status.FAILED
    assert job.error.endswith("LookupError: nothing there")
    assert "tested.py" in job.error
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {"result": 3}), 10).result == 3
    assert daemon.children("worker")[0].restarts == 0


def test_a_handler_that_calls_sys_exit_has_failed_like_any_other(run):
    job, daemon = run(
        """
        @handler("tested", max_retries=0)
        def run_tested(job):
            sys.exit("enough")
        """
    )
    assert job.status is Status.FAILED
    assert job.error.endswith("SystemExit: enough")
    assert daemon.children("worker")[0].restarts == 0


@pytest.mark.parametrize(
    ("death", "cause"),
    [
        ("os._exit(0)", "exit status 0"),
        ("os._exit(78)", "exit status 78"),
        ("__import__('ctypes').string_at(0)", "signal 11 (SIGSEGV)"),
        ("os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
    ],
)
def test_a_handler_that_takes_its_worker_along_is_dead_after_three_runs_and_the_only_worker_goes_on(
    run, death, cause
):
    job, daemon = run(
        f"""
        @handler("tested")
        def run_tested(job):
            {death}
        """
    )
    assert job.status is Status.FAILED
    assert job.error == f"its worker ended in the job: {cause}"
    assert (job.recoveries, job.attempts) == (3, 0)
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {"result": 3}), 10).result == 3


def test_jobs_that_kill_their_worker_after_their_end_do_not_stop_the_daemon(server, make_daemon):
    daemon = make_daemon(
        """
        import threading
        @handler("tested")
        def run_tested(job):
            threading.Timer(0.02, os._exit, [1]).start()
        """,
        redis_url=server.url,
        settings=ONE_WORKER,
    ).start()
    with daemon.client() as client:
        for i in range(9):
            client.wait(client.submit_job("tested", None), 10)
            wait_until(lambda restarts=i + 1: [c.restarts for c in daemon.children("worker")] == [restarts])
        assert client.wait(client.submit_job("note", {"result": 3}), 10).result == 3


def test_give_up_goes_to_the_dead_letters_at_once(run):
    job, _ = run(
        """
        @handler("tested", max_retries=5)
        def run_tested(job):
            raise GiveUp("no such customer \\ud800")
        """
    )
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "the handler gave up: no such customer \\ud800"


def test_retry_later_comes_back_when_it_asked_to(run):
    job, daemon = run(
        """
        @handler("tested")
        def run_tested(job):
            note(job, "try")
            if job.attempt == 1:
                raise RetryLater(0.3, "rate limit")
            return "done"
        """
    )
    assert (job.result, job.attempts) == ("done", 1)
    assert job.error == "RetryLater: rate limit"
    first, second = (float(entry[4]) for entry in daemon.entries("try"))
    assert 0.29 < second - first < 1


@pytest.mark.parametrize("seconds", ["float('inf')", "float('nan')", "-5", "10**400", "'soon'"])
def test_retry_later_with_an_impossible_time_is_still_a_retry(run, seconds):
    _, daemon = run(
        f"""
        @handler("tested")
        def run_tested(job):
            error = RetryLater(1)
            error.seconds = {seconds}
            raise error
        """,
        name="note",
        payload={},
    )
    with daemon.client() as client:
        job_id = client.submit_job("tested", None, max_retries=1)
        wait_until(lambda: client.get_job(job_id).attempts)
        assert client.wait(client.submit_job("note", {}), 10).status is Status.COMPLETED
    assert daemon.children("worker")[0].restarts == 0


def test_an_error_whose_text_cannot_be_made_is_still_an_error(run):
    job, daemon = run(
        """
        class Odd(GiveUp):
            def __str__(self):
                raise RuntimeError
        @handler("tested")
        def run_tested(job):
            raise Odd
        """
    )
    assert job.error == "the handler gave up: Odd (its text cannot be shown)"
    assert daemon.children("worker")[0].restarts == 0


def test_of_a_long_error_the_end_is_kept(run):
    job, _ = run(
        """
        @handler("tested", max_retries=0)
        def run_tested(job):
            raise ValueError("x" * 10_000 + "the end")
        """
    )
    assert len(job.error) == 4001
    assert job.error.endswith("xthe end")


def test_a_result_that_is_not_json_is_dead_at_once_with_the_reason(run):
    job, _ = run(
        """
        @handler("tested")
        def run_tested(job):
            return {"at": [1, object()]}
        """
    )
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error.startswith("the handler returned, but the result cannot be written as JSON")


def test_a_result_that_is_too_long_is_dead_at_once_with_the_reason(run):
    job, _ = run(
        """
        @handler("tested")
        def run_tested(job):
            return "x" * 99
        """,
        settings={"retention": {"result_bytes": 100}},
    )
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "the handler returned, but the result has 101 bytes, at most 100 are kept"


def test_a_missing_handler_is_a_failed_attempt_that_names_it(run):
    job, _ = run("", name="nobody", max_retries=0)
    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert job.error == "no handler is loaded for the name 'nobody'"


@pytest.mark.parametrize(("policy", "attempts"), [('{"max_retries":0}', 1), ('{"max_retries":1}', 2)])
def test_a_missing_handlers_retries_are_those_that_another_worker_declared(server, run, policy, attempts):
    server.call("HSET", "{bananas:default}:handlers", "elsewhere", policy)
    job, _ = run("", name="elsewhere", settings={"retry": {"base_seconds": 0.01}})
    assert (job.status, job.attempts) == (Status.FAILED, attempts)


@pytest.mark.parametrize("policy", ["garbage", "[1]", '{"max_retries":"many"}'])
def test_an_unreadable_policy_counts_as_none(server, run, policy):
    server.call("HSET", "{bananas:default}:handlers", "elsewhere", policy)
    job, _ = run("", name="elsewhere", settings={"retry": {"base_seconds": 0.01, "max_retries": 1}})
    assert (job.status, job.attempts) == (Status.FAILED, 2)


@pytest.mark.parametrize(
    ("job_id", "spec", "reason"),
    [
        ("11111111-1111-4111-8111-111111111111", "garbage", "its spec is not JSON"),
        ("11111111-1111-4111-8111-111111111111", '{"v":1,"name":"note"}', "its spec has no payload"),
        ("7", '{"v":1,"name":"note","payload":{}}', "its id is no UUID"),
    ],
)
def test_an_unreadable_record_is_dead_with_the_reason(server, run, job_id, spec, reason):
    prefix = "{bananas:default}:"
    server.call("HSET", f"{prefix}job:{job_id}", "spec", spec, "lane", "default:high", "status", "pending")
    server.call("RPUSH", f"{prefix}ready:default:high", job_id)
    _, daemon = run("", name="note", payload={})
    error = server.call("HGET", f"{prefix}job:{job_id}", "error").decode()
    assert error.startswith(f"the job cannot be run: {reason}")
    assert server.call("ZSCORE", f"{prefix}dead", job_id)
    assert daemon.children("worker")[0].restarts == 0


def test_an_async_handler_runs_to_its_end(run):
    job, _ = run(
        """
        import asyncio
        @handler("tested")
        async def run_tested(job):
            await asyncio.sleep(0.01)
            return await asyncio.to_thread(lambda: job.payload["x"] + 1)
        """,
        payload={"x": 41},
    )
    assert job.result == 42


def test_a_handler_submits_to_the_server_that_it_works_for(run):
    job, daemon = run(
        """
        @handler("next")
        def run_next(job):
            return job.payload * 2
        @handler("tested")
        def run_tested(job):
            return run_next.submit(21)
        """
    )
    with daemon.client() as client:
        assert client.wait(job.result, 10).result == 42


def test_progress_is_seen_while_the_job_runs(server, make_daemon):
    daemon = make_daemon(
        """
        @handler("tested")
        def run_tested(job):
            job.set_progress(1, 2, "half")
            while not job.should_stop:
                time.sleep(0.01)
            return "stopped"
        """,
        redis_url=server.url,
        settings=ONE_WORKER,
    ).start()
    with daemon.client() as client:
        job_id = client.submit_job("tested", None)
        wait_until(lambda: client.get_job(job_id).progress)
        assert client.get_job(job_id).progress == {"done": 1, "total": 2, "note": "half"}
        assert daemon.stop() == 0
        assert client.get_job(job_id).result == "stopped"
