"""What the pages ask and do, and what becomes of it."""

import io
import logging
import signal
from datetime import timedelta

import pytest

from bananasd import Priority, Status
from bananasd.schedule import Schedule
from bananasd.store.outcomes import Completed
from tests.conftest import wait_until
from tests.daemon import halt
from tests.http.conftest import bury, ids_of

UNKNOWN = "00000000-0000-0000-0000-000000000000"

# Questions


def test_a_job_is_told_whole(site, client, worker):
    job_id = client.submit_job("mail", {"to": "ada", "n": 2**62}, Priority.NORMAL, "a mail", max_retries=3)
    worker.complete(b'{"sent": 1}')
    told = site.http.get(f"/api/jobs/{job_id}").json()
    assert {name: told[name] for name in ("id", "name", "description", "status", "queue", "priority", "run")} == {
        "id": job_id, "name": "mail", "description": "a mail", "status": "completed", "queue": "default",
        "priority": "normal", "run": 1,
    }  # fmt: skip
    # As text: a browser would make another number of it.
    assert told["payload"] == '{\n  "to": "ada",\n  "n": 4611686018427387904\n}'
    assert told["result"] == '{\n  "sent": 1\n}'
    assert told["created_at"] <= told["started_at"] <= told["finished_at"]


def test_an_error_is_told_with_its_last_line(site, client, worker):
    (job_id,) = bury(client, worker, error="Traceback (most recent call last):\n  …\nValueError: no")
    told = site.http.get(f"/api/jobs/{job_id}").json()
    assert (told["error_line"], told["error"].splitlines()[0]) == (
        "ValueError: no",
        "Traceback (most recent call last):",
    )


def test_no_page_shows_the_secret_of_a_url_in_an_error_or_finds_it(site, client, worker):
    (job_id,) = bury(client, worker, error="Traceback:\nValueError: redis://user:s3cret@host:1/0")
    told, dead = site.http.get(f"/api/jobs/{job_id}"), site.http.get("/api/dead?text=ValueError")
    shown = "ValueError: redis://***@host:1/0"
    assert (told.json()["error"], told.json()["error_line"]) == (f"Traceback:\n{shown}", shown)
    assert [job["error"] for job in dead.json()["jobs"]] == [shown]
    assert "s3cret" not in told.text + dead.text
    assert site.http.get("/api/dead?text=s3cret").json()["jobs"] == []


def test_a_job_that_is_not_there_and_an_id_that_is_none_are_errors_of_their_own(site):
    missing = site.http.get("/api/jobs/00000000-0000-0000-0000-000000000000")
    assert missing.status_code == 404
    assert "never submitted here" in missing.json()["error"]
    assert site.http.get("/api/jobs/no-such-id").status_code == 400


def test_a_lane_is_told_in_its_order_page_by_page(site, client):
    ids = [client.submit_job("a", {}) for _ in range(7)]
    first, second = (site.http.get(f"/api/lanes/default/normal?offset={offset}&limit=5") for offset in (0, 5))
    assert (first.json()["total"], ids_of(first), ids_of(second)) == (7, ids[:5], ids[5:])


def test_what_has_left_a_lane_is_marked(site, client):
    stays, cancelled = client.submit_job("a", {}), client.submit_job("a", {})
    client.cancel(cancelled)
    jobs = site.http.get("/api/lanes/default/normal").json()["jobs"]
    assert [(job["id"], job["is_tombstone"]) for job in jobs] == [(stays, False), (cancelled, True)]


def test_a_large_payload_is_left_out_of_lists_but_not_of_the_job(site, client):
    job_id = client.submit_job("big", {"text": "x" * 100_000})
    (job,) = site.http.get("/api/lanes/default/normal").json()["jobs"]
    assert (job["id"], job["is_large"], job["name"]) == (job_id, True, "")
    assert len(site.http.get(f"/api/jobs/{job_id}").json()["payload"]) > 100_000


def test_what_is_scheduled_is_told_by_its_time(site, client):
    late, soon = (
        client.submit_job_scheduled("a", {}, Priority.LOW, timedelta(minutes=minutes)) for minutes in (9, 1)
    )
    told = site.http.get("/api/scheduled")
    assert (ids_of(told), told.json()["total"]) == ([soon, late], 2)
    assert told.json()["jobs"][0]["at_ms"] < told.json()["jobs"][1]["at_ms"]


