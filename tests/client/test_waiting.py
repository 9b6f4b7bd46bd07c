"""Waiting, watching and results, against a real server that may lose replies, messages or itself."""

import math
import os
import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from bananasd import (
    Client,
    ConnectionFailed,
    Job,
    JobFailed,
    JobNotFinished,
    JobNotFound,
    JobRequest,
    ResultExpired,
    Status,
    WaitTimeout,
)
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.mailbox import Mailbox
from bananasd.store.outcomes import Buried, Completed, Retried
from bananasd.store.store import Retention, Store
from tests.conftest import wait_until
from tests.patience import insist, tries
from tests.store.conftest import HOLDER, World

TRACEBACK = "Traceback (most recent call last):\n  …\nValueError: no good"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def run(world: World, job_id: str, result: bytes = b"") -> None:
    """Run a job to a good end."""
    settle(world, job_id, lambda run: Completed(HOLDER, job_id, run, result))


def fail(world: World, job_id: str) -> None:
    settle(world, job_id, lambda run: Buried(HOLDER, job_id, run, TRACEBACK))


def settle(world: World, job_id: str, outcome: Callable[[int], Any]) -> None:
    assert world.store.settle([outcome(start(world, job_id))]) == []


def start(world: World, job_id: str) -> int:
    world.enter()
    (job,) = world.claim().jobs
    assert job.job_id == job_id
    return job.run


@contextmanager
def waiting(world: World, job_id: str, wait: Callable[..., Any], *args: Any) -> Iterator[Future[Any]]:
    """A wait in another thread, whose mailbox stands in the record by now."""
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait, *args)
        wait_until(lambda: "waiters" in world.record(job_id) or waiting.done())
        yield waiting


def only_listening(world: World) -> bool:
    """Whether every wait has come to rest."""
    clients = world.call("CLIENT", "LIST").decode().splitlines()
    return any(" cmd=blpop " in line for line in clients)


# How a wait ends


@pytest.mark.parametrize(("act", "status"), [(run, "completed"), (fail, "failed")])
def test_a_wait_is_woken_by_the_end(server, world, act, status):
    # It looks at most once a second by itself.
    for attempt in tries(0.5):
        with Client(server.url, namespace="test") as client:
            job_id = client.submit_job("greet", 1)
            with waiting(world, job_id, client.wait, job_id, 20) as waited:
                wait_until(lambda: only_listening(world))
                with attempt:
                    act(world, job_id)
                    assert waited.result().status == status


def test_an_end_before_the_wait_is_not_missed(client, world):
    job_id = client.submit_job("greet", 1)
    run(world, job_id, b'"done"')
    assert client.wait(job_id, 0).result == "done"


def test_a_wait_for_several_ends_with_the_last_and_tells_of_all_in_their_order(client, world):
    first, second, third = (client.submit_job("greet", n) for n in range(3))
    client.cancel(third)
    run(world, first)
    with waiting(world, second, client.wait, [third, second, first, second], 20) as waited:
        fail(world, second)
        jobs = waited.result()
    assert [job.id for job in jobs] == [third, second, first, second]
    assert [job.status for job in jobs] == ["cancelled", "failed", "completed", "failed"]
    assert client.wait([], 0) == []


def test_an_attempt_that_failed_is_no_end(client, world):
    job_id = client.submit_job("greet", 1)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        settle(world, job_id, lambda run: Retried(HOLDER, job_id, run, 0, "not yet"))
        world.store.promote()
        run(world, job_id, b"5")
        assert (waited.result().result, waited.result().attempts) == (5, 2)


def test_a_wait_for_several_says_how_many_are_left(client, world):
    ids = [client.submit_job("greet", n) for n in range(3)]
    run(world, ids[0])
    with pytest.raises(
        WaitTimeout, match=rf"^2 of 3 jobs .* after 0.1 s; job {ids[1]} \(greet\) is still pending$"
    ):
        client.wait(ids, 0.1)


def test_one_that_is_not_there_is_not_found(client):
    with pytest.raises(JobNotFound, match=UNKNOWN):
        client.wait([client.submit_job("greet", 1), UNKNOWN], 5)
    with pytest.raises(JobNotFound, match=UNKNOWN):
        next(client.watch(UNKNOWN))


def test_a_thousand_jobs_and_more_are_one_wait(client, world):
    ids = client.submit_many(JobRequest("greet", n) for n in range(1200))
    with waiting(world, ids[-1], client.wait, ids, 60) as waited:
        world.enter()
        while jobs := world.claim(50).jobs:
            world.store.settle([Completed(HOLDER, job.job_id, job.run, b"") for job in jobs])
        assert [job.id for job in waited.result()] == ids


