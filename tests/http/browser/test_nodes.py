"""Nodes and what their workers run, while they come and go."""

import json
import os
import signal

import pytest
from playwright.sync_api import expect

from bananasd.store.connection import HeldConnection, Server
from bananasd.store.store import Store
from tests.conftest import wait_until

pytestmark = pytest.mark.timeout(120)


def test_a_worker_that_ends_its_job_during_a_reload_is_shown_beside_the_next_one(
    daemon, client, look, tmp_path
):
    running = client.submit_job("brew_coffee", {"go": str(tmp_path / "go"), "fail": ""})
    busy = daemon.worker_of(running)
    page = look.at(daemon.page)
    job = page.locator(".slots").get_by_role("link", name="brew_coffee")
    expect(job).to_be_visible()
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: len([child for child in daemon.children() if child.slot == busy.slot]) == 2)
    expect(page.locator(".slots li")).to_have_count(3)
    expect(job).to_be_visible()
    (tmp_path / "go").touch()
    expect(page.locator(".slots li")).to_have_count(2)


def test_of_a_lost_node_nothing_is_shown_as_running(daemon, look):
    told = {
        "host": "far",
        "children": [{"slot": "worker 0", "pid": 7, "state": "up", "job": {"id": "x", "name": "sing"}}],
    }
    connection = HeldConnection(Server(daemon.url, 5))
    Store(connection, "default").beat("far-1", 1, json.dumps(told).encode(), [])
    connection.close()
    page = look.at(daemon.page)
    card = page.locator(".node", has_text="far")
    expect(card).to_contain_text("lost")
    expect(card).to_contain_text("heard of")
    expect(card).not_to_contain_text("busy")
    expect(card).not_to_contain_text("sing")
    page.goto(f"{daemon.page}#/nodes")
    expect(page.get_by_role("row", name="worker 0").filter(has_text="sing")).to_contain_text("was up")
    look.keep(page, "lost-node")
