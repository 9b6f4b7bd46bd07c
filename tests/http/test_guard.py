"""Who may ask, who may act, and what a browser may do with the answers."""

import re
from pathlib import Path

import pytest

import bananasd
from tests.http.conftest import ACTIONS, QUESTIONS

STATIC = Path(bananasd.__file__).parent / "http" / "static"


# What a browser may do


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/session", "/livez", "/nowhere", "/api/jobs/x"])
def test_every_answer_carries_the_headers_that_bind_a_browser(site, path):
    headers = site.http.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert {policy[name] for name in ("frame-ancestors", "base-uri")} == {"'none'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_scripts_and_styles_come_with_types_that_a_browser_runs(site):
    types = {
        path.name: site.http.get(f"/static/{path.name}").headers["content-type"] for path in STATIC.iterdir()
    }
    assert {name: kind for name, kind in types.items() if name.endswith(".js")} == {
        path.name: "text/javascript; charset=utf-8" for path in STATIC.glob("*.js")
    }
    assert types["style.css"] == "text/css; charset=utf-8"
    assert site.http.get("/").headers["content-type"] == "text/html; charset=utf-8"


def test_a_browser_keeps_files_but_asks_whether_they_are_still_right(site):
    first = site.http.get("/static/app.js")
    again = site.http.get("/static/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.headers["cache-control"], again.status_code, again.content) == ("no-cache", 304, b"")
    assert site.http.get("/api/session").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["..%2f__init__.py", "%2e%2e/guard.py", "../guard.py", "style.css%00", ".", "app.js/x"]
)
def test_nothing_but_the_files_of_the_pages_is_served(site, path):
    assert site.http.get(f"/static/{path}").status_code == 404


def test_the_pages_make_no_elements_of_text_and_need_nobody_else():
    """The policy would stop them; but what is not there cannot fail."""
    source = "\n".join(path.read_text() for path in STATIC.iterdir())
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "style=",
    ):
        assert word not in source
    assert set(re.findall(r"https?://[^\s\"'`]+", source)) == {"http://www.w3.org/2000/svg"}


# Without a token


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8580", "127.0.0.1.evil.example", "", "[::1", "localhost.", "10.0.0.1"],
)
def test_a_name_that_is_not_this_machines_is_refused(site, host):
    for path in ("/", "/api/session", "/api/scheduled"):
        answer = site.http.get(path, headers={"Host": host})
        assert answer.status_code in (400, 403)
        assert "csrf" not in answer.text.replace('"code": "csrf"', "")


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_a_name_of_this_machine_is_fine_at_whatever_port_as_through_a_tunnel(site, host):
    assert site.http.get("/api/session", headers={"Host": host}).status_code == 200


def test_a_probe_may_use_any_name(site):
    assert site.http.get("/livez", headers={"Host": "10.1.2.3:8580"}).status_code == 200


@pytest.mark.parametrize("kind", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", QUESTIONS)
def test_a_page_of_another_site_gets_no_answer(site, path, kind):
    assert site.http.get(path, headers={"Sec-Fetch-Site": kind}).status_code == 403


# Actions


@pytest.mark.parametrize("path", ACTIONS)
def test_an_action_needs_post(site, path):
    assert site.http.get(path).status_code == 405 or path == "/api/jobs/x/cancel"
    assert site.http.request("PUT", path, json={}, headers=site.page_headers).status_code == 405


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "127.0.0.1"]
)
def test_an_action_needs_the_origin_of_this_page(site, path, origin):
    headers = {"X-CSRF-Token": site.page_headers["X-CSRF-Token"]} | ({"Origin": origin} if origin else {})
    answer = site.http.post(path, json={}, headers=headers)
    assert answer.status_code == 403
    assert "Origin" in answer.json()["error"]


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("word", ["", "0" * 64, "ä"])
def test_an_action_needs_the_word_that_only_our_page_knows(site, path, word):
    answer = site.http.post(path, json={}, headers={"Origin": site.url, "X-CSRF-Token": word.encode()})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_nothing_is_changed_by_what_is_refused(site, client):
    job_id = client.submit_job("a", {})
    site.http.post(f"/api/jobs/{job_id}/cancel", json={}, headers={"Origin": "https://evil.example"})
    site.http.post("/api/queues/pause", json={"queue": None})
    assert client.get_job(job_id).status == "pending"
    assert client.paused() == {}


@pytest.mark.parametrize("path", ACTIONS)
def test_read_only_refuses_every_action_and_answers_every_question(make_site, path):
    site = make_site(read_only=True)
    answer = site.post(path, {})
    assert answer.status_code == 403
    assert "http.read_only" in answer.json()["error"]
    assert site.http.get("/api/session").json()["read_only"] is True
    assert site.http.get("/api/scheduled").status_code == 200


def test_a_body_without_end_is_not_read(site):
    def body():
        for _ in range(1000):
            yield b"x" * 10_000

    answer = site.http.post("/api/dead/purge", content=body(), headers=site.page_headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'"text"', b"NaN"])
def test_a_body_that_is_no_object_is_refused(site, body):
    assert site.http.post("/api/queues/resume", content=body, headers=site.page_headers).status_code == 400


@pytest.mark.parametrize(
    "host", ["x/livez?", "x/static/?", "x/livez#", "localhost/livez?", "127.0.0.1/static/x?"]
)
def test_a_host_that_looks_like_a_path_opens_no_door(locked, site, host):
    for path in ("/api/scheduled", "/api/dead"):
        assert locked.http.get(path, headers={"Host": host}).status_code in (400, 401)
    assert site.http.get("/api/session", headers={"Host": "evil.example/livez?"}).status_code in (400, 403)
