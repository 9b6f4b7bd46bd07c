"""What the client sends, and that it sends nothing that cannot be right. The server is a fake one."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
from redis.exceptions import ResponseError

from bananasd import (
    Client,
    ConnectionFailed,
    InvalidJob,
    JobNotFound,
    JobOptions,
    JobRequest,
    Priority,
    clock,
)
from bananasd import client as client_module
from bananasd.store.connection import Server

ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"


class FakePool:
    """Stands in for the pool: trips end at a fake server, and are counted."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.trips: list[Sequence[Any]] = []
        self.seconds: list[float | None] = []
        self._connection = fakeredis.FakeRedis(server=fakeredis.FakeServer()).connection_pool.get_connection()

    def call(self, seconds: float | None = None) -> "FakePool":
        self.seconds.append(seconds)
        return self

    attempt = call

    def trip(self, commands: Sequence[Any]) -> list[Any]:
        self.trips.append(commands)
        return [self._answer(command) for command in commands]

    def close(self) -> None:
        self._connection.disconnect()

    def _answer(self, command: Any) -> Any:
        self._connection.send_command(*command)
        try:
            reply = self._connection.read_response()
        except ResponseError as error:
            return error
        # The fake one answers as RESP3 does.
        return [word for pair in reply.items() for word in pair] if isinstance(reply, dict) else reply

    @property
    def submitted(self) -> list[int]:
        """How many jobs each submit script was given, without those that a server refused as not known."""
        calls = [command for commands in self.trips for command in commands if command[0] == "EVALSHA"]
        return [(len(command) - 5) // 5 for command in calls]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[FakePool]:
    """The pools that clients made, each with a server of its own."""
    made: list[FakePool] = []

    def make(server: Server) -> FakePool:
        made.append(FakePool(server))
        return made[-1]

    monkeypatch.setattr(client_module, "Pool", make)
    return made


@pytest.fixture
def client(pools: list[FakePool]) -> Iterator[Client]:
    with Client("redis://fake") as client:
        yield client


@pytest.fixture
def pool(client: Client, pools: list[FakePool]) -> FakePool:
    pools[0].trips.clear()
    pools[0].seconds.clear()
    return pools[0]


# Where it connects


def test_making_a_client_pings(client, pools):
    assert pools[0].trips == [(("PING",),)]


@pytest.mark.parametrize(
    ("given", "environ", "url"),
    [
        ("redis://given", {"BANANAS_REDIS_URL": "redis://environment"}, "redis://given"),
        (None, {"BANANAS_REDIS_URL": "redis://environment"}, "redis://environment"),
        ("", {"BANANAS_REDIS_URL": "redis://environment"}, "redis://environment"),
        (None, {"BANANAS_REDIS_URL": "embedded"}, "unix:///run/mine/redis.sock"),
        (None, {"BANANAS_REDIS_URL": ""}, "unix:///run/mine/redis.sock"),
        (None, {}, "unix:///run/mine/redis.sock"),
        ("embedded", {"BANANAS_REDIS_URL": "redis://environment"}, "unix:///run/mine/redis.sock"),
    ],
)
def test_the_address_is_the_given_one_or_the_environments_or_the_embedded_servers(
    pools, monkeypatch, given, environ, url
):
    monkeypatch.delenv("BANANAS_REDIS_URL", raising=False)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/mine")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    Client(given, timeout_seconds=3, password="secret")
    assert pools[0].server == Server(url, 3, "secret")


@pytest.mark.parametrize("timeout_seconds", [0, -1, math.nan, math.inf, "5", None, True])
def test_a_time_that_cannot_be_is_refused(pools, timeout_seconds):
    with pytest.raises(InvalidJob, match="^timeout_seconds"):
        Client("redis://fake", timeout_seconds=timeout_seconds)
    assert not pools


def test_a_password_that_cannot_be_is_refused(pools):
    with pytest.raises(InvalidJob, match="^the password"):
        Client("redis://fake", password=5)
    assert not pools


@pytest.mark.parametrize("namespace", ["", "a b", "{a}", None, 5])
def test_a_namespace_that_cannot_be_is_refused(pools, namespace):
    with pytest.raises(InvalidJob, match="^namespace"):
        Client("redis://fake", namespace=namespace)
    assert not pools


@pytest.mark.parametrize("url", ["nonsense", "http://host", "redis://host:port", 5])
def test_a_url_that_cannot_be_is_refused(pools, url):
    with pytest.raises(ConnectionFailed):
        Client(url)


# What it sends


def test_a_submit_is_one_call_of_one_script(client, pool):
    client.submit_job("greet", {"to": "you"})
    client.submit_job("greet", {"to": "you"})
    # The first time the server has to be told the script.
    assert [[command[0] for command in commands] for commands in pool.trips] == [
        ["EVALSHA"],
        ["EVAL"],
        ["EVALSHA"],
    ]


def test_what_was_submitted_can_be_read(client, pool):
    job_id = client.submit_job(
        "greet", {"to": "you"}, Priority.HIGH, "hi", queue="mail", max_retries=1, timeout_seconds=2
    )
    job = client.get_job(job_id)
    assert (job.id, job.name, job.payload, job.description) == (job_id, "greet", {"to": "you"}, "hi")
    assert (job.priority, job.queue, job.max_retries, job.timeout_seconds) == ("high", "mail", 1, 2)


def test_many_jobs_go_250_a_call(client, pool):
    requests = [JobRequest("greet", n) for n in range(600)]
    assert client.submit_many(requests) == [request.job_id for request in requests]
    assert [count for count in pool.submitted if count] == [250, 250, 100]


def test_big_jobs_go_a_megabyte_a_call(client, pool):
    requests = [
        JobRequest("greet", "x" * size) for size in (400_000, 400_000, 400_000, 1_000_000, 5, 1_048_574)
    ]
    client.submit_many(requests)
    assert pool.submitted == [2, 1, 2, 1]


def test_no_jobs_send_nothing(client, pool):
    assert client.submit_many([]) == []
    assert not pool.trips


def test_requests_may_come_one_by_one(client, pool):
    given: list[int] = []

    def requests() -> Iterator[JobRequest]:
        for n in range(400):
            given.append(len(pool.trips))
            yield JobRequest("greet", n)

    assert len(client.submit_many(requests())) == 400
    assert given[250] == 0  # it takes one more to know that a chunk is full
    assert given[251] > 0


def test_a_list_with_something_else_in_it_sends_nothing(client, pool):
    requests = [*(JobRequest("greet", n) for n in range(1500)), "greet"]
    with pytest.raises(InvalidJob, match="submit_many takes JobRequest objects, not 'greet'"):
        client.submit_many(requests)
    assert not pool.trips


def test_something_else_among_requests_that_come_one_by_one_ends_the_call(client, pool):
    with pytest.raises(InvalidJob, match="submit_many takes JobRequest objects, not None"):
        client.submit_many(iter([None]))
    assert not pool.trips


GOOD: dict[str, Any] = {"name": "greet", "payload": 1, "priority": Priority.NORMAL}
BAD = [
    {"name": ""}, {"name": None}, {"name": "a\nb"}, {"name": "x" * 201},
    {"payload": {1}}, {"payload": math.nan}, {"payload": 2**64}, {"payload": "\ud800"}, {"payload": "x" * 1_048_577},
    {"payload": {1: 1}}, {"payload": b"x"}, {"payload": object()},
    {"priority": "urgent"}, {"priority": None}, {"priority": 1},
    {"description": None}, {"description": "x" * 10_001},
    {"queue": ""}, {"queue": "a b"}, {"queue": None},
    {"max_retries": -1}, {"max_retries": 1.5}, {"max_retries": True},
    {"timeout_seconds": -1}, {"timeout_seconds": math.nan}, {"timeout_seconds": "1"},
    {"job_id": ""}, {"job_id": "nonsense"}, {"job_id": 5},
]  # fmt: skip
BAD_SCHEDULES = [None, 5, "tomorrow", datetime(2030, 1, 1), timedelta.max, datetime.max.replace(tzinfo=UTC)]  # noqa: DTZ001
CALLS: list[tuple[str, Callable[[Client], Any]]] = [
    *((f"submit_job {n}", lambda c, bad=bad: c.submit_job(**GOOD | bad)) for n, bad in enumerate(BAD)),
    *(
        (
            f"submit_job_scheduled {n}",
            lambda c, bad=bad: c.submit_job_scheduled(**GOOD | {"scheduled_for": timedelta(1)} | bad),
        )
        for n, bad in enumerate([*BAD, *({"scheduled_for": due} for due in BAD_SCHEDULES)])
    ),
    ("submit_many None", lambda c: c.submit_many(None)),
    ("submit_many request", lambda c: c.submit_many(JobRequest("greet", 1))),
    ("submit_many dicts", lambda c: c.submit_many([GOOD])),
    ("get_job", lambda c: c.get_job("nonsense")),
    ("get_job None", lambda c: c.get_job(None)),
    ("cancel", lambda c: c.cancel("nonsense")),
    *((f"cancel {how!r}", lambda c, how=how: c.cancel(ID, how)) for how in ("brutal", "", True, 5, ["soft"])),
    ("wait", lambda c: c.wait("nonsense", 1)),
    ("wait None", lambda c: c.wait(ID, None)),
    ("wait text", lambda c: c.wait(ID, "1")),
    ("wait nan", lambda c: c.wait(ID, math.nan)),
    ("dead_jobs offset", lambda c: c.dead_jobs(offset=-1)),
    ("wait true", lambda c: c.wait(ID, True)),
    ("wait too long", lambda c: c.wait(ID, 10**400)),
    ("wait many", lambda c: c.wait([ID, "nonsense"], 1)),
    ("wait number", lambda c: c.wait(5, 1)),
    ("watch", lambda c: c.watch("nonsense")),
    ("get_result", lambda c: c.get_result("nonsense")),
    ("submit_and_wait", lambda c: c.submit_and_wait(**GOOD, wait_seconds=math.nan)),
    ("submit_and_wait name", lambda c: c.submit_and_wait("", 1, wait_seconds=1)),
    ("dead_jobs offset", lambda c: c.dead_jobs(offset=10**30)),
    ("dead_jobs limit", lambda c: c.dead_jobs(limit=0)),
    ("dead_jobs too many", lambda c: c.dead_jobs(limit=1001)),
    ("dead_jobs text", lambda c: c.dead_jobs(limit="5")),
    ("retry_dead half a character", lambda c: c.retry_dead([ID, "\ud800"])),
    ("retry_dead number", lambda c: c.retry_dead(5)),
    ("purge_dead bytes", lambda c: c.purge_dead([b"nonsense"])),
    ("purge_dead mixed", lambda c: c.purge_dead([ID, None])),
]


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=[name for name, _ in CALLS])
def test_bad_input_is_an_invalid_job_and_nothing_is_sent(client, pool, call):
    with pytest.raises(InvalidJob):
        call(client)
    assert not pool.trips