def test_more_ends_at_once_than_a_mailbox_holds_are_asked_for_at_once(client, world, monkeypatch):
    ids = client.submit_many(JobRequest("greet", n) for n in range(1100))
    have_ended = threading.Event()
    take = Mailbox.take

    def take_later(*args: Any) -> Any:
        have_ended.wait()
        return take(*args)

    monkeypatch.setattr(Mailbox, "take", take_later)
    with waiting(world, ids[-1], client.wait, ids, 60) as waited:
        for job_id in ids:
            client.cancel(job_id)
        assert world.call("LLEN", world.keys.mail(world.record(ids[0])["waiters"])) == 1000
        have_ended.set()
        # At once: it would ask again after 10 s in any case.
        assert len(waited.result(5)) == 1100


# What can get lost, or come at the wrong time


def test_what_is_told_of_an_earlier_wait_is_passed_over(client, world):
    first, second = client.submit_job("greet", 1), client.submit_job("greet", 2)
    with pytest.raises(WaitTimeout):
        client.wait(first, 0.05, on_progress=lambda _: None)
    start(world, first)
    box = world.record(first)["waiters"].removeprefix("+")
    assert world.call("LRANGE", world.keys.mail(box), 0, -1) == [first.encode()]
    with waiting(world, second, client.wait, second, 20) as waited:
        assert world.record(second)["waiters"] == box
        run(world, second, b'"second"')
        assert waited.result().result == "second"


def test_what_a_mailbox_has_lost_is_made_good_by_asking_again(client, world, monkeypatch):
    monkeypatch.setattr("bananasd.waiting.ASK_AGAIN_SECONDS", 0.2)
    job_id = client.submit_job("greet", 1)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        world.call("HDEL", world.keys.job(job_id), "waiters")
        run(world, job_id)
        assert waited.result(5).status is Status.COMPLETED


@pytest.mark.parametrize("command", [b"EVALSHA", b"BLPOP", b"HGETALL"])
def test_a_wait_survives_the_loss_of_any_reply(proxy, world, command):
    with Client(proxy.url, namespace="test") as client:
        job_id = client.submit_job("greet", 1)
        lost = proxy.drop_next_reply(command)
        with ThreadPoolExecutor(1) as threads:
            waited = threads.submit(client.wait, job_id, 20)
            wait_until(lambda: "waiters" in world.record(job_id))
            run(world, job_id, b"5")
            # At once: it would ask again after 10 s in any case.
            assert waited.result(5).result == 5
        assert lost.is_set()


def requeue(world: World, job_id: str) -> None:
    assert world.store.requeue_dead([job_id]) == [job_id]


def purge(world: World, job_id: str) -> None:
    assert world.store.purge_dead([job_id]) == 1


@pytest.mark.parametrize("undo", [requeue, purge])
def test_a_failure_is_told_though_an_operator_was_quicker(client, world, server, monkeypatch, undo):
    job_id = client.submit_job("greet", 1)
    operator = World(HeldConnection(Server(server.url, 5)))
    read = Mailbox.read

    def read_later(*args: Any) -> Any:
        if operator.status(job_id) == "failed":
            undo(operator, job_id)
        return read(*args)

    monkeypatch.setattr(Mailbox, "read", read_later)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        fail(world, job_id)
        assert (waited.result().status, waited.result().error) == (Status.FAILED, TRACEBACK)
    assert world.status(job_id) == ("pending" if undo is requeue else "")


def test_a_failure_of_an_earlier_life_is_none_of_the_next_one(client, world):
    job_id = client.submit_job("greet", 1)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        fail(world, job_id)
        assert waited.result().status is Status.FAILED
    requeue(world, job_id)
    assert world.kept(job_id).startswith("!")
    time.sleep(0.002)  # the failure and the next wait shall not be of the same millisecond
    seen: list[Job] = []
    with waiting(world, job_id, client.wait, job_id, 20, seen.append) as waited:
        run_number = start(world, job_id)
        world.store.progress(HOLDER, job_id, run_number, b'{"done":1,"total":2,"note":""}')
        wait_until(lambda: seen)
        world.store.settle([Completed(HOLDER, job_id, run_number, b"5")])
        assert waited.result().result == 5
    assert client.get_result(job_id) == 5


