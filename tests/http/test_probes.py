"""Probes are answered whatever the pages wait for, and say each thing that keeps the daemon from its work."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from bananasd.http.health import LIVE_SECONDS, NO_ANSWER, REFUSES, reasons_not_ready
from bananasd.http.probe import Probe
from bananasd.http.source import Source
from bananasd.processes.views import ChildView, NodeView
from tests.conftest import wait_until

THREADS = 40
"""As many starlette has for all that blocks."""


@contextmanager
def every_thread_taken(site, monkeypatch):
    """By pages that wait for a server that hangs."""
    go_on, waiting = threading.Event(), []

    def hang(_source):
        waiting.append(1)
        go_on.wait(30)
        raise ValueError("it did not come back")

    monkeypatch.setattr(Source, "listing", property(hang))
    with ThreadPoolExecutor(THREADS + 20) as pages:
        for _ in range(THREADS + 20):
            pages.submit(site.http.get, "/api/dead", timeout=60)
        try:
            wait_until(lambda: len(waiting) >= THREADS)
            yield
        finally:
            go_on.set()


def test_probes_wait_for_no_page_that_waits_for_the_server(site, monkeypatch):
    with every_thread_taken(site, monkeypatch), site.visitor() as probe:
        assert "the Redis server does not answer" not in probe.get("/readyz").json()["reasons"]
        assert probe.get("/livez").status_code in (200, 503)


def test_those_who_watch_wait_for_no_page_that_waits_for_the_server(site, monkeypatch):
    live = site.http.stream("GET", "/api/live")
    with every_thread_taken(site, monkeypatch), live as stream:
        snapshots = (line for line in stream.iter_lines() if line.startswith("data: "))
        assert '"has_answered": true' in next(snapshots)
        assert next(snapshots)


def test_a_server_that_refuses_is_told_from_one_that_does_not_answer(make_site, own_server):
    own_server.call("CONFIG", "SET", "requirepass", "secret")
    site = make_site(own_server.url)
    wait_until(lambda: REFUSES in site.http.get("/readyz").json()["reasons"])
    own_server.stop()
    assert NO_ANSWER in site.http.get("/readyz").json()["reasons"]


def test_probes_that_come_together_share_one_question():
    asked = []

    async def ask():
        go_on = threading.Event()
        probe = Probe(lambda: asked.append(1) or (go_on.wait(10) and NO_ANSWER))
        probes = [asyncio.create_task(probe.server_trouble()) for _ in range(20)]
        await asyncio.sleep(0)
        probes.pop().cancel()
        go_on.set()
        assert await asyncio.gather(*probes) == [NO_ANSWER] * 19
        assert len(asked) == 1
        assert await probe.server_trouble() == NO_ANSWER
        assert len(asked) == 2

    asyncio.run(ask())


def child(kind, state="up", slot="a", server="there"):
    return ChildView(slot, kind, 1, state, 1.0, "", "", None, 0, 0, 0, 0, "", None, 1, False, server=server)


def reasons(*children, phase="running", silent_seconds=0.0, server_trouble=""):
    node = NodeView("n1", 1, True, False, phase, 1.0, len(children), list(children))
    return list(reasons_not_ready(node, silent_seconds, server_trouble))


def test_with_a_scheduler_and_one_worker_of_several_it_is_ready():
    assert reasons(child("scheduler"), child("worker"), child("worker", "backoff", "b")) == []


@pytest.mark.parametrize("state", ["starting", "backoff", "fatal", "left"])
def test_a_scheduler_that_is_not_up_keeps_it_from_being_ready(state):
    assert reasons(child("scheduler", state), child("worker")) == ["the scheduler is not up"]


def test_no_scheduler_at_all_keeps_it_from_being_ready():
    assert reasons(child("worker"), child("http")) == ["the scheduler is not up"]


def test_workers_of_which_none_is_up_keep_it_from_being_ready():
    workers = [
        child("worker", state, slot) for state, slot in (("backoff", "a"), ("starting", "b"), ("left", "b"))
    ]
    assert reasons(child("scheduler"), *workers) == ["no worker is up, of 2"]


@pytest.mark.parametrize("server", ["lost", "unknown"])
def test_a_server_that_answers_the_probe_alone_keeps_it_from_being_ready(server):
    lost = [
        child("scheduler", server=server),
        child("worker", server=server),
        child("worker", "backoff", "b"),
    ]
    assert reasons(*lost) == [
        "the scheduler does not reach the Redis server",
        "no worker reaches the Redis server, of 1 that are up",
    ]
    assert reasons(*lost, server_trouble=REFUSES) == ["the Redis server refuses"]
    assert reasons(child("scheduler"), child("worker"), child("worker", slot="b", server=server)) == []


def test_all_that_is_wrong_is_told_at_once():
    told = reasons(phase="draining", silent_seconds=LIVE_SECONDS, server_trouble=NO_ANSWER)
    assert told == [
        "the master has not turned its loop for 5 s",
        "the daemon drains",
        "the scheduler is not up",
        "no worker is up, of 0",
        "the Redis server does not answer",
    ]
