"""What `bananasd.testing` gives to the tests of its users: no server runs here."""

import asyncio
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bananasd import (
    AsyncClient,
    Client,
    GiveUp,
    InvalidJob,
    JobNotFound,
    JobRequest,
    JobTimeout,
    Priority,
    RetryLater,
    Status,
    WaitTimeout,
    clock,
    handler,
    testing,
)
from bananasd.declaration import submit_through
from bananasd.errors import HandlersError
from bananasd.testing import InlineFailure, fake, inline, transitions
from tests.conftest import wait_until

pytest_plugins = ["bananasd.testing.fixtures"]


@handler("t_echo")
def echo(job):
    return job.payload


@handler("t_fail", max_retries=2)
def fail(job):
    raise ValueError(f"attempt {job.attempt}")


@handler("t_give_up")
def give_up(job):
    raise GiveUp("no use")


@handler("t_later", max_retries=3)
def later(job):
    if job.attempt < 3:
        raise RetryLater(3600)
    return job.attempt


@handler("t_both")
def both(job):
    return [echo.submit({"part": number}) for number in range(job.payload)]


@handler("t_forever")
def forever(job):
    forever.submit(None)


@handler("t_set")
def not_json(job):
    return {1}


@handler("t_progress")
def tell(job):
    job.set_progress(1, 2, "half")
    return job.should_stop


@handler("t_async")
async def slow(job):
    await asyncio.sleep(0)
    return "async"


@pytest.fixture(autouse=True)
def _own_shared_client():
    """Other tests of this process may have said where `.submit` goes."""
    submit_through(Client)


@pytest.fixture
def queue():
    with fake() as queue:
        yield queue


# inline


def test_inline_runs_a_job_before_its_submit_returns():
    with inline(), Client() as client:
        job = client.get_job(client.submit_job("t_echo", {"a": 1}))
    assert (job.status, job.result, job.attempts, job.run) == (Status.COMPLETED, {"a": 1}, 1, 1)


def test_inline_hands_the_payload_on_as_json():
    with inline():
        assert Client().wait(echo.submit({"a": (1, 2), "at": datetime(2026, 1, 1, tzinfo=UTC)}), 5).result == {
            "a": [1, 2], "at": "2026-01-01T00:00:00+00:00",
        }  # fmt: skip
        with pytest.raises(InvalidJob, match="not JSON serializable: set"):
            echo.submit({1})


def test_inline_raises_what_the_handler_raised():
    with inline() as queue:
        with pytest.raises(ValueError, match="attempt 1"):
            fail.submit(None)
        with pytest.raises(GiveUp, match="no use"):
            give_up.submit(None)
        with pytest.raises(RetryLater):
            later.submit(None)
    assert [(job.status, job.attempts) for job in queue.jobs] == [
        (Status.SCHEDULED, 1), (Status.FAILED, 1), (Status.SCHEDULED, 1)
    ]  # fmt: skip


def test_inline_without_raising_tries_again_until_the_job_has_ended():
    with inline(raises=False) as queue:
        assert Client().get_job(fail.submit(None)).status is Status.FAILED
        assert Client().get_job(later.submit(None)).result == 3
    assert [job.attempts for job in queue.jobs] == [3, 3]


def test_inline_says_that_there_is_no_handler():
    with (
        inline(),
        pytest.raises(InlineFailure, match=r"no handler is loaded for the name 'nobody'.*imported"),
    ):
        Client().submit_job("nobody", None)


def test_inline_says_that_a_result_is_no_json():
    with (
        inline(),
        pytest.raises(InlineFailure, match="the handler returned, but the result cannot be written"),
    ):
        not_json.submit(None)


def test_inline_runs_what_is_for_later_too():
    with inline(), Client() as client:
        job_id = client.submit_job_scheduled("t_echo", 5, Priority.LOW, timedelta(days=1))
        job = client.get_job(job_id)
    assert (job.status, job.result) == (Status.COMPLETED, 5)
    assert job.scheduled_for > job.finished_at