def test_who_waits_and_dies_leaves_nothing_for_long(client, world, server):
    job_id = client.submit_job("greet", 1)
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            client.wait(job_id, 60)
        os._exit(0)
    wait_until(lambda: "waiters" in world.record(job_id) and only_listening(world))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    wait_until(lambda: not only_listening(world))
    box = world.record(job_id)["waiters"]
    run(world, job_id)
    assert 0 < world.call("PTTL", world.keys.mail(box)) <= 60_000


# Outages


def test_a_server_that_restarts_is_survived(own_server):
    with Client(own_server.url, namespace="test") as client:
        job_id = client.submit_job("greet", 1)
        world = World(HeldConnection(Server(own_server.url, 5)))
        with waiting(world, job_id, client.wait, job_id, 30) as waited:
            wait_until(lambda: only_listening(world))
            own_server.stop()
            own_server.start()
            world = World(HeldConnection(Server(own_server.url, 5)))
            run(world, job_id, b"5")
            assert waited.result().result == 5


def test_a_server_that_stays_away_is_given_up_after_the_clients_time(own_server):
    # A block on the server lasts up to a second, and the time begins with what was tried last.
    for attempt in tries(2):
        with insist(lambda: Client(own_server.url, namespace="test", timeout_seconds=0.5)) as client:
            job_id = insist(lambda: client.submit_job("greet", 1))
            world = World(HeldConnection(Server(own_server.url, 5)))
            with waiting(world, job_id, client.wait, job_id, 30) as waited:
                wait_until(lambda: only_listening(world))  # noqa: B023
                own_server.stop()
                with attempt, pytest.raises(ConnectionFailed, match=r"redis\.sock"):
                    waited.result()
        own_server.start()


def test_a_wait_whose_time_is_over_does_not_go_on_for_a_server_that_is_away(own_server):
    with Client(own_server.url, namespace="test", timeout_seconds=30) as client:
        for attempt in tries(1.5):
            job_id = client.submit_job("greet", 1)
            own_server.stop()
            with attempt, pytest.raises(ConnectionFailed):
                client.wait(job_id, 0.2)
            own_server.start()


def test_a_server_that_refuses_to_let_it_listen_is_asked_a_few_times_a_second(server, world):
    world.call("ACL", "SETUSER", "deaf", "on", ">pass", "~*", "+@all", "-blpop")
    try:
        with Client(f"unix://deaf:pass@{server.socket}", namespace="test") as client:
            job_id = client.submit_job("greet", 1)
            for attempt in tries(1.3):
                world.call("CONFIG", "RESETSTAT")
                with attempt, pytest.raises(WaitTimeout):
                    client.wait(job_id, 1)
                told = world.call("INFO", "commandstats").decode()
                refused = int(re.search(r"cmdstat_blpop:.*rejected_calls=(\d+)", told)[1])
                assert refused <= 8
            assert refused >= 3
            client.cancel(job_id)
            assert client.wait(job_id, 5).status is Status.CANCELLED
    finally:
        world.call("ACL", "DELUSER", "deaf")


# Connections


def connections(world: World) -> int:
    return int(world.call("INFO", "clients").decode().partition("connected_clients:")[2].split()[0])


def test_one_wait_after_the_other_uses_one_connection(client, world):
    for n in range(3):
        client.cancel(job_id := client.submit_job("greet", n))
        client.wait(job_id, 5)
        if n == 0:
            before = connections(world)
    assert connections(world) == before


def test_each_waiting_thread_has_a_mailbox_of_its_own(client, world):
    ids = [client.submit_job("greet", n) for n in range(4)]
    with ThreadPoolExecutor(4) as threads:
        waits = [threads.submit(client.wait, job_id, 20) for job_id in ids]
        wait_until(lambda: all("waiters" in world.record(job_id) for job_id in ids))
        assert len({world.record(job_id)["waiters"] for job_id in ids}) == 4
        world.enter()
        world.store.settle([Completed(HOLDER, job.job_id, job.run, b"") for job in world.claim(4).jobs])
        assert [wait.result().id for wait in waits] == ids


def test_a_forked_process_has_a_mailbox_of_its_own(client, world):
    first, second = client.submit_job("greet", 1), client.submit_job("greet", 2)
    for job_id in (first, second):
        with pytest.raises(WaitTimeout):
            client.wait(job_id, 0.02)
    pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(BaseException):
            status = 0 if client.wait(second, 20).result == "second" else 2
        os._exit(status)
    wait_until(lambda: len(world.record(second)["waiters"].split()) == 2)
    run(world, first)
    run(world, second, b'"second"')
    assert os.waitpid(pid, 0)[1] == 0
    assert client.wait(second, 5).result == "second"


