"""`AsyncClient`: it is `Client` but for who waits, whatever becomes of server, network, task and loop."""

import asyncio
import inspect
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

import bananasd
from bananasd import (
    AsyncClient,
    BadAddress,
    Client,
    ConnectionFailed,
    InvalidJob,
    JobFailed,
    JobNotFound,
    JobRequest,
    Priority,
    Schedule,
    ServerRefused,
    WaitTimeout,
    handler,
)
from bananasd.store.outcomes import Buried, Completed
from bananasd.testing import fake, inline
from tests.conftest import RedisServer, wait_until
from tests.patience import assert_once, insist, tries
from tests.proxy import Proxy, full_listener
from tests.store.conftest import HOLDER, World

UNKNOWN = "00000000-0000-0000-0000-000000000000"
CALLS = sorted(
    name for name, member in inspect.getmembers(Client) if inspect.isfunction(member) and name[0] != "_"
)


@pytest.fixture
def frozen(own_server: RedisServer) -> RedisServer:
    os.kill(own_server.process.pid, signal.SIGSTOP)
    return own_server


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began <= seconds


async def until(condition: Callable[[], object]) -> None:
    """`wait_until` beside the other tasks of the loop."""
    await asyncio.to_thread(wait_until, condition)


def run_jobs(world: World, *results: bytes) -> None:
    """Claim that many jobs and complete them."""
    world.enter()
    jobs = world.claim(want=len(results)).jobs
    assert len(jobs) == len(results)
    done = [Completed(HOLDER, job.job_id, job.run, result) for job, result in zip(jobs, results, strict=True)]
    assert world.store.settle(done) == []


def mailboxes(server: RedisServer) -> int:
    """How many connections wait for a mailbox."""
    return server.call("CLIENT", "LIST").count(b"cmd=blpop")  # type: ignore[attr-defined]


# The calls


@pytest.mark.parametrize("name", CALLS)
def test_it_has_every_call_of_the_client_with_its_arguments_and_its_words(name):
    call, like = getattr(AsyncClient, name), getattr(Client, name)
    assert list(inspect.signature(call).parameters.values()) == list(
        inspect.signature(like).parameters.values()
    )
    assert call.__doc__ == like.__doc__
    assert inspect.iscoroutinefunction(call) or name == "watch"


def test_it_has_no_other_calls_and_is_made_with_the_same_arguments():
    theirs = [name for name in vars(AsyncClient) if name[0] != "_"]
    assert sorted(theirs) == CALLS
    assert inspect.signature(AsyncClient) == inspect.signature(Client)


def test_the_package_leads_to_it():
    assert AsyncClient is bananasd.aio.AsyncClient
    with pytest.raises(AttributeError, match="module 'bananasd' has no attribute 'Nothing'"):
        _ = bananasd.Nothing


def test_without_greenlet_it_says_what_to_install():
    program = "import sys; sys.modules['greenlet'] = None\nimport bananasd\ntry: bananasd.AsyncClient\nexcept ImportError as e: print(e)"
    told = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert told == "AsyncClient needs greenlet: pip install 'bananasd[async]'\n"


def test_every_call_does_what_the_clients_does(server):
    async def use() -> None:
        async with AsyncClient(server.url) as client:
            first = await client.submit_job(
                "greet", {"to": "you"}, Priority.HIGH, "hi", queue="mail", max_retries=1
            )
            later = await client.submit_job_scheduled("greet", 1, Priority.LOW, timedelta(hours=1))
            many = await client.submit_many([JobRequest("many", n) for n in range(600)])
            job = await client.get_job(first)
            assert (job.payload, job.priority, job.description, job.queue) == (
                {"to": "you"},
                "high",
                "hi",
                "mail",
            )
            assert (await client.get_job(later)).status == "scheduled"
            assert await client.cancel(many[0])
            assert await client.reprioritise(many[1], Priority.LOW, "other")
            assert await client.reschedule(many[2], timedelta(hours=1))
            await client.pause("mail", 60)
            assert await client.paused() == plain.paused()
            assert list(await client.paused()) == ["mail"]
            assert await client.resume("mail")
            assert (await client.queue_stats()).scheduled == plain.queue_stats().scheduled == 2
            await client.put_schedule(Schedule(name="ping", job="ping", every="90s"))
            assert [schedule.name for schedule in await client.schedules()] == ["ping"]
            assert await client.remove_schedule("ping")
            assert await client.dead_jobs(limit=5) == []
            assert (await client.explain(first)).to_dict() == plain.explain(first).to_dict()

    with Client(server.url) as plain:
        asyncio.run(use())


