"""A dashboard that asks for a token: who gets in, for how long, and who does not."""

from pathlib import Path

import pytest

import bananasd
from bananasd.http.keys import SESSION_SECONDS
from tests.http.conftest import ACTIONS, QUESTIONS, TOKEN


def log_in(site, token=TOKEN, **headers):
    return site.http.post("/api/login", json={"token": token}, headers={"Origin": site.url, **headers})


@pytest.mark.parametrize("path", QUESTIONS)
def test_without_the_token_nothing_is_answered(locked, path):
    assert locked.http.get(path).status_code == 401
    assert locked.http.get(path, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert locked.http.get(path, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


@pytest.mark.parametrize("path", ACTIONS)
def test_without_the_token_nothing_is_done(locked, path):
    assert locked.http.post(path, json={}, headers=locked.page_headers).status_code == 401


def test_what_is_new_needs_the_token_too(locked):
    """Whatever is added is closed unless somebody opens it."""
    assert locked.http.get("/metrics").status_code == 401
    assert locked.http.get("/api/nowhere").status_code == 401


def test_probes_and_the_files_of_the_pages_need_no_token(locked):
    assert {locked.http.get(path).status_code for path in ("/", "/static/app.js", "/livez")} == {200}
    assert locked.http.get("/readyz").status_code in (200, 503)
    assert locked.http.get("/api/session").json() == {"is_known": False, "needs_token": True}


def test_a_program_sends_the_token_and_may_act_without_a_page(locked, client, caplog):
    caplog.set_level("INFO")
    bearer = {"Authorization": f"bearer {TOKEN}"}
    assert locked.http.get("/api/scheduled", headers=bearer).status_code == 200
    assert locked.http.post("/api/queues/pause", json={"queue": "default"}, headers=bearer).status_code == 200
    assert client.paused() == {"default": None}
    assert "/token outcome='done'" in caplog.text


def test_who_logs_in_gets_a_session_that_no_script_and_no_other_site_can_use(locked):
    answer = log_in(locked)
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_SECONDS}"):
        assert word.lower() in cookie.lower()
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert locked.http.get("/api/scheduled").status_code == 200
    assert locked.post("/api/queues/pause", {"queue": "default"}).status_code == 200


def test_behind_tls_the_session_stays_there(locked):
    headers = {"Origin": f"https://{locked.config.listen}"}
    assert (
        "Secure"
        in locked.http.post("/api/login", json={"token": TOKEN}, headers=headers).headers["set-cookie"]
    )


def test_a_session_needs_the_word_of_its_page_and_that_of_another_session_will_not_do(locked):
    log_in(locked)
    before = locked.page_headers
    assert locked.http.post("/api/queues/resume", json={}, headers={"Origin": locked.url}).status_code == 403
    locked.http.cookies.clear()
    assert locked.http.post("/api/queues/resume", json={}, headers=before).status_code == 401


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é" * 20, None, 5, [TOKEN]])
def test_a_wrong_token_is_refused_slowly_and_told_to_the_log_without_it(locked, token, caplog):
    answer = log_in(locked, token)
    assert answer.status_code == 401
    assert answer.elapsed.total_seconds() >= 1
    assert "set-cookie" not in answer.headers
    assert "http login refused who=127.0.0.1:" in caplog.text
    assert not isinstance(token, str) or not token or token not in caplog.text


def test_a_login_from_another_site_is_refused(locked):
    assert log_in(locked, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    "forged", ["", "1", "99999999999.", "99999999999.0", "99999999999." + "0" * 64, "x.y", "²." + "0" * 64]
)
def test_a_session_cannot_be_made_up(locked, forged):
    cookie = f"{locked.dashboard.keyring.cookie}={forged}".encode()
    assert locked.http.get("/api/scheduled", headers={"Cookie": cookie}).status_code == 401


def test_a_session_ends(locked, monkeypatch):
    log_in(locked)
    later = bananasd.clock.now_ms() + SESSION_SECONDS * 1000 + 1000
    monkeypatch.setattr("bananasd.http.keys.clock.now_ms", lambda: later)
    assert locked.http.get("/api/scheduled").status_code == 401


def test_a_session_ends_with_the_token_that_opened_it(locked, make_site):
    log_in(locked)
    (value,) = locked.http.cookies.values()
    other = make_site(token=TOKEN + "2")
    cookie = f"{other.dashboard.keyring.cookie}={value}"
    assert other.http.get("/api/scheduled", headers={"Cookie": cookie}).status_code == 401


def test_who_logs_out_is_out(locked):
    log_in(locked)
    assert locked.post("/api/logout", {}).status_code == 200
    assert locked.http.get("/api/scheduled").status_code == 401


def test_a_copy_of_a_session_outlives_its_logout_as_the_security_page_says(locked):
    log_in(locked)
    (value,) = locked.http.cookies.values()
    locked.post("/api/logout", {})
    copy = {"Cookie": f"{locked.dashboard.keyring.cookie}={value}"}
    assert locked.http.get("/api/scheduled", headers=copy).status_code == 200
    page = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    assert "a copy of it is good until its 12 h are over" in page
    assert SESSION_SECONDS == 12 * 3600


def test_with_a_token_any_name_will_do_as_behind_a_proxy(locked):
    headers = {"Host": "jobs.example.org", "Authorization": f"Bearer {TOKEN}"}
    assert locked.http.get("/api/scheduled", headers=headers).status_code == 200


def test_no_answer_and_no_line_of_the_log_holds_the_token(locked, caplog):
    caplog.set_level("DEBUG")
    log_in(locked)
    texts = [
        locked.http.get(path).text for path in ("/", "/api/session", "/api/scheduled", "/readyz", "/nowhere")
    ]
    assert TOKEN not in "".join(texts) + caplog.text
