"""A dashboard in this process, over a real server, asked over a real socket."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bananasd import Priority
from bananasd.http.dashboard import Dashboard
from bananasd.http.server import WebServer, listen
from bananasd.http.source import Source
from bananasd.processes.board import Board
from bananasd.settings import HttpConfig
from bananasd.store.access import Access
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Lane
from bananasd.store.outcomes import Buried, Completed
from bananasd.store.store import Retention, Store
from tests.conftest import RedisServer, wait_until
from tests.sentinels import free_port

LANE = Lane("default", Priority.NORMAL)
TOKEN = "correct-horse-battery-staple"
ACTIONS = [
    "/api/queues/pause",
    "/api/queues/resume",
    "/api/jobs/x/cancel",
    "/api/dead/retry",
    "/api/dead/purge",
]
QUESTIONS = [
    "/api/live",
    "/api/jobs/x",
    "/api/lanes/default/high",
    "/api/scheduled",
    "/api/dead",
    "/api/schedules",
]


class Site:
    """A dashboard that is served until the end of the test, and one who asks it."""

    def __init__(self, directory: Path, redis_url: str, token: str | None = None, **settings: Any) -> None:
        self.board = Board.create(directory, "testnode-0a1b2c3d", 8)
        settings = {"listen": f"127.0.0.1:{free_port()}", **settings}
        self.config = HttpConfig(**settings)
        self.url = f"http://{self.config.listen}"
        self.redis_url = redis_url
        self.source = Source(self.board, Access(Server(redis_url, 5), "default", Retention()))
        self.dashboard = Dashboard(self.config, token, self.source)
        self._server = WebServer(self.dashboard, listen(self.config.host, self.config.port))
        self._server.start()
        self.http = self.visitor()
        wait_until(lambda: self.http.get("/livez").status_code in (200, 503))

    def visitor(self, **options: Any) -> httpx.Client:
        """Somebody who asks; without cookies or anything else that is not given here."""
        return httpx.Client(base_url=self.url, timeout=10, trust_env=False, **options)

    @property
    def page_headers(self) -> dict[str, str]:
        """What a page of this dashboard sends with an action."""
        return {"Origin": self.url, "X-CSRF-Token": self.http.get("/api/session").json().get("csrf", "")}

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """An action, as a page does it; headers on top of that."""
        # As a browser writes it, halves of characters included.
        return self.http.post(path, content=json.dumps(body), headers=self.page_headers | headers)

    def close(self) -> None:
        """Stop it, and wait for its end."""
        self.http.close()
        self._server.stop()
        wait_until(lambda: not self._server.is_running)
        self.board.delete()


@pytest.fixture
def make_site(tmp_path: Path, server: RedisServer) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(redis_url: str = server.url, **options: Any) -> Site:
        directory = tmp_path / f"run{len(sites)}"
        directory.mkdir()
        sites.append(Site(directory, redis_url, **options))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a server that answers, however busy the machine is. One that is away is asked again for so long."""
    for place in ("http.source.LOOK_SECONDS", "http.source.PING_SECONDS", "metrics.exposition.ASK_SECONDS"):
        monkeypatch.setattr(f"bananasd.{place}", 15.0)


@pytest.fixture
def site(make_site: Callable[..., Site], patient: None) -> Site:
    return make_site()


@pytest.fixture
def locked(make_site: Callable[..., Site], patient: None) -> Site:
    """One that asks for a token."""
    return make_site(token=TOKEN)


@pytest.fixture
def worker(server):
    """One who claims and settles in the default namespace."""
    connection = HeldConnection(Server(server.url, 5))
    store = Store(connection, "default")
    store.enter("node/1.1", "node", 60_000, {})
    yield Worker(store)
    connection.close()


class Worker:
    def __init__(self, store):
        self.store = store

    def claim(self):
        _, claim = self.store.settle_and_claim([], "node/1.1", "node", [LANE], 1)
        return claim.jobs[0]

    def bury(self, error="ValueError: no"):
        job = self.claim()
        self.store.settle([Buried("node/1.1", job.job_id, job.run, error)])
        return job.job_id

    def complete(self, result=b""):
        job = self.claim()
        self.store.settle([Completed("node/1.1", job.job_id, job.run, result)])
        return job.job_id


def bury(client, worker, count=1, name="charge", error="ValueError: no", payload=None):
    ids = []
    for _ in range(count):
        client.submit_job(name, payload or {})
        ids.append(worker.bury(error))
    return ids


def ids_of(answer):
    return [job["id"] for job in answer.json()["jobs"]]