def test_schedules_are_told_with_their_next_slot(site, client):
    client.put_schedule(Schedule(name="nightly", job="report", cron="30 3 * * *", timezone="Europe/Berlin"))
    (told,) = site.http.get("/api/schedules").json()["schedules"]
    assert (told["name"], told["when"], told["timezone"], told["job"]) == (
        "nightly",
        "30 3 * * *",
        "Europe/Berlin",
        "report",
    )
    assert told["next_at"] > told["last_at"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "offset=-1", "offset=1e3", "limit=²", f"offset={'9' * 30}"]
)
def test_a_page_that_cannot_be_is_refused(site, query):
    answer = site.http.get(f"/api/scheduled?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("lane", ["no.queue/normal", "default/urgent", "%7B%7D/low"])
def test_a_lane_that_cannot_be_is_refused(site, lane):
    assert site.http.get(f"/api/lanes/{lane}").status_code == 400


def test_without_the_server_questions_are_answered_with_503_and_no_secret(make_site, monkeypatch):
    monkeypatch.setattr("bananasd.http.source.MAX_ANSWER_SECONDS", 0.2)  # for so long each is tried
    site = make_site(f"redis://user:hidden-secret@127.0.0.1:{1}/0")
    for path in ("/api/scheduled", "/api/dead", "/api/schedules", "/api/lanes/default/high"):
        answer = site.http.get(path)
        assert answer.status_code == 503
        assert "127.0.0.1:1" in answer.json()["error"]
        assert "hidden-secret" not in answer.text


# Other actions


def test_a_queue_is_paused_and_resumed(site, client):
    assert site.post("/api/queues/pause", {"queue": "default", "seconds": None}).status_code == 200
    assert client.paused() == {"default": None}
    assert site.post("/api/queues/resume", {"queue": "default"}).json() == {"changed": True}
    assert client.paused() == {}


def test_everything_is_paused_for_a_time(site, client):
    site.post("/api/queues/pause", {"queue": None, "seconds": 900})
    assert client.paused()["*"] is not None


def test_a_job_that_waits_is_cancelled(site, client):
    job_id = client.submit_job("a", {})
    assert site.post(f"/api/jobs/{job_id}/cancel", {}).json() == {"changed": True}
    assert client.get_job(job_id).status is Status.CANCELLED


def test_a_job_that_runs_is_cancelled_only_if_that_is_said(site, client, worker):
    job_id = client.submit_job("a", {})
    job = worker.claim()
    assert site.post(f"/api/jobs/{job_id}/cancel", {}).json() == {"changed": False}
    assert site.post(f"/api/jobs/{job_id}/cancel", {"running": "soft"}).json() == {"changed": True}
    worker.store.settle([Completed("node/1.1", job_id, job.run, b"")])
    assert client.get_job(job_id).status is Status.CANCELLED


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/queues/pause", {"queue": "no.queue"}),
        ("/api/queues/pause", {"queue": "default", "seconds": -1}),
        ("/api/queues/pause", {"queue": "default", "seconds": "long"}),
        ("/api/queues/pause", {"queue": {}}),
        ("/api/queues/resume", {"queue": 7}),
        ("/api/jobs/00000000-0000-0000-0000-000000000000/cancel", {"running": "gently"}),
        ("/api/jobs/nobody/cancel", {}),
    ],
)
def test_what_cannot_be_is_refused(site, path, body):
    answer = site.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/api/queues/pause", {}, "queue is missing: name one, or say"),
        ("/api/queues/pause", {"seconds": 5}, "queue is missing"),
        ("/api/queues/resume", {}, "queue is missing"),
        ("/api/queues/pause", {"queue": None, "second": 5}, "field 'second': there is no such one here, only queue, seconds"),
        ("/api/queues/resume", {"queue": None, "seconds": 5}, "only queue"),
        (f"/api/jobs/{UNKNOWN}/cancel", {"runing": "soft"}, "field 'runing': there is no such one here, only running"),
    ],
)  # fmt: skip
def test_what_is_left_out_or_misspelt_never_means_everything(site, client, path, body, told):
    client.pause("other")
    answer = site.post(path, body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]
    assert client.paused() == {"other": None}


