"""Pages for everybody: at a keyboard, on a phone, in the dark, with eyes or without."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from bananasd import Priority
from bananasd.schedule import Schedule
from tests.conftest import wait_until
from tests.http.browser.conftest import PHONE, heading, tile

pytestmark = pytest.mark.timeout(120)


def test_an_empty_system_shows_what_to_do_first(daemon, look):
    page = look.at(daemon.page)
    expect(page.get_by_role("heading", name="Nothing has been submitted yet")).to_be_visible()
    expect(page.get_by_label("Submit a job, and wait for it")).to_contain_text(
        "bananasd submit NAME --payload"
    )
    look.keep(page, "empty")
    with daemon.client() as client:
        client.submit_job("note", {})
    expect(page.get_by_role("heading", name="Nothing has been submitted yet")).to_have_count(0)


def test_a_job_is_found_by_its_id(daemon, client, look):
    job_id = client.submit_job("note", {})
    page = look.at(daemon.page)
    page.get_by_role("searchbox", name="Job id").fill(f" {job_id} ")
    page.keyboard.press("Enter")
    expect(heading(page, "note")).to_be_visible()
    page.get_by_role("searchbox", name="Job id").fill("no such job")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("want a UUID")


def test_it_is_used_without_a_mouse_and_keeps_the_focus_while_it_changes(daemon, client, look):
    client.submit_and_wait("note", {}, wait_seconds=10)
    page = look.at(daemon.page)
    expect(page.get_by_role("row", name=re.compile("default"))).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    pause = page.get_by_role("row", name=re.compile("default")).get_by_role("button", name="Pause")
    pause.focus()
    client.submit_job("hold", {"until": str(daemon.directory / "never")})
    expect(tile(page, "Running")).to_have_text("1")
    expect(pause).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(pause).to_be_focused()
    # A page that was gone to by a link begins at its heading.
    page.get_by_role("link", name="Nodes").first.focus()
    page.keyboard.press("Enter")
    expect(heading(page, "Nodes")).to_be_focused()


def test_what_is_typed_and_unfolded_stays_while_the_page_changes(daemon, client, look):
    client.wait(client.submit_job("fail", {"why": "no"}), 10)
    page = look.at(f"{daemon.page}#/dead")
    page.get_by_label("Name", exact=True).fill("half a wo")
    client.wait(client.submit_job("fail", {"why": "again"}), 10)
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_label("Name", exact=True)).to_have_value("half a wo")


def test_an_address_that_changes_while_the_page_begins_is_followed(daemon, look):
    page = look.at(daemon.page)
    held = []
    page.route("**/api/session", lambda route: held.append(route))  # noqa: PLW0108 - no method of a list will do
    page.reload()
    wait_until(lambda: held or page.wait_for_timeout(10))
    page.goto(f"{daemon.page}#/nodes")
    held.pop().continue_()
    expect(heading(page, "Nodes")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("worker 0"))).to_be_visible()


def test_every_page_fits_a_phone(daemon, client, look, tmp_path):
    page = look.at(daemon.page, viewport=PHONE, has_touch=True)
    for path, title, name in pages_of(daemon, client, tmp_path):
        page.goto(daemon.page + path)
        wait_for(page, title)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        look.keep(page, f"phone-{name}")


def test_what_to_do_first_fits_a_phone(daemon, look):
    page = look.at(daemon.page, viewport=PHONE, has_touch=True)
    expect(page.get_by_role("heading", name="Nothing has been submitted yet")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    look.keep(page, "phone-empty")


def test_on_a_phone_what_can_be_done_is_seen_without_scrolling_aside(daemon, client, look, tmp_path):
    page = look.at(daemon.page, viewport=PHONE, has_touch=True)
    pages = {name: (path, title) for path, title, name in pages_of(daemon, client, tmp_path)}
    for name in ("overview", "queue", "scheduled", "dead"):
        path, title = pages[name]
        page.goto(daemon.page + path)
        wait_for(page, title)
        for button in page.locator("td.act button").all():
            box = button.bounding_box()
            assert box["x"] + box["width"] <= PHONE["width"], f"{name}: {button.inner_text()}"


COVERED = """() => {
  const found = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const clip = (box, around) => ({
    left: Math.max(box.left, around.left), right: Math.min(box.right, around.right),
    top: Math.max(box.top, around.top), bottom: Math.min(box.bottom, around.bottom),
  });
  while (words.nextNode()) {
    const text = words.currentNode, range = document.createRange();
    if (!text.data.trim() || text.parentElement.closest(".hidden, .skip, script, style, option")) continue;
    range.selectNodeContents(text);
    for (let box of range.getClientRects()) {
      for (let node = text.parentElement; node; node = node.parentElement)
        if (getComputedStyle(node).overflowX !== "visible") box = clip(box, node.getBoundingClientRect());
      if (box.right - box.left < 4 || box.bottom - box.top < 4) continue;
      for (const x of [box.left + 2, (box.left + box.right) / 2, box.right - 2]) {
        const hit = document.elementFromPoint(x, (box.top + box.bottom) / 2);
        if (hit && !hit.contains(text)) found.push(`${text.data.trim()} is under ${hit.outerHTML.slice(0, 80)}`);
      }
    }
  }
  return [...new Set(found)];
}"""
"""Words that are in sight but for something that lies on them."""


@pytest.mark.parametrize("width", [320, 375, 480])
def test_on_a_phone_nothing_lies_on_the_words_of_another(daemon, client, look, tmp_path, width):
    # All of a page is in sight, for only that can be hit.
    page = look.at(daemon.page, viewport={"width": width, "height": 2000}, has_touch=True)
    found = []
    for path, title, name in pages_of(daemon, client, tmp_path):
        page.goto(daemon.page + path)
        wait_for(page, title)
        found += [f"{name}: {fault}" for fault in page.evaluate(COVERED)]
    assert found == []


def test_on_a_phone_the_link_of_this_page_is_in_view(daemon, look):
    page = look.at(f"{daemon.page}#/nodes", viewport=PHONE, has_touch=True)
    links = page.get_by_role("navigation", name="Pages")
    expect(links.get_by_role("link", name="Nodes")).to_be_in_viewport(ratio=0.9)
    page.get_by_role("link", name="bananasd").click()
    expect(links.get_by_role("link", name="Overview")).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_any_page(daemon, client, look, tmp_path, axe, scheme):
    found = []
    page = look.at(daemon.page, is_dark=scheme == "dark")
    for path, title, name in pages_of(daemon, client, tmp_path):
        page.goto(daemon.page + path)
        wait_for(page, title)
        look.keep(page, f"{scheme}-{name}")
        found += [f"{name}: {fault}" for fault in axe(page)]
    page.goto(daemon.page + "#/")
    page.get_by_role("button", name="Pause everything").click()
    found += [f"dialog: {fault}" for fault in axe(page)]
    look.keep(page, f"{scheme}-dialog")
    assert found == []


def wait_for(page, title):
    expect(heading(page, title)).to_be_visible()
    expect(page.get_by_role("row").or_(page.locator(".history")).first).to_be_visible()


def pages_of(daemon, client, tmp_path):
    """Every page, with something on it."""
    dead = client.submit_job(
        "fail", {"why": "card declined: insufficient funds"}, Priority.HIGH, "order 4711"
    )
    done = client.submit_job("note", {"result": {"sent": 3}}, Priority.NORMAL, "a note")
    client.wait([dead, done], 10)
    running = client.submit_job(
        "brew_coffee", {"go": str(tmp_path / "never"), "fail": ""}, Priority.NORMAL, "two cups"
    )
    daemon.worker_of(running)
    client.submit_job_scheduled("note", {}, Priority.NORMAL, timedelta(hours=2), "a reminder")
    client.put_schedule(
        Schedule(name="nightly-report", job="note", cron="30 3 * * *", timezone="Europe/Berlin")
    )
    client.pause("reports")
    for n in range(3):
        client.submit_job(
            "build_report",
            {"month": n},
            Priority(["high", "normal", "low"][n]),
            "month by month",
            queue="reports",
        )
    return [
        ("#/", "Overview", "overview"),
        ("#/queue/reports/high", "Queue reports", "queue"),
        (f"#/job/{dead}", "fail", "job-dead"),
        (f"#/job/{done}", "note", "job-done"),
        (f"#/job/{running}", "brew_coffee", "job-running"),
        ("#/scheduled", "Scheduled", "scheduled"),
        ("#/dead", "Dead letters", "dead"),
        ("#/schedules", "Schedules", "schedules"),
        ("#/nodes", "Nodes", "nodes"),
    ]
