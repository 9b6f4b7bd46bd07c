"""What a page does with what others have written, and what it asks of those who look at it."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from bananasd import Priority
from bananasd.schedule import Schedule
from bananasd.store.keys import Keys
from tests.http.browser.conftest import NASTY, confirm, heading, open_page
from tests.http.conftest import TOKEN

pytestmark = pytest.mark.timeout(120)
KEYS = Keys("default")


def test_what_comes_from_jobs_is_only_ever_text(daemon, client, look):
    job_id = client.submit_job(NASTY, {NASTY: [NASTY]}, Priority.NORMAL, NASTY, unique_key=NASTY)
    client.wait(job_id, 10)
    client.submit_job_scheduled(NASTY, {}, Priority.NORMAL, timedelta(hours=1), NASTY)
    client.put_schedule(Schedule(name=NASTY, job=NASTY, every="1h", description=NASTY))
    page = look.at(daemon.page)
    for path, title in (
        ("#/dead", "Dead letters"),
        ("#/scheduled", "Scheduled"),
        ("#/schedules", "Schedules"),
        (f"#/job/{job_id}", NASTY),
    ):
        page.goto(daemon.page + path)
        expect(heading(page, title)).to_be_visible()
        expect(page.locator("main").get_by_text(NASTY).first).to_be_visible()
        assert page.locator("main img, main script").count() == 0


def test_signs_that_turn_a_text_around_are_shown_and_do_nothing(daemon, client, look):
    name = "pay\u202ednufer\u2066!"
    job_id = client.submit_job(name, {"to": name}, max_retries=0)
    client.wait(job_id, 10)
    page = look.at(f"{daemon.page}#/job/{job_id}")
    expect(heading(page, r"pay\u202ednufer\u2066!")).to_be_visible()
    expect(page.get_by_label("Payload")).to_contain_text(r"pay\u202ednufer\u2066!")
    assert not {"\u202e", "\u2066"} & set(page.locator("body").inner_text())


def test_an_address_is_only_ever_text(daemon, look):
    page = look.at(daemon.page)
    for name in ("job", "queue", "no-such-page", "constructor"):
        page.goto(f"{daemon.page}#/{name}/{NASTY}/%E0%A4%A")
        page.reload()
        expect(page.locator("h1")).to_be_visible()
        if name in ("job", "queue"):
            expect(page.get_by_role("alert")).to_contain_text("want")
        assert page.locator("main img, main script").count() == 0


def test_read_only_shows_everything_and_offers_nothing(start, look):
    daemon = start(read_only=True)
    with daemon.client() as client:
        dead = client.submit_job("fail", {"why": "no"})
        client.wait(dead, 10)
    page = look.at(daemon.page)
    expect(page.get_by_text("read-only")).to_be_visible()
    for path, title in (
        ("#/", "Overview"),
        ("#/dead", "Dead letters"),
        (f"#/job/{dead}", "fail"),
        ("#/queue/default", "Queue default"),
    ):
        page.goto(daemon.page + path)
        expect(heading(page, title)).to_be_visible()
        expect(page.get_by_role("row").or_(page.locator(".history, .empty")).first).to_be_visible()
        assert {button.inner_text() for button in page.get_by_role("button").all()} <= {"Find"}
        assert page.get_by_role("checkbox").count() == 0


def test_the_token_is_asked_for_and_lets_in(start, look, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    daemon = start(token_file=str(tmp_path / "token"))
    page = look.at(f"{daemon.page}#/nodes")
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type("something else")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("this is not the token")
    look.keep(page, "login")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(heading(page, "Nodes")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("worker 0"))).to_be_visible()
    page.reload()
    expect(heading(page, "Nodes")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()


def test_names_and_ids_that_are_no_text_blank_no_page(start, own_server, look):
    daemon = start(own_server.url)
    prefix = KEYS.prefix.encode()
    own_server.call("SADD", KEYS.queues, b"\xff<b>")
    own_server.call("RPUSH", prefix + b"ready:\xff<b>:high", b"\xff<b>")
    own_server.call("RPUSH", prefix + b"ready:default:low", b"\xff<b>")
    own_server.call("LPUSH", prefix + b"wake:default:low", b"1")
    page = look.at(daemon.page)
    page.get_by_role("link", name=re.compile("<b>$")).first.click()
    expect(heading(page, re.compile("^Queue .*<b>$"))).to_be_visible()
    page.goto(f"{daemon.page}#/dead")
    row = page.get_by_role("row", name=re.compile("<b>"))
    expect(row).to_contain_text("missing or unreadable")
    expect(row.locator("a.name")).to_have_count(0)
    page.goto(f"{daemon.page}#/job/%FF")
    expect(heading(page, "Job")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("want a UUID")


def test_a_page_that_cannot_be_drawn_says_so_and_the_others_go_on(daemon, look):
    page = look.at(daemon.page)
    page.route(
        "**/api/schedules",
        lambda route: route.fulfill(body='{"schedules": [null]}', content_type="text/json"),
    )
    open_page(page, "Schedules")
    expect(heading(page, "Schedules")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("cannot be shown")
    open_page(page, "Nodes")
    expect(page.get_by_role("row", name=re.compile("worker 0"))).to_be_visible()
    assert look.faults and all("TypeError" in fault for fault in look.faults)
    look.faults.clear()


def test_an_address_that_leads_nowhere_says_so(daemon, look):
    page = look.at(daemon.page)
    for path in ("queue", "queue/", "job", "no-such-page", "constructor"):
        page.goto(f"{daemon.page}#/{path}")
        page.reload()
        expect(heading(page, "There is no such page")).to_be_visible()
        assert page.locator("main button").count() == 0
        page.locator("main").get_by_role("link", name="overview").click()
        expect(heading(page, "Overview")).to_be_visible()


def test_a_dead_letter_has_a_link_if_a_page_can_show_it(start, own_server, look):
    in_capitals = "6F1C8E52-2F0E-4A55-9A3E-0A1B2C3D4E5F"
    shown = ["a/b", "a%2Fb?#", "../x", in_capitals]
    daemon = start(own_server.url)
    for job_id in (*shown, "", ".", "..", "\udcff\udcfe", "x" * 100_000):
        # As a worker buries what it finds in a lane.
        own_server.call("HSET", KEYS.job(job_id), "status", "failed", "error", "no")
        own_server.call("ZADD", KEYS.dead, 1, job_id)
    page = look.at(f"{daemon.page}#/dead")
    expect(page.get_by_text("(empty id)")).to_be_visible()
    links = page.locator("main a.name")
    assert {link.inner_text() for link in links.all()} == set(shown)
    for job_id in shown:
        page.goto(f"{daemon.page}#/dead")
        page.get_by_role("link", name=job_id, exact=True).click()
        expect(page.locator("main p code")).to_have_text(job_id)
    page.get_by_role("button", name="Delete").click()
    confirm(page, "Delete")
    expect(page.get_by_role("link", name="a/b", exact=True)).to_be_visible()
    assert own_server.call("ZSCORE", KEYS.dead, in_capitals) is None


def test_a_dead_letter_that_is_no_job_is_deleted_on_its_page(start, own_server, look):
    daemon = start(own_server.url)
    own_server.call("ZADD", KEYS.dead, 1, "not-a-uuid")
    own_server.call("ZADD", KEYS.dead, 1, b"\xff<b>")
    page = look.at(f"{daemon.page}#/dead")
    page.get_by_role("row", name=re.compile("<b>")).get_by_role("button", name="Delete").click()
    confirm(page, "Delete")
    expect(page.get_by_role("row", name=re.compile("<b>"))).to_have_count(0)
    page.get_by_role("button", name="Delete all").click()
    confirm(page, "Delete")
    expect(page.get_by_text("No job is dead.")).to_be_visible()
    assert own_server.call("ZCARD", KEYS.dead) == 0
