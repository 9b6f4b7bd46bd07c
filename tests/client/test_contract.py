"""The fake of `bananasd.testing` answers a client as the real server does: each case is played to both, and compared.

A client call that is new gets a case here, or the fake drifts from the server.
"""

import inspect
import math
import mmap
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bananasd import BananasError, Client, GiveUp, Job, JobRequest, Priority, RetryLater, Schedule, handler
from bananasd.handlers import Registry
from bananasd.processes.performance import Performer, Rules
from bananasd.processes.row import ROW_BYTES, Row
from bananasd.retry import OPEN, Retry, RetryPolicy
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import lanes_of
from bananasd.store.store import Store
from bananasd.testing import fake
from tests.conftest import wait_until

RETRY = RetryPolicy(2, Retry(base_seconds=0))
HOLDER, NODE = "n1/1.1", "n1"
CLIENTS = []
"""Those of the case that is being played, for its handlers."""
IDS = [f"0b52f5b2-2f5c-4f4c-9d43-{number:012}" for number in range(20)]


@handler("c_echo")
def echo(job):
    return job.payload


@handler("c_fail")
def fail(job):
    raise ValueError(job.attempt)


@handler("c_give_up")
def give_up(job):
    raise GiveUp("no use")


@handler("c_second", max_retries=1)
def second(job):
    if job.attempt == 1:
        raise RetryLater(0)
    return job.attempt


@handler("c_set")
def not_json(job):
    return {job.attempt}


@handler("c_cancel")
def cancel_itself(job):
    told = CLIENTS[-1].cancel(job.id, running=job.payload)
    assert (told, CLIENTS[-1].cancel(job.id)) == (True, False)
    raise GiveUp("though it fails")


@handler("c_progress")
def tell(job):
    job.set_progress(job.attempt, 9, "note")


HANDLERS = [cancel_itself, echo, fail, give_up, second, not_json, tell]
LANES = lanes_of(("default", "other"))


# The cases. ``run`` runs everything that is ready or due.


def submit_and_look(client, run):
    client.submit_job("c_echo", {"a": [1, None, "ü"]}, Priority.HIGH, "a description", job_id=IDS[0])
    client.submit_job("c_echo", 5, queue="other", max_retries=7, timeout_seconds=9, job_id=IDS[1])
    yield from map(client.get_job, IDS[:2])
    run()
    yield from map(client.get_job, IDS[:2])


def an_id_twice_is_one_job(client, run):
    for payload in (1, 2):
        yield client.submit_job("c_echo", payload, job_id=IDS[0])
        yield client.get_job(IDS[0])
        run()
    yield client.get_job(IDS[0])


def schedules(client, run):
    for job_id, due in zip(
        IDS, [timedelta(hours=1), timedelta(0), datetime(2100, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)], strict=False
    ):  # fmt: skip
        yield client.submit_job_scheduled("c_echo", None, Priority.LOW, due, job_id=job_id)
    yield from map(client.get_job, IDS[:4])
    yield client.queue_stats()
    run()
    yield from map(client.get_job, IDS[:4])


def many(client, run):
    requests = [JobRequest("c_echo", n, list(Priority)[n % 3], job_id=IDS[n]) for n in range(9)]
    yield client.submit_many(requests)
    yield client.queue_stats()
    run()
    yield client.queue_stats()
    yield client.submit_many(requests)


def failures(client, run):
    for job_id, name in zip(
        IDS, ["c_fail", "c_give_up", "c_second", "c_set", "nobody", "c_progress"], strict=False
    ):
        client.submit_job(name, None, job_id=job_id)
    run()
    yield from map(client.get_job, IDS[:6])
    yield client.queue_stats()
    yield {job.id for job in client.dead_jobs()}


