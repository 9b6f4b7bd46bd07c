"""Jobs as people follow them, and what they do to them."""

import os
import re
import signal
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from bananasd import Priority
from tests.conftest import wait_until
from tests.http.browser.conftest import confirm, open_page, tile

pytestmark = pytest.mark.timeout(120)


def test_a_job_arrives_runs_fails_and_is_brought_back_by_a_click(daemon, client, look, tmp_path):
    go, fail = tmp_path / "go", tmp_path / "fail"
    fail.touch()
    client.pause("default")
    page = look.at(daemon.page)
    expect(tile(page, "Ready")).to_have_text("0")
    # It arrives.
    job_id = client.submit_job("brew_coffee", {"go": str(go), "fail": str(fail)}, Priority.HIGH, "two cups")
    expect(tile(page, "Ready")).to_have_text("1")
    page.get_by_role("link", name="default high: 1").click()
    expect(page.get_by_role("row", name=re.compile("brew_coffee"))).to_contain_text("two cups")
    look.keep(page, "arrived")
    # It runs.
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Nothing waits in this lane.")).to_be_visible()
    open_page(page, "Overview")
    page.locator(".slots").get_by_role("link", name="brew_coffee").click()
    expect(page.locator(".page-head .pill")).to_have_text("processing")
    expect(page.get_by_text("1 of 4")).to_be_visible()
    expect(page.get_by_text("grinding")).to_be_visible()
    look.keep(page, "running")
    # It fails.
    go.touch()
    expect(page.locator(".page-head .pill")).to_have_text("failed")
    expect(page.get_by_text("ValueError: no water in the tank").first).to_be_visible()
    expect(page.get_by_text("Traceback (most recent call last)")).to_be_visible()
    look.keep(page, "failed")
    # It is brought back.
    open_page(page, "Dead")
    row = page.get_by_role("row", name=re.compile("brew_coffee"))
    expect(row).to_contain_text("no water in the tank")
    fail.unlink()
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#toast")).to_contain_text("Brought back 1 job")
    expect(page.get_by_text("No job is dead.")).to_be_visible()
    assert client.wait(job_id, 10).result == {"cups": 2}
    page.goto(f"{daemon.page}#/job/{job_id}")
    expect(page.locator(".page-head .pill")).to_have_text("completed")
    expect(page.get_by_label("Result")).to_contain_text('"cups": 2')
    assert daemon.lines("http action='retry'", job_id, "outcome='1'")


def test_a_queue_is_paused_and_resumed(daemon, client, look):
    client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    row = page.get_by_role("row", name=re.compile("default"))
    expect(page.get_by_role("columnheader", name="Jobs/s")).to_be_visible()
    expect(row.get_by_role("cell").nth(4)).to_have_text(re.compile(r"^(0|<?0\.\d)$"))
    row.get_by_role("button", name="Pause").click()
    confirm(page, "Until resumed")
    expect(row).to_contain_text("paused")
    assert client.paused() == {"default": None}
    job_id = client.submit_job("note", {})
    expect(tile(page, "Ready")).to_have_text("1")
    look.keep(page, "paused")
    row.get_by_role("button", name="Resume").click()
    expect(tile(page, "Ready")).to_have_text("0")
    expect(row).not_to_contain_text("paused")
    assert client.wait(job_id, 10).status == "completed"


def test_a_lane_that_nobody_serves_says_who_would(daemon, client, look):
    page = look.at(f"{daemon.page}#/queue/default/low")
    os.kill(daemon.pid, signal.SIGTSTP)
    try:
        wait_until(lambda: daemon.node.phase == "quiet")
        client.submit_job("note", {}, Priority.LOW)
        said = page.get_by_text("No live worker takes jobs of this lane")
        expect(said).to_be_visible(timeout=20_000)
        expect(page.get_by_text(f"is quiet ('kill -CONT {daemon.pid}' on")).to_be_visible()
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    expect(said).to_be_hidden(timeout=20_000)


def test_a_question_that_is_taken_back_changes_nothing(daemon, client, look):
    client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    page.get_by_role("button", name="Pause everything").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Pause everything").click()
    confirm(page, "Back")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert client.paused() == {}


def test_a_running_job_is_cancelled(daemon, client, look, tmp_path):
    job_id = client.submit_job("hold", {"until": str(tmp_path / "never")})
    daemon.worker_of(job_id)
    page = look.at(f"{daemon.page}#/job/{job_id}")
    page.get_by_role("button", name="Cancel").click()
    confirm(page, "Softly")
    expect(page.locator(".page-head .pill")).to_have_text("cancelled")


def test_a_job_for_later_is_cancelled(daemon, client, look):
    job_id = client.submit_job_scheduled("note", {}, Priority.LOW, timedelta(hours=1), "for later")
    page = look.at(f"{daemon.page}#/scheduled")
    row = page.get_by_role("row", name=re.compile("for later"))
    expect(row).to_contain_text("in 59 min")
    row.get_by_role("button", name="Cancel").click()
    confirm(page, "Cancel the job")
    expect(page.get_by_text("Nothing is due later.")).to_be_visible()
    assert client.get_job(job_id).status == "cancelled"


def test_dead_jobs_are_found_chosen_and_dealt_with_together(daemon, client, look):
    ids = [
        client.submit_job("fail", {"why": why}) for why in ("red", "green", "green", "blue", "blue", "blue")
    ]
    client.wait(ids, 10)
    page = look.at(f"{daemon.page}#/dead")
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(6)
    page.get_by_label("Text").fill("green")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    page.get_by_role("checkbox", name="Choose all shown").check()
    page.get_by_role("button", name="Delete chosen").click()
    confirm(page, "Delete")
    expect(page.get_by_text("No dead job matches.")).to_be_visible()
    page.get_by_label("Text").fill("blue")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Delete all that match").click()
    confirm(page, "Delete")
    expect(page.locator("#toast")).to_contain_text("Deleted 3 jobs")
    page.get_by_label("Text").fill("")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(1)
    assert [job.payload for job in client.dead_jobs()] == [{"why": "red"}]


def test_more_of_the_dead_are_shown_on_demand(daemon, client, look):
    client.wait([client.submit_job("fail", {"why": str(n)}) for n in range(60)], 20)
    page = look.at(f"{daemon.page}#/dead")
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(60)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