def test_what_was_sent_to_a_server_that_freezes_is_not_said_to_have_failed(
    make_site, own_server, caplog, monkeypatch
):
    site = make_site(own_server.url)
    # So that the server knows the script, and need not be sent it in full.
    site.source.client.pause("other")
    check_server = site.source.check_server

    def check_and_freeze():
        check_server()
        halt(own_server.process.pid)

    monkeypatch.setattr(site.source, "check_server", check_and_freeze)
    answer = site.post("/api/queues/pause", {"queue": "default"})
    own_server.process.send_signal(signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"]) == (503, "doubtful")
    assert answer.json()["error"].endswith(
        "it may have been carried out all the same: look before you repeat it"
    )
    lines = [r.getMessage() for r in caplog.records if "action='pause'" in r.getMessage()]
    assert len(lines) == 1
    assert "outcome='unknown: " in lines[0]
    assert "it may have been" not in lines[0]
    wait_until(lambda: site.source.client.paused() == {"default": None, "other": None})


def test_what_was_asked_of_a_server_that_was_never_there_has_failed(make_site, own_server):
    site = make_site(own_server.url)
    own_server.stop()
    answer = site.post("/api/queues/pause", {"queue": "default"})
    assert (answer.status_code, answer.json()["code"]) == (503, "")


def test_what_was_never_sent_to_a_server_that_has_gone_has_failed(make_site, own_server, caplog):
    site = make_site(own_server.url)
    site.post("/api/queues/resume", {"queue": "default"})
    own_server.stop()
    answer = site.post("/api/queues/pause", {"queue": "default"})
    assert (answer.status_code, answer.json()["code"]) == (503, "")
    assert "it may have been" not in answer.json()["error"]
    line = [r.getMessage() for r in caplog.records if "action='pause'" in r.getMessage()][-1]
    assert "outcome='failed: " in line
    own_server.start()
    wait_until(lambda: site.source.client.paused() == {})


def test_what_is_asked_of_a_server_that_is_frozen_already_has_failed(make_site, own_server):
    site = make_site(own_server.url)
    site.source.client.pause("other")
    halt(own_server.process.pid)
    answer = site.post("/api/queues/pause", {"queue": "default"})
    own_server.process.send_signal(signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"]) == (503, "")
    wait_until(lambda: site.source.client.paused() == {"other": None})
    assert site.post("/api/queues/pause", {"queue": "default"}).status_code == 200


def test_every_action_leaves_a_line_that_says_who_what_and_what_came_of_it(site, client, caplog):
    caplog.set_level("INFO")
    job_id = client.submit_job("a", {})
    site.post("/api/queues/pause", {"queue": "default"})
    site.post(f"/api/jobs/{job_id}/cancel", {})
    site.post("/api/queues/pause", {"queue": "a\nb"})
    pause, cancel, refused = [
        r.getMessage() for r in caplog.records if r.getMessage().startswith("http action")
    ]
    assert pause.startswith("http action='pause' target='queue default' who=127.0.0.1:")
    assert pause.endswith("/local outcome='done'")
    assert f"action='cancel' target='{job_id}'" in cancel
    assert cancel.endswith("outcome='True'")
    assert "\n" not in refused
    assert "outcome=\"failed: queue 'a" in refused


@pytest.mark.parametrize(
    ("action", "body", "target"),
    [
        ("pause", {}, "target='as sent: {}'"),
        ("resume", {}, "target='as sent: {}'"),
        ("pause", {"queue": None, "second": 5}, "target=\"as sent: {'queue': None, 'second': 5}\""),
        ("resume", {"queue": None}, "target='all queues'"),
    ],
)
def test_a_line_about_a_mistake_names_no_more_than_was_meant(site, caplog, action, body, target):
    site.post(f"/api/queues/{action}", body)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("http action")]
    assert target in line


@pytest.mark.parametrize(
    "queue", ["q" * 100_000, ["q" * 100_000], {"q" * 50_000: 1}], ids=["text", "list", "object"]
)
def test_a_line_about_an_action_is_short_whatever_was_sent(site, caplog, queue):
    caplog.set_level("INFO")
    for action in ("pause", "resume"):
        assert site.post(f"/api/queues/{action}", {"queue": queue}).status_code == 400
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("http action")]
    assert len(lines) == 2
    assert max(map(len, lines)) < 500


def test_a_client_that_was_made_lives_through_an_outage(make_site, own_server):
    site = make_site(own_server.url)
    assert site.http.get("/api/schedules").status_code == 200
    own_server.stop()
    assert site.http.get("/api/schedules").status_code == 503
    own_server.start()
    wait_until(lambda: site.http.get("/api/schedules").status_code == 200)


def test_a_log_that_tells_only_errors_tells_actions_all_the_same(site, client, caplog):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with caplog.at_level("ERROR"):
            site.post("/api/queues/pause", {"queue": "reports"})
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.getvalue().startswith("http action='pause' target='queue reports'")