def dead_letters(client, run):
    for job_id in IDS[:3]:
        client.submit_job("c_give_up", None, job_id=job_id)
        run()
    yield len(client.dead_jobs(offset=1, limit=1))
    yield client.retry_dead([IDS[1], IDS[9]])
    yield client.get_job(IDS[1])
    yield client.retry_dead([IDS[1]])
    run()
    yield client.get_job(IDS[1])
    yield client.purge_dead([IDS[0], IDS[9]])
    yield client.get_job(IDS[0])
    yield len(client.retry_dead())
    run()
    yield client.purge_dead()
    yield client.queue_stats()


def cancels(client, run):
    client.submit_job("c_echo", None, job_id=IDS[0])
    client.submit_job_scheduled("c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[1])
    client.submit_job("c_echo", None, job_id=IDS[2])
    yield from map(client.cancel, [IDS[0], IDS[0], IDS[1]])
    yield client.queue_stats()
    run()
    yield from map(client.get_job, IDS[:3])
    yield from map(client.cancel, [IDS[2], IDS[0]])
    yield client.queue_stats()
    yield client.cancel(IDS[9])


def cancels_while_they_run(client, run):
    for job_id, how in zip(IDS, ["soft", "hard"], strict=False):
        client.submit_job("c_cancel", how, job_id=job_id)
    run()
    yield from map(client.get_job, IDS[:2])
    yield client.cancel(IDS[0], "soft")
    yield client.dead_jobs()
    yield tried(client.get_result, IDS[1])
    yield client.queue_stats()


def expiry(client, run):
    client.submit_job("c_echo", None, job_id=IDS[0], expires_in=3600)
    client.submit_job("c_give_up", None, job_id=IDS[1], expires_in=timedelta(hours=1))
    client.submit_job("c_echo", None, job_id=IDS[2], expires_in=0.001)
    client.submit_job_scheduled("c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[3], expires_in=5)
    yield from map(client.get_job, [*IDS[:2], IDS[3]])
    wait_until(lambda: client.get_job(IDS[2]).expires_at < datetime.now(UTC) - timedelta(milliseconds=1))
    run()
    yield from map(client.get_job, IDS[:4])
    yield client.retry_dead()
    yield client.get_job(IDS[1])
    yield client.queue_stats()
    yield client.wait(IDS[2], 0)


def pauses(client, run):
    yield client.resume()
    client.pause("other")
    client.pause("default", 3600)
    yield client.paused().keys()
    for job_id, queue in zip(IDS, ["default", "other"], strict=False):
        client.submit_job("c_echo", None, queue=queue, job_id=job_id)
    run()
    yield from map(client.get_job, IDS[:2])
    yield client.queue_stats()
    yield client.resume("other")
    yield client.resume("other")
    run()
    yield from map(client.get_job, IDS[:2])
    client.pause()
    yield client.resume("default")
    run()
    yield client.get_job(IDS[0])
    yield client.paused()
    yield client.resume()
    run()
    yield client.get_job(IDS[0])
    yield client.paused()


def moves(client, run):
    for job_id in IDS[:3]:
        client.submit_job("c_echo", None, job_id=job_id, expires_in=3600)
    client.submit_job_scheduled("c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[3])
    yield client.reprioritise(IDS[0], Priority.HIGH)
    yield client.reprioritise(IDS[0], Priority.HIGH)
    yield client.reprioritise(IDS[1], Priority.LOW, "other")
    yield client.reprioritise(IDS[3], Priority.NORMAL, "other")
    yield from map(client.get_job, IDS[:4])
    yield client.queue_stats()
    yield client.reschedule(IDS[0], timedelta(hours=1))
    yield client.reschedule(IDS[1], timedelta(0))
    yield client.reschedule(IDS[2], timedelta(hours=1))
    yield client.reschedule(IDS[2], datetime(1970, 1, 1, tzinfo=UTC))
    yield client.reschedule(IDS[3], datetime(2100, 1, 1, tzinfo=UTC))
    yield from map(client.get_job, IDS[:4])
    yield client.queue_stats()
    run()
    yield from map(client.get_job, IDS[:4])
    yield client.queue_stats()
    for job_id in (IDS[1], IDS[9]):
        yield tried(client.reprioritise, job_id, Priority.HIGH)
        yield tried(client.reschedule, job_id, timedelta(0))
    yield client.reprioritise(IDS[0], Priority.LOW)
    yield client.cancel(IDS[0])
    yield client.reschedule(IDS[3], timedelta(0))
    run()
    yield from map(client.get_job, IDS[:4])
    yield client.queue_stats()


def a_moved_job_that_is_cancelled(client, run):
    client.submit_job("c_echo", None, job_id=IDS[0])
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
        yield client.reprioritise(IDS[0], priority)
    client.cancel(IDS[0])
    yield client.queue_stats()
    run()
    yield client.get_job(IDS[0])
    yield client.queue_stats()


def a_job_brought_back_runs_once_though_it_was_moved(client, run):
    client.submit_job("c_give_up", None, job_id=IDS[0])
    client.reprioritise(IDS[0], Priority.HIGH)
    client.reprioritise(IDS[0], Priority.NORMAL)
    client.pause("default")
    run()
    client.resume("default")
    run()
    yield client.retry_dead()
    run()
    yield client.get_job(IDS[0])
    yield client.queue_stats()


def schedules_by_the_clock(client, run):
    yield client.schedules()
    for name, every in [("b", "90s"), ("a", "1h"), ("b", "2h"), ("b", "2h")]:
        yield client.put_schedule(Schedule(name=name, job="c_echo", payload={"of": name}, every=every))
        yield [
            (found.name, found.payload, found.every, found.last_at is not None)
            for found in client.schedules()
        ]
    run()
    yield client.remove_schedule("b")
    yield client.remove_schedule("b")
    yield [found.name for found in client.schedules()]


def unique_jobs(client, run):
    key = {"unique_key": "a key"}
    for job_id in IDS[:2]:
        yield client.submit_job("c_echo", None, job_id=job_id, **key)
    yield client.submit_many([JobRequest("c_echo", None, job_id=IDS[2], **key),
                              JobRequest("c_echo", None, job_id=IDS[3], unique_key="another", unique_until="start"),
                              JobRequest("c_echo", None, job_id=IDS[4], unique_key="another")])  # fmt: skip
    yield tried(lambda: client.submit_job("c_echo", None, job_id=IDS[5], on_duplicate="raise", **key))
    yield from map(client.get_job, [IDS[0], IDS[3]])
    yield client.queue_stats()
    run()
    yield client.submit_job("c_give_up", None, job_id=IDS[5], on_duplicate="raise", **key)
    yield client.submit_job_scheduled(
        "c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[6], on_duplicate="replace", **key
    )
    yield from map(client.get_job, IDS[5:7])
    yield client.submit_job("c_give_up", None, job_id=IDS[7], on_duplicate="replace", **key)
    run()
    yield client.submit_job("c_echo", None, job_id=IDS[8], **key)
    yield client.retry_dead()
    yield client.cancel(IDS[8])
    yield client.retry_dead()
    yield client.submit_job("c_echo", None, job_id=IDS[9], **key)
    run()
    yield from map(client.get_job, IDS[5:9])
    yield client.submit_job("c_echo", None, job_id=IDS[9], unique_key="for a time", unique_seconds=0.001)
    wait_until(
        lambda: (
            client.submit_job("c_echo", None, unique_key="for a time", job_id=IDS[10], unique_seconds=3600)
            == IDS[10]
        )
    )
    yield client.submit_job("c_echo", None, unique_key="for a time", job_id=IDS[11], expires_in=0.001)
    yield client.cancel(IDS[10])
    yield client.submit_job("c_echo", None, unique_key="for a time", job_id=IDS[11], expires_in=0.001)
    wait_until(lambda: client.get_job(IDS[11]).expires_at < datetime.now(UTC) - timedelta(milliseconds=1))
    run()
    yield client.submit_job("c_second", None, job_id=IDS[12], unique_key="for a time", on_duplicate="raise")
    yield client.get_job(IDS[11])
    with working(run, once_waited_for_by=client):
        yield client.submit_and_wait(
            "c_second", None, wait_seconds=10, job_id=IDS[13], unique_key="for a time"
        ).id
        yield client.submit_and_wait(
            "c_second", None, wait_seconds=10, job_id=IDS[14], unique_key="for a time"
        ).id
    yield client.queue_stats()


def results(client, run):
    for job_id, name in zip(IDS, ["c_echo", "c_echo", "c_give_up", "c_second"], strict=False):
        client.submit_job(name, [1] if job_id == IDS[0] else None, job_id=job_id)
    yield tried(client.get_result, IDS[0])
    client.submit_job_scheduled("c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[4])
    client.cancel(IDS[4])
    run()
    for job_id in IDS[:6]:
        yield tried(client.get_result, job_id)


def waits(client, run):
    client.submit_job("c_second", None, job_id=IDS[0])
    run()
    yield client.wait(IDS[0], math.inf)
    with working(run):
        yield client.submit_and_wait("c_echo", 5, Priority.HIGH, wait_seconds=10, job_id=IDS[1])
        yield tried(lambda: client.submit_and_wait("c_fail", None, wait_seconds=10, job_id=IDS[2]))
        ids = [client.submit_job("c_second", None, job_id=job_id) for job_id in IDS[3:6]]
        yield from client.wait(ids[::-1], 10)
        progress = []
        client.submit_job("c_progress", None, job_id=IDS[6])
        client.wait(IDS[6], 10, lambda job: progress.append(job.progress))
        yield progress
        client.submit_job("c_second", None, job_id=IDS[7])
        *_, last = client.watch(IDS[7])
        yield last
    client.submit_job("c_echo", None, job_id=IDS[8])
    yield tried(client.wait, [IDS[0], IDS[8]], 0)
    yield client.wait(IDS[8], 0)


def a_failure_outlives_its_record_for_those_who_waited(client, run):
    for job_id in IDS[:2]:
        client.submit_job("c_give_up", None, job_id=job_id)
        yield tried(client.wait, job_id, 0)
    run()
    yield client.purge_dead([IDS[0]])
    yield client.retry_dead([IDS[1]])
    for job_id in IDS[:2]:
        yield tried(client.get_result, job_id)


def explanations(client, run):
    yield client.explain(IDS[0]).reason
    client.submit_job("c_echo", None, job_id=IDS[0])
    yield client.explain(IDS[0]).reason
    # The worker of the real side has a node.
    yield {**client.explain(IDS[0]).evidence, "live_nodes": None}
    client.reprioritise(IDS[0], Priority.LOW)
    client.submit_job("c_echo", None, job_id=IDS[1])
    yield client.explain(IDS[0]).evidence["of_higher_priority"]
    client.pause("default")
    yield client.explain(IDS[0]).sentence
    client.pause()
    yield client.explain(IDS[0]).reason
    client.resume(), client.resume("default")
    client.submit_job_scheduled("c_echo", None, Priority.LOW, timedelta(hours=1), job_id=IDS[2])
    yield client.explain(IDS[2]).reason
    client.cancel(IDS[2])
    client.submit_job("c_give_up", None, job_id=IDS[3])
    run()
    for job_id in IDS[:4]:
        explained = client.explain(job_id)
        yield explained.reason
        yield explained.evidence["attempts"]
    yield tried(lambda: client.explain(IDS[0], look_seconds=-1))


def unknown_ids(client, run):
    yield client.queue_stats()
    yield client.dead_jobs()
    yield client.wait(IDS[0], 1)


CASES = [submit_and_look, an_id_twice_is_one_job, schedules, many, failures, dead_letters, cancels, cancels_while_they_run, pauses, moves, a_moved_job_that_is_cancelled, a_job_brought_back_runs_once_though_it_was_moved, schedules_by_the_clock, expiry, unique_jobs, results, waits, a_failure_outlives_its_record_for_those_who_waited, explanations, unknown_ids]  # fmt: skip

NOT_OF_THE_FAKE = {"close"}
"""Calls that ask no server."""


# Both sides


def tried(call, *args):
    """What it returns, or raises."""
    try:
        return call(*args)
    except BananasError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


@contextmanager
def working(run, once_waited_for_by=None):
    """Somebody works meanwhile, as long as the block runs, or from when this client waits for what it has submitted."""
    is_over, may_begin = threading.Event(), threading.Event()

    def work():
        may_begin.wait()
        while not is_over.wait(0.005):
            run()

    def wait(*args):
        may_begin.set()
        return wait_for_job(*args)

    thread = threading.Thread(target=work)
    thread.start()
    if once_waited_for_by is None:
        may_begin.set()
    else:
        wait_for_job, once_waited_for_by._waiter.wait = once_waited_for_by._waiter.wait, wait
    try:
        yield
    finally:
        is_over.set()
        may_begin.set()
        thread.join()


def play(case, client, run):
    """What a client sees in a case, to the end or to the first error."""
    seen = []
    CLIENTS.append(client)
    try:
        seen.extend(shown(what) for what in case(client, run))
    except BananasError as error:
        seen.append(f"{type(error).__name__}: {error}")
    return seen


def shown(what):
    """The same for both, whatever the time is."""
    if isinstance(what, Job):
        times = {
            name: value is not None
            for name, value in what.to_dict().items()
            if name.endswith(("_at", "_for"))
        }
        error = what.error and what.error.splitlines()[-1]  # the fake calls handlers from deeper below
        return (
            what.to_dict()
            | times
            | {"error": error, "has_result": what.has_result, "run": what.run, "is_held": bool(what.holder)}
        )
    if hasattr(what, "_asdict"):
        lanes = [lane._replace(oldest_seconds=lane.oldest_seconds is not None) for lane in what.lanes]
        paused = {name: until is not None for name, until in what.paused.items()}
        return what._asdict() | {"lanes": lanes, "paused": paused}
    return what


@contextmanager
def the_fake():
    with fake(HANDLERS, max_retries=RETRY.max_retries) as queue:
        yield queue.client, queue.drain


@contextmanager
def the_real(server):
    """A real server, and a worker's scripts and performer on it."""
    connection = HeldConnection(Server(server.url, 5))
    store = Store(connection, "default")
    store.enter(HOLDER, NODE, 60_000, {})
    memory = mmap.mmap(-1, 2 * ROW_BYTES)
    registry = Registry([function.spec for function in HANDLERS])
    performer = Performer(
        Row(memory, memoryview(memory).cast("Q"), 0),
        registry,
        Rules(0, RETRY, 1000),
        _Context(store),
        lambda _: OPEN,
        lambda holder, job_id, run: store.settle_and_guard([], holder, job_id, run)[1],
    )

    def run():
        store.promote()
        while jobs := store.settle_and_claim([], HOLDER, NODE, LANES, 1)[1].jobs:
            store.settle([performer.perform(jobs[0], HOLDER)])
            store.promote()

    with Client(server.url) as client:
        yield client, run
    connection.close()


class _Context:
    def __init__(self, store):
        self._store = store

    def set_progress(self, job, progress):
        self._store.progress(HOLDER, job.id, job.run, progress)

    def should_stop(self, job):
        return False


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_fake_answers_as_the_server_does(case, server):
    with the_real(server) as (client, run):
        real = play(case, client, run)
    with the_fake() as (client, run):
        assert play(case, client, run) == real
    assert real


def test_every_call_of_a_client_has_its_case():
    calls = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    played = "".join(inspect.getsource(case) for case in CASES)
    assert {name for name in calls if f"client.{name}" not in played} == NOT_OF_THE_FAKE