def test_an_explanation_that_looks_twice_lets_other_tasks_go_on_meanwhile(server, world):
    *_, job_id = world.submit(3)
    world.store.enter(HOLDER, "n1", 60_000, {"greet": b"{}"})
    world.store.beat("n1", 60_000, b'{"lanes": {"default:normal": 1}}', [])

    async def use() -> int:
        async with AsyncClient(server.url, namespace="test") as client:
            explaining = asyncio.create_task(client.explain(job_id, look_seconds=0.5))
            looks = 0
            while not explaining.done():
                await client.get_job(job_id)
                looks += 1
            told = r"behind about 2 jobs, which did not become fewer in \d"
            assert re.search(told, (await explaining).sentence)
            return looks

    assert_once(lambda: asyncio.run(use()) > 10)


def test_dead_jobs_are_listed_brought_back_and_purged(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            ids = await client.submit_many([JobRequest("any", n) for n in range(2)])
            world.enter()
            jobs = world.claim(want=2).jobs
            world.store.settle([Buried(HOLDER, job.job_id, job.run, "it broke") for job in jobs])
            assert {job.id for job in await client.dead_jobs()} == set(ids)
            with pytest.raises(JobFailed, match="it broke"):
                await client.get_result(ids[0])
            assert await client.retry_dead([ids[0]]) == [ids[0]]
            assert await client.purge_dead() == 1

    asyncio.run(use())


def test_errors_are_the_clients(server):
    async def use() -> None:
        async with AsyncClient(server.url) as client:
            with pytest.raises(JobNotFound):
                await client.get_job(UNKNOWN)
            with pytest.raises(InvalidJob, match="priority"):
                await client.submit_job("any", 1, "urgent")
            with pytest.raises(InvalidJob):
                client.watch("nonsense")
            with pytest.raises(WaitTimeout):
                await client.wait(await client.submit_job("any", 1), 0.05)

    asyncio.run(use())


# Making one


def test_making_one_checks_its_arguments_and_sends_nothing():
    AsyncClient("redis://127.0.0.1:1")
    with pytest.raises(BadAddress):
        AsyncClient("http://host")
    with pytest.raises(InvalidJob, match="timeout_seconds"):
        AsyncClient("redis://host", timeout_seconds=0)


def test_an_option_that_only_the_plain_client_has_is_refused_as_one_that_there_is_not():
    with pytest.raises(
        BadAddress, match="it has no option 'ssl_validate_ocsp'; there are .*ssl_ca_certs"
    ) as refusal:
        AsyncClient("rediss://host?ssl_validate_ocsp=true")
    assert "ssl_validate_ocsp_stapled" not in str(refusal.value)


def test_entering_it_tries_the_server():
    async def use() -> None:
        async with AsyncClient("redis://127.0.0.1:1"):
            pass

    with pytest.raises(ConnectionFailed, match="redis://127.0.0.1:1: "):
        asyncio.run(use())


def test_it_may_be_used_without_entering_and_after_it_was_closed(server):
    async def use() -> None:
        client = AsyncClient(server.url)
        for _ in range(2):
            assert (await client.queue_stats()).ready == 0
            await client.close()
            await client.close()

    asyncio.run(use())


def test_leaving_it_closes_its_connections(server):
    async def use() -> None:
        async with AsyncClient(f"{server.url}?client_name=left") as client:
            with suppress(WaitTimeout):
                await client.wait(await client.submit_job("any", 1), 0.01)
            assert server.call("CLIENT", "LIST").count(b"name=left") == 2
        await until(lambda: b"name=left" not in server.call("CLIENT", "LIST"))

    asyncio.run(use())


# Where it connects


def test_it_takes_an_address_by_tcp_a_password_and_a_database(own_server):
    async def use() -> None:
        async with AsyncClient(f"{proxy.url}/3", password="s3cret") as client:
            await client.submit_job("any", 1)
        with pytest.raises(ServerRefused):
            await AsyncClient(proxy.url, password="wr0ng").queue_stats()
        with pytest.raises(ServerRefused):
            await AsyncClient(own_server.url, password="wr0ng").queue_stats()
        async with AsyncClient(f"{own_server.url}?db=3", password="s3cret") as client:
            assert (await client.queue_stats()).ready == 1

    own_server.call("CONFIG", "SET", "requirepass", "s3cret")
    proxy = Proxy(own_server.socket)
    try:
        asyncio.run(use())
    finally:
        proxy.close()


def test_a_name_that_cannot_be_looked_up_is_a_failed_connection(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    # Its first try, which nothing follows: of a call that is repeated the last try ends with the call's time.
    async def use() -> None:
        await AsyncClient("redis://host").__aenter__()

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ConnectionFailed, match=r"redis://host:6379: no such name"):
        asyncio.run(use())


def test_of_a_names_addresses_one_that_hangs_leaves_time_for_the_next(server, proxy, monkeypatch):
    async def use() -> None:
        async with AsyncClient("redis://many.example", timeout_seconds=1) as client:
            assert (await client.queue_stats()).ready == 0

    with full_listener() as port:
        places = [("127.0.0.1", port), ("127.0.0.1", 1), ("127.0.0.1", int(proxy.url.rpartition(":")[2]))]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        for attempt in tries(0.9, at_least=0.3, late=ConnectionFailed):
            with attempt:
                asyncio.run(use())


def test_a_name_none_of_whose_addresses_answers_takes_no_more_time(monkeypatch):
    with full_listener() as port:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 6
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        for attempt in tries(1, at_least=0.5):
            with attempt:
                asyncio.run(fails(AsyncClient("redis://many.example", timeout_seconds=0.6).queue_stats()))


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_it_speaks_tls_to_a_server_whose_certificate_is_good(server, tmp_path):
    async def relay(near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        while chunk := await near.read(65536):
            far.write(chunk)
            await far.drain()
        far.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(server.socket)
        await asyncio.gather(relay(reader, to_server), relay(from_server, writer), return_exceptions=True)

    async def use() -> None:
        async with await asyncio.start_server(
            serve, "localhost", family=socket.AF_INET, ssl=context
        ) as listener:
            url = f"rediss://localhost:{listener.sockets[0].getsockname()[1]}"
            async with AsyncClient(f"{url}?ssl_ca_certs={certificate}") as client:
                job_id = await client.submit_job("any", 500_000 * "x")
                assert len((await client.get_job(job_id)).payload) == 500_000
            with pytest.raises(ConnectionFailed, match="CERTIFICATE_VERIFY_FAILED"):
                await AsyncClient(url).__aenter__()

    certificate, key = tmp_path / "certificate", tmp_path / "key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asyncio.run(use())


# Faults


async def fails(call: Awaitable[Any]) -> None:
    with pytest.raises(ConnectionFailed):
        await call


@pytest.mark.parametrize("mode", ["refuse", "deaf", "drop-reply", "blackhole", "drip"])
def test_a_call_ends_in_its_time_whatever_the_network_does_and_the_next_one_works(server, proxy, mode):
    async def use() -> None:
        await asyncio.to_thread(setattr, proxy, "mode", "pass")
        async with AsyncClient(proxy.url, timeout_seconds=1) as client:
            job_id = await client.submit_job("any", "x" * 1000)
            for attempt in tries(1.9, at_least=0.6):
                await asyncio.to_thread(setattr, proxy, "mode", "pass")
                await client.get_job(job_id)
                await asyncio.to_thread(setattr, proxy, "mode", mode)
                with attempt:
                    await fails(client.get_job(job_id))
            # That was over a connection that is there, and this is over a new one.
            for attempt in tries(1.9, at_least=0.6):
                with attempt:
                    await fails(client.get_job(job_id))
            await asyncio.to_thread(setattr, proxy, "mode", "pass")
            assert (await client.get_job(job_id)).id == job_id

    insist(lambda: asyncio.run(use()))


def test_a_call_to_a_frozen_server_ends_in_its_time_however_much_there_is_to_send(frozen):
    async def use() -> None:
        client = AsyncClient(frozen.url, timeout_seconds=0.3)
        for attempt in tries(1, at_least=0.25):
            with attempt:
                calls = client.queue_stats(), client.submit_job("any", 500_000 * "x")
                await asyncio.gather(*map(fails, calls))

    asyncio.run(use())


def test_a_call_whose_reply_was_lost_is_repeated_and_doubles_nothing(server, proxy):
    async def use() -> None:
        async with AsyncClient(proxy.url) as client:
            await client.submit_job("any", 0)
            lost = proxy.drop_next_reply(b"EVALSHA")
            await client.submit_job("any", 1)
            assert lost.is_set()
            assert (await client.queue_stats()).ready == 2

    asyncio.run(use())


def test_a_server_that_restarts_is_waited_for(own_server):
    async def use() -> None:
        async with AsyncClient(own_server.url) as client:
            own_server.stop()
            call = asyncio.create_task(client.submit_job("any", 1))
            await asyncio.sleep(0)
            await asyncio.to_thread(own_server.start)
            assert (await client.get_job(await call)).name == "any"

    asyncio.run(use())


def test_a_task_that_waits_holds_up_no_other(frozen):
    async def use() -> int:
        client = AsyncClient(frozen.url, timeout_seconds=0.5)
        call = asyncio.create_task(client.queue_stats())
        ticks = 0
        while not call.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await fails(call)
        return ticks

    assert_once(lambda: asyncio.run(use()) > 20)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_what_was_not_sent_when_a_call_is_given_up_is_not_sent_any_more(own_server, is_cancelled):
    async def use() -> None:
        url, seconds = f"{own_server.url}?client_name=given_up", 30 if is_cancelled else 2
        async with AsyncClient(url, timeout_seconds=seconds) as client:
            await client.submit_job("any", 1)
            os.kill(own_server.process.pid, signal.SIGSTOP)
            call = asyncio.create_task(client.submit_job("any", 900_000 * "x"))
            if is_cancelled:
                await asyncio.wait([call], timeout=0.2)
                call.cancel()
            with pytest.raises(asyncio.CancelledError if is_cancelled else ConnectionFailed):
                await call
            os.kill(own_server.process.pid, signal.SIGCONT)
            await until(lambda: b"name=given_up" not in own_server.call("CLIENT", "LIST"))
            assert (await client.queue_stats()).ready == 1

    asyncio.run(use())


# Cancellation


def test_a_cancelled_call_leaves_no_reply_for_the_next(server, proxy):
    async def use() -> None:
        async with AsyncClient(proxy.url) as client:
            first, second = await client.submit_job("first", 1), await client.submit_job("second", 1)
            await asyncio.to_thread(setattr, proxy, "mode", "delay")
            for seconds in (0.001, 0.01, 0.1):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await client.get_job(first)
            assert (await client.get_job(second)).name == "second"

    asyncio.run(use())


def test_calls_that_are_cancelled_at_any_point_leave_the_client_usable(server):
    async def use() -> None:
        async with AsyncClient(server.url) as client:
            ids = [await client.submit_job(f"n{n}", n) for n in range(20)]
            for turns in range(12):
                tasks = [asyncio.create_task(client.get_job(job_id)) for job_id in ids]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert [(await client.get_job(job_id)).name for job_id in ids] == [f"n{n}" for n in range(20)]

    asyncio.run(use())


def test_a_cancelled_wait_ends_at_once_and_the_next_one_is_told(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            job_id = await client.submit_job("any", 1)
            for attempt in tries(1):
                waiting = asyncio.create_task(client.wait(job_id, 30))
                await until(lambda: mailboxes(server))
                waiting.cancel()
                with attempt, pytest.raises(asyncio.CancelledError):
                    await waiting
                await until(lambda: not mailboxes(server))
            waiting = asyncio.create_task(client.wait(job_id, 30))
            await until(lambda: mailboxes(server))
            await asyncio.to_thread(run_jobs, world, b"1")
            with within(5):
                assert (await waiting).result == 1

    asyncio.run(use())


def test_a_wait_that_is_cancelled_at_any_point_leaves_no_reply_for_the_next(server, proxy, world):
    async def use() -> None:
        async with AsyncClient(proxy.url, namespace="test") as client:
            first, second = await client.submit_many([JobRequest(name, 1) for name in ("first", "second")])
            await asyncio.to_thread(setattr, proxy, "mode", "delay")
            for seconds in (0.5, 0.3, 0.25, 0.1, 0.01):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await client.wait(first, 30)
            await asyncio.to_thread(setattr, proxy, "mode", "pass")
            waiting = asyncio.create_task(client.wait([second, first], 30))
            await until(lambda: mailboxes(server))
            await asyncio.to_thread(run_jobs, world, b"1", b"2")
            assert [(job.name, job.result) for job in await waiting] == [("second", 2), ("first", 1)]

    asyncio.run(use())


# Waiting


def test_a_hundred_tasks_wait_at_once(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            ids = await client.submit_many([JobRequest("any", n) for n in range(100)])
            waits = asyncio.gather(*(client.wait(job_id, 30) for job_id in ids))
            await until(lambda: mailboxes(server) == 100)
            await asyncio.to_thread(run_jobs, world, *(b"%d" % n for n in range(100)))
            with within(5):
                assert [job.result for job in await waits] == list(range(100))

    asyncio.run(use())


def test_several_jobs_are_waited_for_together_and_one_is_submitted_and_waited_for(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            ids = await client.submit_many([JobRequest("any", n) for n in range(3)])
            together = asyncio.create_task(client.wait(ids, 30))
            single = asyncio.create_task(client.submit_and_wait("any", 3, wait_seconds=30))
            await until(lambda: mailboxes(server) == 2)
            await asyncio.to_thread(run_jobs, world, b"0", b"1", b"2", b"3")
            assert [job.result for job in await together] == [0, 1, 2]
            assert (await single).result == 3
            assert await client.get_result(ids[2]) == 2

    asyncio.run(use())


def test_a_wait_goes_on_when_the_network_was_away(server, proxy, world):
    async def use() -> None:
        async with AsyncClient(proxy.url, namespace="test") as client:
            waiting = asyncio.create_task(client.submit_and_wait("any", 1, wait_seconds=30))
            await until(lambda: mailboxes(server))
            await asyncio.to_thread(setattr, proxy, "mode", "refuse")
            await asyncio.to_thread(run_jobs, world, b"1")
            await asyncio.to_thread(setattr, proxy, "mode", "pass")
            with within(5):
                assert (await waiting).result == 1

    asyncio.run(use())


SEEN: ContextVar[list[str]] = ContextVar("SEEN")


@pytest.mark.parametrize("is_async", [False, True])
def test_progress_is_told_in_the_context_of_the_task_by_a_function_or_a_coroutine(server, world, is_async):
    def note(job: Any) -> None:
        SEEN.get().append(job.progress["message"])

    async def note_later(job: Any) -> None:
        await asyncio.sleep(0.01)
        note(job)

    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            SEEN.set([])
            job_id = await client.submit_job("any", 1)
            waiting = asyncio.create_task(client.wait(job_id, 30, note_later if is_async else note))
            await until(lambda: mailboxes(server))
            world.enter()
            (job,) = world.claim().jobs
            world.store.progress(HOLDER, job_id, job.run, b'{"message":"half"}')
            await until(SEEN.get)
            world.store.settle([Completed(HOLDER, job_id, job.run, b"1")])
            assert (await waiting).result == 1
            assert SEEN.get() == ["half"]

    asyncio.run(use())


def test_what_the_callback_raises_ends_the_wait(server, world):
    def refuse(job: Any) -> None:
        raise ZeroDivisionError(job.id)

    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            job_id = await client.submit_job("any", 1)
            world.enter()
            (job,) = world.claim().jobs
            world.store.progress(HOLDER, job_id, job.run, b'{"message":"half"}')
            with pytest.raises(ZeroDivisionError, match=job_id):
                await client.wait(job_id, 30, refuse)
            assert (await client.get_job(job_id)).status == "processing"

    asyncio.run(use())


def test_a_job_can_be_watched_to_its_end_or_as_long_as_one_likes(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            job_id = await client.submit_job("any", 1)
            async for job in client.watch(job_id):
                assert job.status == "pending"
                break
            seen = []
            async for job in client.watch(job_id):
                seen.append(job.status.value)
                if job.status == "pending":
                    await asyncio.to_thread(run_jobs, world, b"1")
            assert (seen[0], seen[-1]) == ("pending", "completed")

    asyncio.run(use())


# Loops


def test_a_client_goes_on_in_a_second_loop_when_the_first_is_closed(server):
    client = AsyncClient(server.url)
    job_id = asyncio.run(client.submit_job("any", 1))
    assert asyncio.run(client.get_job(job_id)).id == job_id


def test_a_client_is_entered_in_one_loop_after_the_other(server):
    async def use() -> None:
        async with client:
            await client.submit_job("any", 1)

    client = AsyncClient(server.url)
    asyncio.run(use())
    asyncio.run(use())


def test_a_second_loop_beside_the_first_is_refused(server):
    async def use() -> None:
        async with AsyncClient(server.url) as client:
            with pytest.raises(RuntimeError, match="belongs to another event loop, which is still open"):
                await asyncio.to_thread(asyncio.run, client.queue_stats())
            assert (await client.queue_stats()).ready == 0

    asyncio.run(use())


def test_a_plain_client_may_be_used_in_a_callback_of_it(server, world):
    async def use() -> None:
        async with AsyncClient(server.url, namespace="test") as client:
            job_id = await client.submit_job("any", 1)
            world.enter()
            (job,) = world.claim().jobs
            world.store.progress(HOLDER, job_id, job.run, b'{"message":"half"}')
            with pytest.raises(WaitTimeout):
                await client.wait(job_id, 0.3, lambda job: seen.append(plain.get_job(job.id).id))
            assert seen == [job_id]

    seen: list[str] = []
    with Client(server.url, namespace="test") as plain:
        asyncio.run(use())
        assert plain.get_job(seen[0]).status == "processing"


# bananasd.testing


@handler("aio_double")
def double(job: Any) -> int:
    return 2 * job.payload  # type: ignore[no-any-return]


@handler("aio_double_async")
async def double_async(job: Any) -> int:
    await asyncio.sleep(0)
    return 2 * job.payload  # type: ignore[no-any-return]


@asynccontextmanager
async def client_of_a_test() -> Any:
    async with AsyncClient("redis://bananasd.testing") as client:
        yield client


def test_inline_runs_its_jobs_too():
    async def use() -> None:
        async with client_of_a_test() as client:
            for name in ("aio_double", "aio_double_async"):
                assert (await client.submit_and_wait(name, 4, wait_seconds=1)).result == 8
                assert await client.get_result(await client.submit_job(name, 3)) == 6

    with inline([double, double_async]):
        asyncio.run(use())


def test_fake_keeps_its_jobs_and_a_task_may_wait_while_another_drains():
    async def use() -> None:
        async with client_of_a_test() as client:
            job_id = await client.submit_job("aio_double", 4)
            waiting = asyncio.create_task(client.wait(job_id, 30))
            await until(lambda: any(b"waiters" in record for record in list(queue._memory.hashes.values())))
            assert [job.id for job in queue.drain()] == [job_id]
            with within(5):
                assert (await waiting).result == 8
            for attempt in tries(1):
                with attempt, pytest.raises(WaitTimeout):
                    await client.wait(await client.submit_job("aio_double", 4), 0.1)

    with fake([double]) as queue:
        asyncio.run(use())