def test_inline_runs_jobs_of_a_paused_queue():
    with inline() as queue:
        queue.client.pause()
        assert queue.client.get_result(echo.submit(1)) == 1


def test_drain_runs_no_jobs_of_a_paused_queue(queue):
    queue.client.pause("default")
    echo.submit(1)
    assert queue.drain() == []
    queue.client.resume("default")
    assert [job.result for job in queue.drain()] == [1]


def test_a_wait_in_another_thread_is_woken_by_drain(queue):
    job_id = echo.submit("waited for")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(queue.client.wait, job_id, 20)
        wait_until(lambda: any(b"waiters" in record for record in queue._memory.hashes.values()))
        queue.drain()
        assert waiting.result(5).result == "waited for"


def test_inline_runs_what_a_handler_submits_within_it():
    with inline() as queue:
        both.submit(3)
        assert [job.result for job in queue.submitted("t_echo")] == [{"part": n} for n in range(3)]
    assert {job.status for job in queue.jobs} == {Status.COMPLETED}


def test_inline_runs_a_list_in_its_order_up_to_the_first_failure():
    requests = [
        JobRequest("t_echo", 1, Priority.LOW),
        JobRequest("t_fail", 2),
        JobRequest("t_echo", 3, Priority.HIGH),
    ]
    with inline() as queue, pytest.raises(ValueError, match="attempt 1"):
        Client().submit_many(requests)
    assert [job.status for job in queue.jobs] == [Status.COMPLETED, Status.SCHEDULED, Status.PENDING]


def test_inline_runs_a_repeated_submit_once():
    job_id = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"
    with inline() as queue:
        assert [echo.submit(None, job_id=job_id) for _ in range(2)] == [job_id, job_id]
    assert [job.run for job in queue.jobs] == [1]


def test_inline_runs_of_a_list_with_a_key_the_one_that_takes_the_others_places():
    with inline() as queue:
        requests = [JobRequest("t_echo", n, unique_key="k", on_duplicate="replace") for n in range(3)]
        assert queue.client.submit_many(requests) == [request.job_id for request in requests]
        assert [job.status for job in queue.jobs] == [Status.CANCELLED, Status.CANCELLED, Status.COMPLETED]


def test_inline_lets_a_handler_find_its_own_job_where_it_submits_a_duplicate():
    @handler("t_again")
    def again(job):
        return again.submit(None, unique_key="k")

    with inline(handlers=[again]) as queue:
        job_id = again.submit(None, unique_key="k")
        assert queue.client.get_result(job_id) == job_id
        assert again.submit(None, unique_key="k") != job_id


def test_inline_leaves_no_ready_job_behind():
    with inline() as queue:
        echo.submit(1)
        assert queue.client.queue_stats().ready == 0


def test_an_async_handler_runs_inside_and_outside_of_an_event_loop():
    async def submit():
        return slow.submit(None)

    with inline() as queue:
        slow.submit(None)
        asyncio.run(submit())
    assert [job.result for job in queue.jobs] == ["async", "async"]


def test_a_handler_of_an_async_test_may_run_an_event_loop_of_its_own():
    @handler("t_runs_a_loop")
    def runs_a_loop(job):
        return asyncio.run(asyncio.sleep(0, job.payload))

    async def submit():
        async with AsyncClient() as client:
            job_id = await client.submit_job("t_runs_a_loop", 1)
            return await client.get_result(job_id), Client().get_result(runs_a_loop.submit(2))

    with inline([runs_a_loop]):
        assert asyncio.run(submit()) == (1, 2)


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_inline_tells_of_jobs_that_submit_each_other_for_ever(raises, is_async):
    async def submit():
        async with AsyncClient() as client:
            await client.submit_job("t_forever", None)

    with inline(raises=raises) as queue:
        for _ in range(2):
            with pytest.raises(
                RuntimeError, match=r"jobs within jobs, 20 deep: .* for ever\? fake\(\) runs them"
            ):
                asyncio.run(submit()) if is_async else forever.submit(None)
    assert {job.run for job in queue.jobs} == {0, 1}