def test_an_unknown_job_is_not_found(client, pool):
    with pytest.raises(JobNotFound, match=ID) as caught:
        client.get_job(ID)
    assert caught.value.job_id == ID
    with pytest.raises(JobNotFound, match=ID):
        client.cancel(ID)


# How long it waits


def test_every_call_has_the_clients_time(client, pool):
    client.submit_job("greet", 1, job_id=ID)
    client.get_job(ID)
    client.cancel(ID)
    client.dead_jobs()
    client.retry_dead()
    client.purge_dead()
    assert set(pool.seconds) == {None}


def test_dead_ids_go_250_a_call(client, pool, monkeypatch):
    ids = [JobRequest("greet", 1).job_id for _ in range(501)]
    assert client.retry_dead(ids) == []
    assert client.purge_dead(ids) == 0
    assert client.purge_dead(ids[0]) == 0
    scripts = [command for commands in pool.trips for command in commands if command[0] == "EVALSHA"]
    assert [len(command) - 5 for command in scripts] == [250, 250, 1, 250, 250, 1, 1]


# The options of a job


class Sent(Exception):
    """Raised in the place of sending."""


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[JobRequest]:
    """What was to be sent."""
    made: list[JobRequest] = []

    def send(client: Client, requests: list[JobRequest]) -> None:
        made.extend(requests)
        raise Sent

    monkeypatch.setattr(Client, "_submit", send)
    return made


