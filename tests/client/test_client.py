"""The client against a real server, also one that is frozen, restarts, refuses, or loses its replies."""

import os
import pickle
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bananasd import (
    Client,
    ConnectionFailed,
    InvalidJob,
    JobExists,
    JobNotFound,
    JobNotWaiting,
    JobRequest,
    Priority,
    ServerRefused,
    Status,
    WaitTimeout,
    clock,
)
from bananasd.store.keys import Keys, lanes_of
from bananasd.store.outcomes import Buried, Completed, Retried
from bananasd.store.store import Store
from tests.conftest import RedisServer, wait_until
from tests.daemon import halt
from tests.patience import insist, tries

KEYS = Keys("test")
HOLDER, NODE = "n1/1.1", "n1"
LANES = lanes_of(("default",))


class Worker:
    """Claims jobs and settles them, so that a test can bring a job into any state."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.enter(HOLDER, NODE, 15_000, {})

    def claim(self) -> str:
        (job,) = self.store.settle_and_claim([], HOLDER, NODE, LANES, 1)[1].jobs
        return job.job_id

    def complete(self, result: bytes = b"") -> None:
        assert self.store.settle([Completed(HOLDER, self.claim(), 1, result)]) == []

    def bury(self, error: str = "it broke") -> None:
        assert self.store.settle([Buried(HOLDER, self.claim(), 1, error)]) == []

    def retry(self) -> None:
        assert self.store.settle([Retried(HOLDER, self.claim(), 1, 60_000, "it broke")]) == []


@pytest.fixture
def worker(store: Store) -> Worker:
    return Worker(store)


def record_of(server: RedisServer, job_id: str) -> dict[bytes, bytes]:
    words: Any = server.call("HGETALL", KEYS.job(job_id))
    return dict(zip(words[::2], words[1::2], strict=True))


def count_of(server: RedisServer, pattern: str = KEYS.job("*")) -> int:
    words: Any = server.call("KEYS", pattern)
    return len(words)


# Connecting


def test_it_connects_and_pings(server):
    with Client(server.url) as client:
        assert client.queue_stats().ready == 0


def test_a_closed_client_opens_another_connection_if_it_is_used_again(client):
    client.close()
    client.close()
    assert client.submit_job("greet", 1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "url", ["redis://user:secret@127.0.0.1:{port}/0", "unix://:secret@/nowhere/redis.sock"]
)
def test_a_dead_address_is_told_at_once_and_without_its_password(url):
    for attempt in tries(1):
        with attempt, pytest.raises(ConnectionFailed) as caught:
            Client(url.format(port=free_port()))
    assert type(caught.value) is ConnectionFailed
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith(("redis://127.0.0.1:", "unix:///nowhere/redis.sock: "))


@pytest.mark.parametrize(
    "url", ["nonsense", "secret@host", "http://user:secret@host", "redis://:sec/ret@host"]
)
def test_a_bad_address_fails_cleanly(url):
    with pytest.raises(ConnectionFailed) as caught:
        Client(url)
    assert "sec" not in str(caught.value)


def test_a_server_that_is_no_redis_is_an_error_of_ours():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = threading.Thread(
            target=lambda: listener.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        )
        answer.start()
        with pytest.raises(ConnectionFailed, match="Protocol error"):
            Client(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=5)
        answer.join()


def test_a_server_that_accepts_and_never_answers_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis://:secret@127.0.0.1:{listener.getsockname()[1]}/1"
        for attempt in tries(0.8):
            with attempt, pytest.raises(ConnectionFailed):
                Client(url, timeout_seconds=0.3)


# Submitting


def test_a_submitted_job_is_a_record_and_an_id_in_its_lane(client, server):
    before = clock.now_ms()
    job_id = client.submit_job(
        "greet", {"to": "you"}, Priority.HIGH, "a greeting", queue="mail", max_retries=3, timeout_seconds=1.5
    )
    record = record_of(server, job_id)
    spec = orjson.loads(record.pop(b"spec"))
    assert before <= spec.pop("created_at") <= clock.now_ms()
    assert spec == {
        "v": 1, "name": "greet", "payload": {"to": "you"}, "description": "a greeting", "max_retries": 3, "timeout_seconds": 1.5,
    }  # fmt: skip
    assert record == {b"lane": b"mail:high", b"status": b"pending"}
    assert server.call("LRANGE", f"{KEYS.prefix}ready:mail:high", 0, -1) == [job_id.encode()]
    assert server.call("TTL", KEYS.job(job_id)) == -1


def test_the_id_of_a_job_is_a_uuid(client):
    job_id = client.submit_job("greet", 1)
    assert str(uuid.UUID(job_id)) == job_id
    assert uuid.UUID(job_id).version == 4


def test_jobs_of_another_namespace_are_not_seen(client, server):
    job_id = client.submit_job("greet", 1)
    with Client(server.url, namespace="other") as other, pytest.raises(JobNotFound):
        other.get_job(job_id)


def test_a_submitted_job_can_be_got(client):
    job = client.get_job(
        client.submit_job("greet", {"to": "you"}, Priority.LOW, "hi", queue="mail", max_retries=0)
    )
    assert (job.name, job.payload, job.description) == ("greet", {"to": "you"}, "hi")
    assert (job.priority, job.queue, job.status) == (Priority.LOW, "mail", Status.PENDING)
    assert (job.attempts, job.recoveries, job.max_retries) == (0, 0, 0)
    assert (job.error, job.result, job.progress) == (None, None, None)
    assert abs(job.created_at - datetime.now(UTC)) < timedelta(seconds=10)
    assert job.updated_at == job.created_at
    assert (job.scheduled_for, job.started_at, job.finished_at) == (None, None, None)


def test_a_job_that_has_run_tells_all_about_it(client, worker):
    job_id = client.submit_job("greet", 1)
    worker.complete(b'{"rows":5}')
    job = client.get_job(job_id)
    assert (job.status, job.result, job.error) == (Status.COMPLETED, {"rows": 5}, None)
    assert job.created_at <= job.started_at + timedelta(seconds=1)
    assert job.started_at <= job.finished_at == job.updated_at


def test_the_id_of_a_job_may_be_written_in_any_form(client):
    job_id = client.submit_job("greet", 1)
    assert client.get_job(job_id.upper().replace("-", "")).id == job_id
    assert client.get_job(uuid.UUID(job_id)).id == job_id


def test_an_unknown_job_is_not_found(client):
    job_id = str(uuid.uuid4())
    for ask in (client.get_job, client.cancel, lambda job_id: client.wait(job_id, 5)):
        with pytest.raises(JobNotFound, match=job_id):
            ask(job_id)


texts = st.text(st.characters(exclude_categories=["Cs"]))
payloads = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(payloads)
def test_a_payload_comes_back_as_it_was(client, payload):
    assert client.get_job(client.submit_job("greet", payload)).payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"größe": "名前 💌 \u0000 \u2028 \x7f"}, "x" * 1_048_574, 2**64 - 1, -(2**63), 0.1 + 0.2, 5e-324, [[[[{"a": [None, True]}]]]],
        "", {}, [], None, False, 0, {"": {"": ""}},
    ],
    ids=lambda payload: repr(payload)[:20].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_a_payload_of_each_kind_comes_back_as_it_was(client, payload):
    back = client.get_job(client.submit_job("greet", payload)).payload
    assert (back, type(back)) == (payload, type(payload))


def test_the_same_id_twice_is_one_job_and_the_first_one_counts(client, server):
    job_id = str(uuid.uuid4())
    assert client.submit_job("greet", "first", job_id=job_id) == job_id
    assert client.submit_job("greet", "second", Priority.HIGH, job_id=job_id.upper()) == job_id
    assert client.get_job(job_id).payload == "first"
    assert client.queue_stats().ready == 1
    assert count_of(server) == 1


def test_the_same_id_is_one_job_even_when_it_has_ended(client, worker):
    job_id = client.submit_job("greet", 1)
    worker.complete()
    client.submit_job("greet", 1, job_id=job_id)
    assert client.get_job(job_id).status is Status.COMPLETED
    assert client.queue_stats().ready == 0


def test_a_hundred_threads_submit_at_once(client, server):
    with ThreadPoolExecutor(100) as threads:
        ids = list(threads.map(lambda n: client.submit_job("greet", n), range(100)))
    assert len(set(ids)) == 100
    assert sorted(client.get_job(job_id).payload for job_id in ids) == list(range(100))
    assert client.queue_stats().ready == 100


def test_threads_ask_and_submit_at_once_and_get_their_own_answers(client):
    def work(n: int) -> bool:
        job_id = client.submit_job("greet", n)
        client.queue_stats()
        return client.get_job(job_id).payload == n and client.cancel(job_id)

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(work, range(200)))


def test_2500_jobs_are_submitted_in_order(client, server):
    requests = [JobRequest("greet", n) for n in range(2500)]
    ids = client.submit_many(requests)
    assert ids == [request.job_id for request in requests]
    assert server.call("LRANGE", f"{KEYS.prefix}ready:default:normal", 0, -1) == [
        job_id.encode() for job_id in ids
    ]
    assert client.get_job(ids[-1]).payload == 2499


def test_big_jobs_are_submitted_too(client):
    ids = client.submit_many(JobRequest("greet", f"{n}" * 900_000) for n in range(3))
    assert [client.get_job(job_id).payload[0] for job_id in ids] == ["0", "1", "2"]


def test_each_of_many_jobs_may_have_its_own_lane_and_time(client):
    ids = client.submit_many(
        [
            JobRequest("greet", 1, Priority.HIGH),
            JobRequest("greet", 1, queue="mail"),
            JobRequest("greet", 1, scheduled_for=timedelta(hours=1)),
        ]
    )
    jobs = [client.get_job(job_id) for job_id in ids]
    assert [(job.queue, job.priority, job.status) for job in jobs] == [
        ("default", "high", "pending"), ("mail", "normal", "pending"), ("default", "normal", "scheduled"),
    ]  # fmt: skip


# Scheduling


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-9, minutes=-30))])
def test_a_job_is_scheduled_for_an_instant(client, server, zone):
    when = datetime.now(zone) + timedelta(hours=1)
    job_id = client.submit_job_scheduled("remind", 1, Priority.LOW, when, "a reminder")
    job = client.get_job(job_id)
    assert (job.status, job.priority, job.description) == (Status.SCHEDULED, Priority.LOW, "a reminder")
    assert timedelta(0) <= when - job.scheduled_for < timedelta(milliseconds=1)
    assert server.call("ZSCORE", KEYS.scheduled, job_id) == str(clock.to_ms(when)).encode()
    assert client.queue_stats()[1:4] == (0, 1, 0)


def test_a_job_is_scheduled_a_time_from_now(client):
    job = client.get_job(client.submit_job_scheduled("remind", 1, Priority.NORMAL, timedelta(minutes=5)))
    assert job.status is Status.SCHEDULED
    assert abs(job.scheduled_for - datetime.now(UTC) - timedelta(minutes=5)) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "past",
    [timedelta(0), timedelta(days=-1), datetime(2020, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)],
)
def test_a_time_that_has_passed_means_at_once(client, past):
    assert (
        client.get_job(client.submit_job_scheduled("remind", 1, Priority.NORMAL, past)).status
        is Status.PENDING
    )
    assert client.queue_stats().ready == 1


def test_a_naive_datetime_is_refused(client, server):
    with pytest.raises(InvalidJob, match="has no time zone"):
        client.submit_job_scheduled("remind", 1, Priority.NORMAL, datetime(2030, 1, 1))  # noqa: DTZ001
    assert count_of(server) == 0


# Cancelling


def test_a_pending_job_is_cancelled_and_never_claimed(client, worker):
    job_id = client.submit_job("greet", 1)
    assert client.cancel(job_id)
    assert client.get_job(job_id).status is Status.CANCELLED
    assert worker.store.settle_and_claim([], HOLDER, NODE, LANES, 1)[1].jobs == []


def test_a_scheduled_job_is_cancelled(client):
    job_id = client.submit_job_scheduled("greet", 1, Priority.NORMAL, timedelta(hours=1))
    assert client.cancel(job_id)
    assert client.get_job(job_id).status is Status.CANCELLED
    assert client.queue_stats().scheduled == 0


def test_a_job_that_waits_for_its_next_attempt_is_cancelled(client, worker):
    job_id = client.submit_job("greet", 1)
    worker.retry()
    assert client.get_job(job_id).attempts == 1
    assert client.cancel(job_id)


@pytest.mark.parametrize("how", ["soft", "hard"])
def test_a_job_that_runs_is_told_to_end_and_cancelled_when_it_has(client, worker, how):
    job_id = client.submit_job("greet", 1)
    worker.claim()
    assert client.cancel(job_id, how) and client.cancel(job_id, running=how)
    assert client.get_job(job_id).status is Status.PROCESSING
    assert worker.store.settle([Completed(HOLDER, job_id, 1, b"5")]) == []
    assert client.wait(job_id, 0).status is Status.CANCELLED
    assert client.cancel(job_id, how)


def test_cancelling_twice_is_cancelling_once(client):
    job_id = client.submit_job("greet", 1)
    assert client.cancel(job_id)
    assert client.cancel(job_id)
    assert client.queue_stats().counters["cancelled"] == 1


@pytest.mark.parametrize(
    ("act", "status"),
    [(Worker.claim, "processing"), (Worker.complete, "completed"), (Worker.bury, "failed")],
    ids=["running", "completed", "dead"],
)
def test_a_job_that_has_started_is_not_cancelled(client, worker, act, status):
    job_id = client.submit_job("greet", 1)
    act(worker)
    assert not client.cancel(job_id)
    assert client.get_job(job_id).status == status


# Waiting


@pytest.mark.parametrize(("act", "status"), [(Worker.complete, "completed"), (Worker.bury, "failed")])
def test_a_wait_returns_the_job_when_it_has_ended(client, worker, act, status):
    job_id = client.submit_job("greet", 1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.wait, job_id, timedelta(seconds=20))
        act(worker)
        assert waiting.result().status == status


def test_a_wait_for_a_cancelled_job_ends(client):
    job_id = client.submit_job("greet", 1)
    client.cancel(job_id)
    assert client.wait(job_id, 0).status is Status.CANCELLED


@pytest.mark.parametrize("timeout", [0, 0.05, -1, timedelta(milliseconds=50)])
def test_a_wait_ends_when_its_time_is_over_and_the_job_goes_on(client, timeout):
    job_id = client.submit_job("greet", 1)
    for attempt in tries(1):
        with attempt, pytest.raises(WaitTimeout, match=rf"job {job_id} \(greet\) is still pending"):
            client.wait(job_id, timeout)
    assert client.get_job(job_id).status is Status.PENDING


# Moving


def test_a_job_that_waits_gets_another_priority_and_queue(client):
    job_id = client.submit_job("greet", 1)
    assert client.reprioritise(job_id, Priority.HIGH) is True
    assert client.reprioritise(job_id, "high") is False
    job = client.get_job(job_id)
    assert (job.priority, job.queue, job.status) == (Priority.HIGH, "default", Status.PENDING)
    assert client.reprioritise(job_id, Priority.LOW, "mail") is True
    job = client.get_job(job_id)
    assert (job.priority, job.queue) == (Priority.LOW, "mail")


def test_a_job_that_waits_gets_another_due_time(client):
    job_id = client.submit_job("greet", 1)
    when = datetime(2099, 12, 31, tzinfo=UTC)
    assert client.reschedule(job_id, when) is True
    job = client.get_job(job_id)
    assert (job.status, job.scheduled_for) == (Status.SCHEDULED, when)
    assert client.reschedule(job_id, timedelta(0)) is True
    assert client.get_job(job_id).status is Status.PENDING
    assert client.reschedule(job_id, timedelta(0)) is False


# Unique jobs


def test_a_duplicate_returns_the_id_of_the_job_that_is_there(client, worker):
    job_id = client.submit_job("greet", 1, unique_key="k")
    assert client.get_job(job_id).unique_key == "k"
    assert client.submit_job("greet", 2, unique_key="k") == job_id
    later = timedelta(hours=1)
    assert client.submit_job_scheduled("greet", 2, Priority.LOW, later, unique_key="k") == job_id
    assert worker.claim() == job_id
    other, duplicate = JobRequest("greet", 1), JobRequest("greet", 1, unique_key="k")
    assert client.submit_many([other, duplicate]) == [other.job_id, job_id]
    worker.store.settle([Completed(HOLDER, job_id, 1, b"")])
    assert client.submit_job("greet", 2, unique_key="k") != job_id


def test_a_duplicate_can_be_an_error_with_the_id_of_the_job_that_is_there(client):
    job_id = client.submit_job("greet", 1, unique_key="k")
    other = JobRequest("greet", 1)
    with pytest.raises(JobExists, match=f"job {job_id} has the unique key 'k'") as caught:
        client.submit_many([JobRequest("greet", 1, unique_key="k", on_duplicate="raise"), other])
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.job_id, error.unique_key, str(error)) == (job_id, "k", str(caught.value))
    assert client.get_job(other.job_id).status is Status.PENDING


def test_a_repeat_of_the_same_request_is_no_duplicate(client):
    request = JobRequest("greet", 1, unique_key="k", on_duplicate="raise")
    assert client.submit_many([request]) == client.submit_many([request]) == [request.job_id]
    assert client.submit_many([request, request]) == [request.job_id] * 2


def test_a_job_that_waits_can_be_replaced(client):
    job_id = client.submit_job("greet", 1, unique_key="k")
    new = client.submit_job("greet", 2, unique_key="k", on_duplicate="replace")
    assert client.get_job(job_id).status is Status.CANCELLED
    assert client.get_job(new).status is Status.PENDING


def test_duplicates_are_told_at_their_places_in_whichever_chunk(client):
    requests = [JobRequest("greet", n, unique_key=f"k{n % 300}") for n in range(600)]
    ids = [request.job_id for request in requests]
    assert client.submit_many(requests) == ids[:300] * 2


def test_a_dead_job_whose_key_is_taken_stays_dead(client, worker):
    dead = client.submit_job("greet", 1, unique_key="k")
    worker.bury()
    client.submit_job("greet", 1, unique_key="k")
    assert client.retry_dead() == []
    assert client.get_job(dead).status is Status.FAILED


def moves_of(client):
    return (
        lambda job_id: client.reprioritise(job_id, Priority.HIGH),
        lambda job_id: client.reschedule(job_id, timedelta(hours=1)),
    )


def test_a_job_that_runs_or_has_ended_cannot_be_moved(client, worker):
    job_id = client.submit_job("greet", 1)
    worker.claim()
    for move in moves_of(client):
        with pytest.raises(
            JobNotWaiting, match=f"job {job_id} is processing: only one that is pending"
        ) as caught:
            move(job_id)
        assert (caught.value.job_id, caught.value.status) == (job_id, "processing")
    cancelled = client.submit_job("greet", 1)
    client.cancel(cancelled)
    for move in moves_of(client):
        with pytest.raises(JobNotWaiting, match="is cancelled"):
            move(cancelled)


def test_an_unknown_job_cannot_be_moved(client):
    for move in moves_of(client):
        with pytest.raises(JobNotFound):
            move(str(uuid.uuid4()))


def test_a_move_that_can_never_be_right_is_refused(client):
    job_id = client.submit_job("greet", 1)
    with pytest.raises(InvalidJob, match="job id '7'"):
        client.reprioritise("7", Priority.HIGH)
    with pytest.raises(InvalidJob, match="priority 'urgent'"):
        client.reprioritise(job_id, "urgent")
    with pytest.raises(InvalidJob, match="queue ''"):
        client.reprioritise(job_id, Priority.HIGH, "")
    with pytest.raises(InvalidJob, match="when 5: want an aware datetime"):
        client.reschedule(job_id, 5)
    with pytest.raises(InvalidJob, match="when 2030-01-01T00:00:00 has no time zone"):
        client.reschedule(job_id, datetime(2030, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidJob, match="when .*: more than a century ahead"):
        client.reschedule(job_id, timedelta(days=40_000))


# Pausing


def test_a_paused_queue_is_told_with_the_end_of_its_pause(client, server):
    client.pause("gpu")
    client.pause(seconds=timedelta(minutes=10))
    paused = client.paused()
    assert list(paused) == ["*", "gpu"]
    assert paused["gpu"] is None
    assert timedelta(minutes=9) < paused["*"] - datetime.now(UTC) < timedelta(minutes=11)
    assert client.queue_stats().paused == paused


def test_a_pause_that_is_over_is_not_told(client, server):
    client.pause("gpu", seconds=60)
    server.call("ZADD", KEYS.paused, 1, "gpu")
    assert client.paused() == client.queue_stats().paused == {}


def test_jobs_wait_while_their_queue_is_paused_and_run_when_it_is_resumed(client, worker):
    job_id = client.submit_job("greet", 1)
    client.pause("default")
    assert worker.store.settle_and_claim([], HOLDER, NODE, LANES, 1)[1].jobs == []
    assert client.get_job(job_id).status is Status.PENDING
    assert client.resume("default") is True
    assert worker.claim() == job_id


def test_to_resume_what_is_not_paused_is_no_error(client):
    client.pause("gpu")
    assert client.resume() is False
    assert client.resume("default") is False
    assert client.resume("gpu") is True
    assert client.paused() == {}


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("a b",), "queue 'a b'"),
        (("*",), r"queue '\*'"),
        (("",), "queue ''"),
        ((5,), "queue 5"),
        (("gpu", 0), "seconds 0"),
        (("gpu", "5m"), "seconds '5m'"),
        ((None, timedelta(days=-1)), "seconds datetime.timedelta"),
    ],
)
def test_a_pause_that_can_never_be_right_is_refused(client, args, reason):
    with pytest.raises(InvalidJob, match=reason):
        client.pause(*args)
    with pytest.raises(InvalidJob, match="queue"):
        client.resume("a b")
    assert client.paused() == {}


# The dead letters


@pytest.fixture
def dead(client: Client, worker: Worker) -> list[str]:
    """Three dead jobs, the oldest first."""
    ids = []
    for n in range(3):
        ids.append(client.submit_job("greet", n))
        worker.bury(f"broke {n}")
        died = clock.now_ms()
        wait_until(lambda died=died: clock.now_ms() > died)
    return ids


def test_dead_jobs_are_listed_the_latest_first(client, dead):
    assert [job.id for job in client.dead_jobs()] == dead[::-1]
    assert [job.error for job in client.dead_jobs(limit=2)] == ["broke 2", "broke 1"]
    assert [job.id for job in client.dead_jobs(offset=1, limit=1)] == [dead[1]]
    assert client.dead_jobs(offset=3) == []


def test_a_dead_job_comes_back_with_nothing_counted(client, dead, worker):
    assert client.retry_dead([dead[1], str(uuid.uuid4())]) == [dead[1]]
    job = client.get_job(dead[1])
    assert (job.status, job.attempts, job.recoveries) == (Status.PENDING, 0, 0)
    assert worker.claim() == dead[1]
    assert client.queue_stats().dead == 2


def test_all_dead_jobs_come_back(client, dead):
    assert client.retry_dead() == dead
    assert client.retry_dead() == []
    assert client.queue_stats()[3] == 0
    assert client.queue_stats().ready == 3


def test_a_dead_job_is_purged(client, dead):
    assert client.purge_dead(dead[0]) == 1
    with pytest.raises(JobNotFound):
        client.get_job(dead[0])
    assert client.queue_stats().dead == 2


def test_all_dead_jobs_are_purged_but_no_others(client, dead):
    alive = client.submit_job("greet", 1)
    assert client.purge_dead([alive]) == 0
    assert client.purge_dead() == 3
    assert client.dead_jobs() == []
    assert client.get_job(alive).status is Status.PENDING


def test_queue_stats_count_jobs_where_they_are(client, worker, dead):
    client.submit_job("greet", 1)
    worker.claim()
    client.submit_job("greet", 1, Priority.HIGH)
    client.submit_job("greet", 1, queue="mail")
    client.submit_job_scheduled("greet", 1, Priority.LOW, timedelta(hours=1))
    stats = client.queue_stats()
    assert (stats.ready, stats.processing, stats.scheduled, stats.dead) == (2, 1, 1, 3)
    lanes = {(lane.queue, lane.priority): lane for lane in stats.lanes}
    assert len(lanes) == 6
    assert lanes["default", "high"].ready == lanes["mail", "normal"].ready == 1
    assert 0 <= lanes["default", "high"].oldest_seconds < 10
    assert (lanes["default", "low"].ready, lanes["default", "low"].oldest_seconds) == (0, None)
    assert stats.counters == {"submitted": 7, "dead": 3}


# When the server fails


def impatient(url: str, seconds: float) -> Client:
    """A client with so little time, and the connection that it has made in it."""
    return insist(lambda: Client(url, timeout_seconds=seconds))


def test_a_lost_reply_to_a_submit_doubles_nothing(proxy, server):
    with Client(proxy.url, namespace="test") as client:
        client.submit_job("greet", 0)
        dropped = proxy.drop_next_reply(b"EVALSHA")
        job_id = client.submit_job("greet", 1)
        assert dropped.is_set()
        assert client.get_job(job_id).payload == 1
        assert client.queue_stats().ready == 2
        assert client.queue_stats().counters["submitted"] == 2


def test_a_lost_reply_to_a_cancel_is_no_refusal(proxy, server):
    with Client(proxy.url, namespace="test") as client:
        job_id = client.submit_job("greet", 0)
        client.cancel(client.submit_job("greet", 0))
        dropped = proxy.drop_next_reply(job_id.encode())
        assert client.cancel(job_id)
        assert dropped.is_set()


def test_repeating_a_half_done_submit_many_doubles_nothing(proxy, server):
    requests = [JobRequest("greet", n) for n in range(600)]

    def cut_after(count: int) -> Iterator[JobRequest]:
        yield from requests[:count]
        proxy.mode = "refuse"
        yield from requests[count:]

    with Client(proxy.url, namespace="test", timeout_seconds=1) as client:
        with pytest.raises(ConnectionFailed):
            client.submit_many(cut_after(400))
        assert count_of(server) == 250
    proxy.mode = "pass"
    with Client(proxy.url, namespace="test") as client:
        assert client.submit_many(requests) == [request.job_id for request in requests]
        assert client.queue_stats().ready == 600
    assert count_of(server) == 600


def test_a_server_that_restarts_is_waited_for(own_server):
    with Client(own_server.url) as client:
        first = client.submit_job("greet", 1)
        own_server.stop()
        restart = threading.Timer(0.3, own_server.start)
        restart.start()
        # Its scripts are gone with it, too.
        second = client.submit_job("greet", 2)
        restart.join()
        assert [client.get_job(job_id).payload for job_id in (first, second)] == [1, 2]


def test_a_server_that_stays_away_is_given_up_in_time(own_server):
    with impatient(own_server.url, 0.4) as client:
        for attempt in tries(0.8, at_least=0.3):
            insist(client.queue_stats)
            own_server.stop()
            with attempt, pytest.raises(ConnectionFailed, match="redis.sock"):
                client.submit_job("greet", 1)
            own_server.start()


CALLS: dict[str, Callable[[Client, str], Any]] = {
    "submit_job": lambda client, _: client.submit_job("greet", 1),
    "submit_job of 1 MB": lambda client, _: client.submit_job("greet", "x" * 1_000_000),
    "submit_many": lambda client, _: client.submit_many(
        JobRequest("greet", "x" * 1_000_000) for _ in range(3)
    ),
    "get_job": lambda client, job_id: client.get_job(job_id),
    "wait": lambda client, job_id: client.wait(job_id, 60),
    "cancel": lambda client, job_id: client.cancel(job_id),
    "queue_stats": lambda client, _: client.queue_stats(),
    "dead_jobs": lambda client, _: client.dead_jobs(),
    "retry_dead": lambda client, _: client.retry_dead(),
    "purge_dead": lambda client, job_id: client.purge_dead([job_id]),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_ends_in_time_against_a_frozen_server(own_server, call):
    with impatient(own_server.url, 0.4) as client:
        job_id = insist(lambda: client.submit_job("greet", 1))
        for attempt in tries(0.7, at_least=0.3):
            os.kill(own_server.process.pid, signal.SIGCONT)
            insist(lambda: client.get_job(job_id))
            halt(own_server.process.pid)
            with attempt, pytest.raises(ConnectionFailed):
                CALLS[call](client, job_id)
        # That was over a connection that there is, and this is over a new one.
        for attempt in tries(0.7, at_least=0.3):
            with attempt, pytest.raises(ConnectionFailed):
                CALLS[call](client, job_id)


def test_a_client_cannot_be_made_of_a_frozen_server(own_server):
    os.kill(own_server.process.pid, signal.SIGSTOP)
    for attempt in tries(0.7):
        with attempt, pytest.raises(ConnectionFailed):
            Client(own_server.url, timeout_seconds=0.4)


def test_a_call_of_several_trips_ends_in_time_against_a_slow_server(proxy, server):
    with impatient(proxy.url, 0.5) as client:
        job_id = str(uuid.uuid4())
        insist(lambda: client.submit_job("greet", 1, job_id=job_id))
        proxy.delay_seconds = 0.3
        for attempt in tries(0.8):
            proxy.mode = "pass"
            insist(client.queue_stats)
            proxy.mode = "delay"
            with attempt, pytest.raises(ConnectionFailed):
                client.queue_stats()
        proxy.mode = "pass"
        assert insist(client.queue_stats).ready == 1


def test_a_client_cannot_be_made_of_a_server_that_only_drips(proxy):
    proxy.mode = "drip"
    for attempt in tries(0.8):
        with attempt, pytest.raises(ConnectionFailed):
            Client(proxy.url, timeout_seconds=0.5)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_ends_in_time_though_its_reply_drips_in(proxy, call):
    with impatient(proxy.url, 0.3) as client:
        job_id = insist(lambda: client.submit_job("greet", 1))
        for attempt in tries(0.6):
            proxy.mode = "pass"
            insist(lambda: client.get_job(job_id))
            proxy.mode = "drip"
            with attempt, pytest.raises(ConnectionFailed):
                CALLS[call](client, job_id)


def test_a_short_wait_does_not_take_a_whole_call_against_a_frozen_server(own_server):
    with Client(own_server.url, timeout_seconds=30) as client:
        job_id = client.submit_job("greet", 1)
        for attempt in tries(1.5):
            os.kill(own_server.process.pid, signal.SIGCONT)
            client.get_job(job_id)
            halt(own_server.process.pid)
            with attempt, pytest.raises(ConnectionFailed):
                client.wait(job_id, 0.2)


def test_a_client_works_again_when_the_server_does(own_server):
    # At the first call: so it has time enough, on a busy machine, too.
    with Client(own_server.url, timeout_seconds=3) as client:
        job_id = client.submit_job("greet", 1)
        halt(own_server.process.pid)
        with pytest.raises(ConnectionFailed):
            client.cancel(job_id)
        os.kill(own_server.process.pid, signal.SIGCONT)
        assert client.cancel(job_id)


# When the server says no


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    server.call("CONFIG", "SET", "maxmemory", "1")
    yield
    server.call("CONFIG", "SET", "maxmemory", "0")


@contextmanager
def read_only(server: RedisServer) -> Iterator[None]:
    server.call("REPLICAOF", "127.0.0.1", "1")
    yield
    server.call("REPLICAOF", "NO", "ONE")


@contextmanager
def forbidden(server: RedisServer) -> Iterator[None]:
    server.call("ACL", "SETUSER", "default", "-evalsha", "-eval")
    yield
    server.call("ACL", "SETUSER", "default", "+@all")


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(full, "maxmemory"), (read_only, "read only replica"), (forbidden, "no permissions")],
    ids=["OOM", "READONLY", "NOPERM"],
)
def test_a_refusal_is_told_at_once(server, client, trouble, reason):
    with trouble(server):
        for attempt in tries(1):
            client.queue_stats()  # so that there is a connection
            with attempt, pytest.raises(ServerRefused, match=reason):
                client.submit_job("greet", 1)
        assert client.queue_stats().ready == 0
    assert client.submit_job("greet", 1)


@pytest.mark.parametrize(
    ("user", "reason"), [("", "Authentication required"), (":wrong@", "invalid username-password")]
)
def test_a_wrong_password_is_told_at_once(own_server, user, reason):
    own_server.call("CONFIG", "SET", "requirepass", "secret")
    for attempt in tries(1):
        with attempt, pytest.raises(ServerRefused, match=reason):
            Client(f"unix://{user}{own_server.socket}")
    with Client(f"unix://{own_server.socket}", password="secret") as client:
        assert client.submit_job("greet", 1)


def test_a_database_that_there_is_not_is_told_at_once(server):
    for attempt in tries(1):
        with attempt, pytest.raises(ServerRefused, match="DB index is out of range"):
            Client(f"{server.url}?db=99")


# Across fork


def in_child(act: Callable[[], bool]) -> int:
    """Run it in a forked child; the child's pid."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        status = 0 if act() else 2
    finally:
        os._exit(status)