def test_inline_runs_jobs_within_jobs_as_deep_as_it_says():
    @handler("t_deep")
    def deep(job):
        return job.payload and deep.submit(job.payload - 1)

    with inline([deep]) as queue:
        deep.submit(19)
        assert {job.status for job in queue.jobs} == {Status.COMPLETED}
        assert len(queue.jobs) == 20


# fake


def test_a_fake_queue_keeps_what_is_submitted_anywhere(queue):
    early = Client("redis://nowhere", namespace="shop")
    early.submit_job("t_echo", {"a": 1}, Priority.HIGH, "a description")
    thread = threading.Thread(target=echo.submit, args=({"b": 2},))
    thread.start()
    thread.join()
    assert [(job.payload, job.priority, job.description) for job in queue.submitted("t_echo")] == [
        ({"a": 1}, Priority.HIGH, "a description"), ({"b": 2}, Priority.NORMAL, ""),
    ]  # fmt: skip
    assert queue.submitted("t_fail") == []
    assert {job.status for job in queue.jobs} == {Status.PENDING}


def test_a_client_from_before_is_meant_too():
    with fake():
        client = Client()
    with fake() as queue:
        client.submit_job("t_echo", None)
    assert len(queue.jobs) == 1


def test_drain_runs_high_before_normal_before_low(queue):
    for number, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.HIGH]):
        echo.submit(number, priority)
    assert [job.payload for job in queue.drain()] == [2, 3, 1, 0]


def test_drain_runs_what_handlers_submit_meanwhile(queue):
    both.submit(2)
    assert [job.name for job in queue.drain()] == ["t_both", "t_echo", "t_echo"]
    assert queue.drain() == []


def test_drain_tries_again_by_the_retry_rule_without_waiting(queue):
    fail.submit(None)
    echo.submit(None, max_retries=0)
    later.submit(None)
    give_up.submit(None)
    ended = {job.name: (job.status, job.attempts) for job in queue.drain()}
    assert ended == {
        "t_echo": (Status.COMPLETED, 1), "t_give_up": (Status.FAILED, 1), "t_fail": (Status.FAILED, 3), "t_later": (Status.COMPLETED, 3),
    }  # fmt: skip


def test_the_configured_number_of_retries_can_be_given():
    with fake(max_retries=1) as queue:
        queue.client.submit_job("nobody", None)
        (job,) = queue.drain()
    assert job.attempts == 2
    assert job.error == "no handler is loaded for the name 'nobody'"


def test_a_job_of_its_own_limit_of_tries_keeps_to_it(queue):
    fail.submit(None, max_retries=0)
    assert [job.attempts for job in queue.drain()] == [1]


def test_the_dead_are_visible_and_can_be_retried_and_purged(queue):
    fail.submit(None)
    queue.drain()
    (dead,) = queue.dead
    assert dead.error.endswith("ValueError: attempt 3")
    assert [job.id for job in queue.client.dead_jobs()] == [dead.id]
    assert queue.client.retry_dead() == [dead.id]
    assert queue.dead == []
    assert [job.attempts for job in queue.drain()] == [3]
    assert queue.client.purge_dead() == 1
    assert queue.jobs == []


def test_what_is_for_later_waits_unless_drain_is_told(queue):
    tomorrow = queue.client.submit_job_scheduled("t_echo", 1, Priority.HIGH, timedelta(days=1))
    assert queue.drain() == []
    assert queue.client.get_job(tomorrow).status is Status.SCHEDULED
    assert [job.id for job in queue.drain(scheduled=True)] == [tomorrow]


def test_what_is_for_later_is_due_when_its_time_has_come(queue):
    later = queue.client.submit_job_scheduled("t_echo", 1, Priority.HIGH, timedelta(milliseconds=1))
    assert queue.client.get_job(later).status is Status.SCHEDULED
    echo.submit(2, Priority.LOW)
    time.sleep(0.01)
    assert [job.payload for job in queue.drain()] == [1, 2]


def test_a_cancelled_job_is_not_run(queue):
    job_id = echo.submit(None)
    assert queue.client.cancel(job_id)
    assert queue.drain() == []
    assert queue.client.get_job(job_id).status is Status.CANCELLED