WAYS_TO_SUBMIT: dict[str, Callable[..., Any]] = {
    "submit_job": lambda client, **options: client.submit_job("greet", 1, **options),
    "submit_job_scheduled": lambda client, **options: client.submit_job_scheduled(
        "greet", 1, Priority.NORMAL, timedelta(0), **options
    ),
    "submit_and_wait": lambda client, **options: client.submit_and_wait(
        "greet", 1, wait_seconds=1, **options
    ),
}


@pytest.mark.parametrize("submit", WAYS_TO_SUBMIT.values(), ids=WAYS_TO_SUBMIT)
def test_every_way_to_submit_takes_every_option_of_a_request(client, requests, monkeypatch, submit):
    options = {
        "queue": "mail", "max_retries": 1, "timeout_seconds": 2, "retry": [3], "on_lost": "dead", "job_id": ID,
        "expires_in": 4, "unique_key": "k", "unique_seconds": 5, "unique_until": "start", "on_duplicate": "raise",
        "headers": {"tenant": "7"},
    }  # fmt: skip
    assert options.keys() == JobOptions.__annotations__.keys()
    monkeypatch.setattr(clock, "now_ms", lambda: 1000)
    with pytest.raises(Sent):
        submit(client, **options)
    same = JobRequest("greet", 1, **options)
    apart_from_due = set(JobRequest.__slots__) - {"due"}
    assert {name: getattr(requests[0], name) for name in apart_from_due} == {
        name: getattr(same, name) for name in apart_from_due
    }


@pytest.mark.parametrize(
    ("way", "option"),
    [
        *((way, "colour") for way in WAYS_TO_SUBMIT),
        ("submit_job", "scheduled_for"),
        ("submit_and_wait", "scheduled_for"),
        ("submit_job", "wait_seconds"),
        ("submit_job_scheduled", "wait_seconds"),
    ],
)
def test_no_way_to_submit_takes_an_option_that_there_is_not(client, requests, way, option):
    with pytest.raises(TypeError, match=f"no option '{option}'"):
        WAYS_TO_SUBMIT[way](client, **{option: timedelta(seconds=1)})
    assert not requests