def assert_succeeded(pid: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_parent_and_children_use_one_client_at_once(client, server):
    def work() -> bool:
        for n in range(50):
            job_id = client.submit_job("greet", [os.getpid(), n])
            if client.get_job(job_id).payload != [os.getpid(), n]:
                return False
        return True

    client.submit_job("greet", 0)  # so that there is a connection to be inherited
    children = [in_child(work) for _ in range(4)]
    assert work()
    for pid in children:
        assert_succeeded(pid)
    assert client.queue_stats().ready == 251


def test_a_fork_amid_the_calls_of_threads_breaks_neither_side(client, server):
    is_over = threading.Event()

    def submit_on() -> int:
        count = 0
        while not is_over.is_set():
            client.submit_job("greet", count)
            count += 1
        return count

    def submit_in_threads() -> bool:
        with ThreadPoolExecutor(4) as threads:
            return len(set(threads.map(lambda n: client.submit_job("greet", n), range(40)))) == 40

    with ThreadPoolExecutor(4) as threads:
        counting = [threads.submit(submit_on) for _ in range(4)]
        try:
            for _ in range(5):
                assert_succeeded(in_child(submit_in_threads))
        finally:
            is_over.set()  # or the threads would be waited for without an end
        submitted = sum(count.result() for count in counting)
        assert client.queue_stats().ready == submitted + 200
    assert len(client._pool._idle._idle) <= 5


def test_a_child_that_closes_its_client_leaves_the_parents_connections_alone(client, server):
    client.submit_job("greet", 1)
    (held,) = client._pool._idle._idle
    assert_succeeded(in_child(lambda: client.close() is None))
    assert client.submit_job("greet", 1)
    assert list(client._pool._idle._idle) == [held]
