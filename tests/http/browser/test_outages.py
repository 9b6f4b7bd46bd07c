"""Pages while the server, or the process that serves them, is away."""

import os
import re
import signal
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from bananasd.http.live import MAX_WATCHERS
from tests.conftest import wait_until
from tests.http.browser.conftest import confirm
from tests.http.web import Web

pytestmark = pytest.mark.timeout(120)


def test_the_page_says_that_redis_is_away_and_goes_on_when_it_is_back(start, own_server, look):
    daemon = start(own_server.url)
    with daemon.client() as client:
        client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    row = page.get_by_role("row", name=re.compile("default"))
    expect(row).to_be_visible()
    own_server.stop()
    expect(page.locator("#banner")).to_contain_text("Redis does not answer.")
    # What was last known is still there, and the processes are as live as ever.
    expect(row).to_be_visible()
    expect(page.locator(".node")).to_contain_text("running")
    look.keep(page, "no-redis")
    own_server.start()
    expect(page.locator("#banner")).to_be_empty()
    with daemon.client() as client:
        client.pause("default")
    expect(row).to_contain_text("paused")


def test_pages_that_are_opened_during_an_outage_fill_when_it_is_over(start, own_server, look):
    daemon = start(own_server.url)
    own_server.stop()
    paths = ("#/", "#/dead", "#/scheduled", "#/schedules", "#/queue/default", "#/nodes")
    pages = [look.at(daemon.page + path) for path in paths]
    for page in pages:
        expect(page.locator("#banner")).to_contain_text("Redis does not answer.")
    own_server.start()
    for page in pages:
        expect(page.locator("#banner")).to_be_empty()
        expect(page.locator("main").locator(".empty, table, .first").first).to_be_visible()


def test_a_page_that_is_one_too_many_says_so_and_goes_on_when_another_is_closed(daemon, look):
    web = Web(int(daemon.page.rpartition(":")[2].rstrip("/")))
    with ExitStack() as others:
        for _ in range(MAX_WATCHERS):
            next(others.enter_context(web.watching()))
        page = look.at(daemon.page)
        banner = page.locator("#banner")
        expect(banner).to_contain_text(f"{MAX_WATCHERS} pages are open")
        expect(banner).to_contain_text("Close one that nobody needs")
        look.keep(page, "one-too-many")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    expect(banner).to_be_empty()


def test_the_page_says_that_its_own_process_is_away_and_goes_on_with_the_next(daemon, client, look):
    page = look.at(daemon.page)
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    os.kill(daemon.child("http").pid, signal.SIGSTOP)
    expect(page.locator("#banner")).to_contain_text("The daemon does not answer.")
    os.kill(daemon.child("http").pid, signal.SIGKILL)
    expect(page.locator("#banner")).to_be_empty()
    # Its word is another one now: the page gets that by itself.
    page.get_by_role("button", name="Pause everything").or_(
        page.get_by_text("Nothing has been submitted")
    ).first.wait_for()
    client.submit_and_wait("note", {}, wait_seconds=10)
    page.get_by_role("button", name="Pause everything").click()
    confirm(page, "Until resumed")
    wait_until(lambda: client.paused() == {"*": None})


def about_to_pause(daemon, look):
    """A page that waits for the last word, of a daemon that has done such things before."""
    with daemon.client() as client:
        client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    page.get_by_role("button", name="Pause everything").click()
    confirm(page, "Until resumed")
    page.get_by_role("button", name="Resume everything").click()
    page.get_by_role("button", name="Pause everything").click()
    return page


def test_a_page_does_not_say_that_something_failed_of_which_nobody_knows(start, own_server, look):
    page = about_to_pause(start(own_server.url), look)
    # It answers, but is slow to do it.
    own_server.call("CLIENT", "PAUSE", 20_000, "WRITE")
    confirm(page, "Until resumed")
    expect(page.locator("#toast")).to_contain_text("Nobody knows whether it was done")
    expect(page.locator("#toast")).to_contain_text("look before you repeat it")
    own_server.call("CLIENT", "UNPAUSE")


def test_a_page_says_that_nothing_was_done_while_redis_was_away(start, own_server, look):
    page = about_to_pause(start(own_server.url), look)
    own_server.stop()
    confirm(page, "Until resumed")
    expect(page.locator("#toast")).to_contain_text("Not done: ")


def test_what_was_sent_to_a_daemon_that_does_not_answer_may_have_got_there(daemon, client, look):
    client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    page.route("**/api/queues/pause", lambda route: route.abort())
    page.get_by_role("button", name="Pause everything").click()
    confirm(page, "Until resumed")
    expect(page.locator("#toast")).to_contain_text(
        "Nobody knows whether it was done: the daemon does not answer"
    )


def test_the_page_tells_a_server_that_refuses_from_one_that_does_not_answer(start, own_server, look):
    daemon = start(own_server.url)
    own_server.call("SET", "{bananas:default}:stats", "x")
    page = look.at(daemon.page)
    expect(page.locator("#banner")).to_contain_text("Redis answers, but not with what is asked for.")
    expect(page.locator("#banner")).to_contain_text("WRONGTYPE")
    expect(page.locator("#banner")).not_to_contain_text("does not answer")
    expect(page.get_by_text("refused", exact=True)).to_be_visible()
    own_server.call("DEL", "{bananas:default}:stats")
    expect(page.locator("#banner")).to_be_empty()


def test_a_list_that_is_refused_says_so_though_nothing_else_is(start, own_server, look):
    daemon = start(own_server.url)
    own_server.call("SET", "{bananas:default}:schedules", "x")
    page = look.at(f"{daemon.page}#/schedules")
    expect(page.get_by_role("alert")).to_contain_text("WRONGTYPE")
    expect(page.locator("#banner")).to_be_empty()
    own_server.call("DEL", "{bananas:default}:schedules")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("main .empty")).to_be_visible()