def test_a_job_that_is_cancelled_at_the_last_moment_is_not_run(queue):
    job_id = echo.submit(None)
    assert transitions.take(queue._memory) == ("{bananas:default}:", job_id)
    assert queue.client.cancel(job_id)
    assert queue._runner.run("{bananas:default}:", job_id).outcome is None
    assert queue.client.get_job(job_id).run == 0


def test_headers_travel_with_the_job(queue):
    echo.submit(None, headers={"tenant": "7"})
    assert [job.headers for job in queue.drain()] == [{"tenant": "7"}]


def test_a_job_that_has_waited_too_long_ends_expired(queue):
    job_id = echo.submit(None, expires_in=0.001)
    wait_until(
        lambda: queue.client.get_job(job_id).expires_at < datetime.now(UTC) - timedelta(milliseconds=1)
    )
    assert [(job.id, job.status, job.run) for job in queue.drain()] == [(job_id, Status.EXPIRED, 0)]


def test_a_run_keeps_its_key_however_long_its_job_might_have_waited(queue, monkeypatch):
    @handler("keeps its key")
    def outlast(job):
        expired_ms = clock.to_ms(inner.client.get_job(job.id).expires_at) + 1
        monkeypatch.setattr(clock, "now_ms", lambda: expired_ms)
        return echo.submit(None, unique_key="a key")

    with fake([outlast, echo]) as inner:
        job_id = outlast.submit(None, unique_key="a key", expires_in=60)
        inner.drain()
        assert inner.client.get_result(job_id) == job_id


def test_the_client_answers_as_ever(queue):
    job_id = echo.submit(None)
    with pytest.raises(WaitTimeout):
        queue.client.wait(job_id, 0)
    queue.drain()
    assert queue.client.wait(job_id, 0).status is Status.COMPLETED
    assert not queue.client.cancel(job_id)
    with pytest.raises(JobNotFound):
        queue.client.get_job("0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55")
    with pytest.raises(InvalidJob):
        queue.client.submit_job("", None)


def test_progress_is_kept(queue):
    tell.submit(None)
    (job,) = queue.drain()
    assert (job.progress, job.result) == ({"done": 1, "total": 2, "note": "half"}, False)


def test_jobs_that_submit_each_other_for_ever_are_told(queue, monkeypatch):
    monkeypatch.setattr(testing, "MAX_RUNS", 50)
    forever.submit(None)
    with pytest.raises(RuntimeError, match="after 50 runs there are still jobs to run"):
        queue.drain()


def test_one_fake_within_another_takes_over_until_it_ends(queue):
    with fake() as inner:
        echo.submit(1)
    echo.submit(2)
    assert [job.payload for job in inner.jobs] == [1]
    assert [job.payload for job in queue.jobs] == [2]


def test_the_fixture_is_a_fake_queue(bananas):
    echo.submit(1)
    assert [job.result for job in bananas.drain()] == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_what_is_meant_for_the_test_is_raised_by_drain(error):
    @handler("t_stop")
    def stop(job):
        raise error

    with fake([stop]) as queue:
        stop.submit(None)
        with pytest.raises(error):
            queue.drain()


@pytest.mark.parametrize("error", [SystemExit, JobTimeout, asyncio.CancelledError])
def test_what_only_ends_a_job_is_a_failed_attempt(error):
    @handler("t_stop", max_retries=0)
    def stop(job):
        raise error

    with fake([stop]) as queue:
        stop.submit(None)
        assert [job.status for job in queue.drain()] == [Status.FAILED]


# Which handler


def test_handlers_can_be_given_as_functions():
    @handler("t_echo")
    def other(job):
        return "other"

    with fake([other]) as queue:
        echo.submit(None)
        assert [job.result for job in queue.drain()] == ["other"]