def test_a_closed_client_has_no_connection_left(server, world):
    before = connections(world)
    with Client(server.url, namespace="test") as client:
        client.cancel(job_id := client.submit_job("greet", 1))
        client.wait(job_id, 5)
        assert connections(world) > before
    wait_until(lambda: connections(world) == before)


# Progress and changes


def test_progress_is_told_to_those_who_wait_for_it(client, world):
    job_id = client.submit_job("greet", 1)
    seen: list[Job] = []
    with waiting(world, job_id, client.wait, job_id, 20, seen.append) as waited:
        number = start(world, job_id)
        for done in (1, 2):
            world.store.progress(HOLDER, job_id, number, b'{"done":%d,"total":2,"note":""}' % done)
            wait_until(lambda done=done: len(seen) == done)
        world.store.settle([Completed(HOLDER, job_id, number, b"")])
        waited.result()
    assert [job.progress["done"] for job in seen] == [1, 2]


def test_what_a_callback_raises_ends_the_wait_and_the_mailbox_is_used_again(client, world):
    job_id = client.submit_job("greet", 1)
    number = start(world, job_id)
    world.store.progress(HOLDER, job_id, number, b'{"done":1,"total":2,"note":""}')
    with pytest.raises(ZeroDivisionError):
        client.wait(job_id, 20, on_progress=lambda job: 1 / 0)
    world.store.settle([Completed(HOLDER, job_id, number, b"")])
    assert client.wait(job_id, 5).status is Status.COMPLETED


def test_a_watch_yields_the_job_now_and_at_each_change_until_its_end(client, world):
    job_id = client.submit_job_scheduled("greet", 1, "normal", timedelta(0))
    jobs = client.watch(job_id)
    assert next(jobs).status is Status.PENDING
    number = start(world, job_id)
    assert next(jobs).status is Status.PROCESSING
    world.store.progress(HOLDER, job_id, number, b'{"done":1,"total":2,"note":""}')
    assert next(jobs).progress["done"] == 1
    world.store.settle([Retried(HOLDER, job_id, number, 0, "not yet")])
    assert next(jobs).status is Status.SCHEDULED
    world.store.promote()
    assert next(jobs).status is Status.PENDING
    run(world, job_id, b"5")
    assert [job.status for job in jobs][-1] is Status.COMPLETED


def test_a_watch_that_is_left_gives_its_mailbox_back(client, world):
    job_id = client.submit_job("greet", 1)
    for job in client.watch(job_id):
        assert job.status is Status.PENDING
        break
    box = world.record(job_id)["waiters"]
    with pytest.raises(WaitTimeout):
        client.wait(job_id, 0.02)
    assert world.record(job_id)["waiters"] == f"{box} {box.removeprefix('+')}"


# Results


def test_a_result_outlives_the_record(client, world):
    job_id = client.submit_job("greet", 1)
    run(world, job_id, b'{"sum":3}')
    assert client.get_result(job_id) == {"sum": 3}
    world.call("DEL", world.keys.job(job_id))
    assert client.get_result(job_id) == {"sum": 3}
    assert client.wait(job_id, 0).result == {"sum": 3}
    with pytest.raises(JobNotFound):
        client.get_job(job_id)


def test_a_result_that_has_expired_is_not_none(client, world):
    with_result, without = client.submit_job("greet", 1), client.submit_job("greet", 2)
    world.store = Store(world.transport, "test", Retention(result_ms=1))
    run(world, with_result, b"5")
    run(world, without)
    wait_until(lambda: world.kept(with_result) is None)
    with pytest.raises(ResultExpired, match=rf"the result of job {with_result} \(greet\) has expired"):
        client.get_result(with_result)
    assert client.get_job(with_result).result is None
    assert client.get_result(without) is None


def test_there_is_no_result_before_the_end(client):
    job_id = client.submit_job("greet", 1)
    with pytest.raises(JobNotFinished, match=rf"job {job_id} \(greet\) is pending"):
        client.get_result(job_id)
    with pytest.raises(JobNotFound, match=UNKNOWN):
        client.get_result(UNKNOWN)


