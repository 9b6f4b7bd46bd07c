"""A dashboard in this process, over a real server, asked over a real socket."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bananasd.http.dashboard import Dashboard
from bananasd.http.server import WebServer, listen
from bananasd.http.source import Source
from bananasd.processes.board import Board
from bananasd.settings import HttpConfig
from bananasd.store.access import Access
from bananasd.store.connection import Server
from bananasd.store.store import Retention
from tests.conftest import RedisServer, wait_until
from tests.sentinels import free_port

TOKEN = "correct-horse-battery-staple"


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
        return self.http.post(path, json=body, headers=self.page_headers | headers)

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
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