def test_handlers_can_be_those_of_a_directory_or_a_registry(tmp_path):
    from bananasd.handlers import load_directory

    (tmp_path / "mail.py").write_text(
        "from bananasd import handler\n@handler('mail')\ndef mail(job):\n    return 'sent'\n"
    )
    for handlers in (tmp_path, str(tmp_path), load_directory(tmp_path)):
        with fake(handlers) as queue:
            queue.client.submit_job("mail", None)
            assert [job.result for job in queue.drain()] == ["sent"]


def test_a_handler_that_a_worker_would_not_take_is_told(queue):
    @handler("t_strange")
    def strange(job, payload: object()):
        raise AssertionError

    told = rf"{__file__}:\d+: handler 't_strange': its second parameter 'payload' is the payload's, whose type cannot"
    with pytest.raises(HandlersError, match=told), fake([strange]):
        pass
    strange.submit(None)
    with pytest.raises(HandlersError, match=told):
        queue.drain()


@pytest.mark.parametrize(
    ("handlers", "error", "told"),
    [
        ([len], TypeError, r"<built-in function len> is no handler; declare it with @handler"),
        (echo, TypeError, r"want a directory, a Registry, or a list of functions"),
        ("", ValueError, "handlers '': want the name of a handlers directory"),
    ],
)
def test_what_holds_no_handlers_is_refused(handlers, error, told):
    for way in (fake, inline):
        with pytest.raises(error, match=told), way(handlers):
            pass


def test_the_latest_handler_of_a_file_is_meant(queue):
    for result in (1, 2):
        handler("t_latest")(lambda job, result=result: result)
    queue.client.submit_job("t_latest", None)
    assert [job.result for job in queue.drain()] == [2]


def test_a_name_that_two_files_declare_is_told(queue, monkeypatch):
    source = "from bananasd import handler\n@handler('t_echo')\ndef echo(job): return 'another'\n"
    module = type(sys)("another")
    exec(compile(source, "/another.py", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "another", module)
    echo.submit(None)
    with pytest.raises(
        HandlersError, match=r"'t_echo' is declared at .*test_testing.py:\d+ and /another.py:2; say which"
    ):
        queue.drain()


# What the README shows


def python_of_the_readme(heading):
    text = (
        (Path(__file__).parents[2] / "README.md")
        .read_text()
        .partition(f"\n## {heading}\n")[2]
        .partition("\n## ")[0]
    )
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_tests_that_the_readme_shows_pass(tmp_path, monkeypatch):
    (tests,) = python_of_the_readme("Testing your handlers")
    mail = next(text for text in python_of_the_readme("A tour in five minutes") if "@handler(" in text)
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "mail.py").write_text(mail)
    shop = type(sys)("shop")
    shop.sign_up = lambda to: Client().submit_job("send_welcome_email", {"to": to})
    monkeypatch.setitem(sys.modules, "shop", shop)
    monkeypatch.chdir(tmp_path)
    shown = {}
    exec(tests, shown)
    called = [test() for name, test in shown.items() if name.startswith("test_")]
    assert len(called) == 2


# What it is not


def test_an_option_that_it_does_not_know_is_refused(queue):
    request = JobRequest("t_echo", None)
    request.extra = b'{"newer":1}'
    with pytest.raises(NotImplementedError, match="does not know the options newer"):
        queue.client.submit_many([request])


def test_what_it_cannot_do_it_says(queue):
    from bananasd.store.connection import Server
    from bananasd.store.pool import Pool
    from bananasd.store.store import Store

    pool = Pool(Server("redis://nowhere", 1))
    with pytest.raises(
        NotImplementedError, match="does not know the command SET; test this with a real server"
    ):
        pool.call().trip([("SET", "x", "y")])
    with pytest.raises(
        NotImplementedError, match="does not know the script promote; test this with a real server"
    ):
        Store(pool.call(), "default").promote()


def test_importing_it_starts_nothing_and_stays_light():
    heavy = {"click", "fakeredis", "lupa", "msgspec", "psutil", "pytest", "setproctitle"}
    # Where OpenTelemetry's SDK is installed redis-py loads that, and with it much else.
    program = "import sys; sys.modules['opentelemetry'] = None; import bananasd.testing; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env={}, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not heavy & {name.partition(".")[0] for name in loaded}