def test_the_result_of_a_failed_job_is_its_failure(client, world):
    job_id = client.submit_job("greet", 1)
    fail(world, job_id)
    with pytest.raises(JobFailed, match=rf"job {job_id} \(greet\) failed: ValueError: no good$") as caught:
        client.get_result(job_id)
    failure = pickle.loads(pickle.dumps(caught.value))
    assert (failure.error, failure.traceback) == ("ValueError: no good", TRACEBACK)
    assert (failure.job.id, failure.job.status, str(failure)) == (job_id, Status.FAILED, str(caught.value))


def test_the_result_of_a_cancelled_job_says_so(client):
    job_id = client.submit_job("greet", 1)
    client.cancel(job_id)
    with pytest.raises(
        JobFailed, match=rf"job {job_id} \(greet\) did not complete: it was cancelled"
    ) as caught:
        client.get_result(job_id)
    assert (caught.value.job.status, caught.value.traceback) == (Status.CANCELLED, "")


def test_the_result_of_an_expired_job_says_so(client, world):
    job_id = client.submit_job("greet", 1, expires_in=60)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        world.mark(job_id, expires_at=1)
        world.enter()
        world.claim()
        assert waited.result().status is Status.EXPIRED
    with pytest.raises(JobFailed, match=r"\(greet\) did not complete: it had waited for too long"):
        client.get_result(job_id)


def test_a_failure_that_somebody_waited_for_outlives_the_record(client, world):
    job_id = client.submit_job("greet", 1)
    with waiting(world, job_id, client.wait, job_id, 20) as waited:
        fail(world, job_id)
        waited.result()
    purge(world, job_id)
    with pytest.raises(JobFailed, match=rf"job {job_id} failed: ValueError: no good$"):
        client.get_result(job_id)


def test_what_an_id_left_in_an_earlier_life_is_not_its_result(client, world):
    job_id = client.submit_job("greet", 1)
    run(world, job_id, b'"old"')
    world.call("DEL", world.keys.job(job_id))
    client.submit_job("greet", 1, job_id=job_id)
    with pytest.raises(JobNotFinished):
        client.get_result(job_id)
    run(world, job_id)
    assert (client.get_result(job_id), client.get_job(job_id).result) == (None, None)


# Submit and wait


@pytest.fixture
def busy(world: World) -> Iterator[threading.Event]:
    """A worker that doubles payloads, or fails for those that are none."""
    stop = threading.Event()
    connection = HeldConnection(Server(world.transport.server.url, 5))
    worker = World(connection)

    def work() -> None:
        worker.enter()
        while not stop.wait(0.005):
            for job in worker.claim(5).jobs:
                payload = Job.from_record(job.job_id, {b"spec": job.spec}).payload
                outcome = (
                    Buried(HOLDER, job.job_id, job.run, TRACEBACK)
                    if payload is None
                    else Completed(HOLDER, job.job_id, job.run, b"%d" % (2 * payload))
                )
                worker.store.settle([outcome])

    thread = threading.Thread(target=work)
    thread.start()
    yield stop
    stop.set()
    thread.join()
    connection.close()


@pytest.mark.usefixtures("busy")
def test_submit_and_wait_returns_the_completed_job(client):
    job = client.submit_and_wait("double", 4, wait_seconds=10)
    assert (job.status, job.result) == (Status.COMPLETED, 8)
    with pytest.raises(JobFailed, match="ValueError: no good"):
        client.submit_and_wait("double", None, wait_seconds=timedelta(seconds=10))


def test_submit_and_wait_gives_up_in_time_and_can_be_repeated(client, world):
    job_id = JobRequest("greet", 1).job_id
    with pytest.raises(WaitTimeout, match="is still pending after 0.05 s"):
        client.submit_and_wait("greet", 1, wait_seconds=0.05, job_id=job_id)
    run(world, job_id, b"5")
    assert client.submit_and_wait("greet", 1, wait_seconds=5, job_id=job_id).result == 5
    assert world.counter("submitted") == 1


@pytest.mark.usefixtures("busy")
def test_submit_and_wait_makes_one_job_though_a_reply_is_lost(proxy, world):
    with Client(proxy.url, namespace="test") as client:
        client.submit_and_wait("double", 1, wait_seconds=10)
        for number in (2, 3):
            lost = proxy.drop_next_reply(b"EVALSHA")
            assert client.submit_and_wait("double", number, wait_seconds=10).result == 2 * number
            assert lost.is_set()
    assert world.counter("submitted") == 3


def test_a_wait_without_end_is_one(client, world):
    job_id = client.submit_job("greet", 1)
    with waiting(world, job_id, client.wait, job_id, math.inf) as waited:
        run(world, job_id)
        assert waited.result().status is Status.COMPLETED
