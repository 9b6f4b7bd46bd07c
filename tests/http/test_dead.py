"""The dead letters on their page: found, brought back, deleted."""

from urllib.parse import quote

import pytest

from bananasd import Status, clock
from bananasd.store.keys import Keys
from tests.conftest import wait_until
from tests.http.conftest import LANE, bury, ids_of

KEYS = Keys("default")
UNKNOWN = "abcdef00-0000-0000-0000-00000000000a"


def test_the_dead_are_told_from_the_latest_on_page_by_page(site, client, worker):
    bury(client, worker, 5)
    ids = [job.id for job in client.dead_jobs()]
    first = site.http.get("/api/dead?limit=2")
    second = site.http.get("/api/dead", params={"limit": 2, "mark": first.json()["mark"]})
    third = site.http.get("/api/dead", params={"limit": 2, "mark": second.json()["mark"]})
    assert [ids_of(page) for page in (first, second, third)] == [ids[:2], ids[2:4], ids[4:]]
    assert third.json()["mark"] == ""


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"name": "CHARGE"}, {"charge"}),
        ({"text": "declined"}, {"charge"}),
        ({"text": "img_7"}, {"resize"}),
        ({"name": "resize", "text": "declined"}, set()),
        ({"name": "r", "text": "e"}, {"charge", "resize"}),
    ],
)
def test_the_dead_are_found_by_name_and_text(site, client, worker, query, wanted):
    bury(client, worker, name="charge", error="Declined: no money")
    bury(client, worker, name="resize", error="OSError: broken", payload={"file": "IMG_7.HEIC"})
    assert {job["name"] for job in site.http.get("/api/dead", params=query).json()["jobs"]} == wanted


def test_one_dead_job_is_brought_back(site, client, worker):
    one, other = bury(client, worker, 2)
    assert site.post("/api/dead/retry", {"ids": [one]}).json() == {"changed": 1}
    assert client.get_job(one).status is Status.PENDING
    assert client.get_job(other).status is Status.FAILED


def test_chosen_dead_jobs_are_deleted(site, client, worker):
    ids = bury(client, worker, 3)
    assert site.post("/api/dead/purge", {"ids": ids[:2]}).json() == {"changed": 2}
    assert [job.id for job in client.dead_jobs()] == ids[2:]


def test_all_that_match_are_dealt_with_request_by_request(site, client, worker, monkeypatch):
    monkeypatch.setattr("bananasd.http.actions.BULK", 2)
    wanted = bury(client, worker, 5, name="charge")
    others = bury(client, worker, 2, name="resize")
    mark, changed, requests = "", 0, 0
    while True:
        done = site.post("/api/dead/retry", {"name": "charge", "text": "", "mark": mark}).json()
        changed, requests, mark = changed + done["changed"], requests + 1, done["mark"]
        if not mark:
            break
    assert (changed, requests) == (5, 3)
    assert {job.id for job in client.dead_jobs()} == set(others)
    assert {client.get_job(job_id).status for job_id in wanted} == {Status.PENDING}


@pytest.mark.parametrize(
    "body",
    [
        {"ids": "x"},
        {"ids": [1]},
        {"ids": ["\ud800"]},
        {"ids": ["0" * 32] * 1001},
        {"name": 1},
        {"all": True, "mark": "x"},
        [],
        7,
    ],
)
def test_dead_jobs_that_are_named_wrongly_are_refused(site, body):
    assert site.post("/api/dead/purge", body).status_code == 400


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "say which dead jobs"),
        ({"name": "", "text": "", "mark": ""}, "say which dead jobs"),
        ({"nmae": "charge"}, "field 'nmae': there is no such one here, only ids, name, text, all, mark"),
        ({"all": True, "nmae": "charge"}, "field 'nmae'"),
        ({"all": True, "name": "charge"}, '"all": true goes without name and text'),
        ({"all": 1}, "all 1: want true or false"),
        ({"ids": [], "all": True}, "field 'all': there is no such one here, only ids"),
    ],
)
def test_what_is_left_out_or_misspelt_never_means_all_dead_jobs(site, client, worker, body, told):
    bury(client, worker)
    for action in ("retry", "purge"):
        answer = site.post(f"/api/dead/{action}", body)
        assert answer.status_code == 400
        assert told in answer.json()["error"]
    assert client.queue_stats().dead == 1


def test_all_dead_jobs_are_dealt_with_if_that_is_said(site, client, worker):
    bury(client, worker, 3)
    assert site.post("/api/dead/purge", {"all": True}).json() == {"changed": 3, "looked_at": 3, "mark": ""}


FOREIGN = (b"not-a-uuid", b"\xff<b>", UNKNOWN.upper().encode(), b"", b"x" * 100_000)


def push(server, *ids):
    """Somebody else pushes into a lane; a worker buries each, and the next job is behind them."""
    for foreign in ids:
        server.call("RPUSH", KEYS.ready(LANE), foreign)


def test_what_somebody_else_pushed_stands_in_the_way_of_nothing(site, server, client, worker):
    push(server, *FOREIGN)
    (job_id,) = bury(client, worker)
    assert client.queue_stats().dead == len(FOREIGN) + 1
    assert site.post("/api/dead/retry", {"all": True}).json()["changed"] == 1
    assert client.get_job(job_id).status is Status.PENDING
    assert site.post("/api/dead/purge", {"all": True}).json()["changed"] == len(FOREIGN)


@pytest.mark.parametrize("foreign", FOREIGN, ids=["word", "no text", "upper case", "nothing", "long"])
def test_what_somebody_else_pushed_is_deleted_alone(site, server, client, worker, foreign):
    push(server, foreign)
    (other,) = bury(client, worker)
    (found,) = [job for job in site.http.get("/api/dead").json()["jobs"] if job["id"] != other]
    assert "missing or unreadable" in found["error"]
    assert site.post("/api/dead/purge", {"ids": [found["id"]]}).json() == {"changed": 1}
    assert ids_of(site.http.get("/api/dead")) == [other]


@pytest.mark.parametrize("foreign", ["not-a-uuid", UNKNOWN.upper(), UNKNOWN.replace("-", ""), "a/b", "../x"])
def test_a_dead_job_of_a_foreign_id_has_a_page(site, server, client, worker, foreign):
    push(server, foreign)
    bury(client, worker)
    told = site.http.get(f"/api/jobs/{quote(foreign, safe='')}").json()
    assert (told["id"], told["status"]) == (foreign, "failed")


def test_a_job_is_found_by_its_id_in_any_form(site, client, worker):
    (job_id,) = bury(client, worker)
    for form in (job_id.upper(), job_id.replace("-", "")):
        assert site.http.get(f"/api/jobs/{form}").json()["id"] == job_id


@pytest.mark.parametrize("length", [0, 100_000])
def test_a_list_goes_on_behind_an_id_of_any_length(site, server, client, worker, length):
    ids = bury(client, worker, 2)
    buried_at = clock.now_ms()
    wait_until(lambda: clock.now_ms() > buried_at)
    server.call("ZADD", KEYS.dead, clock.now_ms(), b"x" * length)
    first = site.http.get("/api/dead?limit=1").json()
    assert len(first["mark"]) < 300
    following = site.http.get("/api/dead", params={"mark": first["mark"], "limit": 5})
    assert set(ids_of(following)) >= set(ids)


def lines_of(caplog):
    return [line for record in caplog.records if (line := record.getMessage()).startswith("http action")]


@pytest.mark.parametrize(
    "body", [{"all": True, "mark": "x"}, {"ids": "x"}, {"ids": [1]}, {"name": 1}, {}, {"nmae": "x" * 100_000}]
)
def test_a_choice_that_is_refused_leaves_a_line_all_the_same(site, caplog, body):
    assert site.post("/api/dead/purge", body).status_code == 400
    (line,) = lines_of(caplog)
    assert "action='purge' target=" in line
    assert "failed: " in line
    assert len(line) < 600


def test_a_server_that_is_lost_while_it_is_searched_leaves_a_line_that_nothing_was_done(
    make_site, own_server, caplog
):
    site = make_site(own_server.url)
    own_server.stop()
    answer = site.post("/api/dead/purge", {"all": True})
    assert (answer.status_code, answer.json()["code"]) == (503, "")
    (line,) = lines_of(caplog)
    assert "outcome='failed: " in line


def test_a_line_about_dead_jobs_is_short_whatever_their_ids_are(site, server, caplog):
    for foreign in (b"a" * 100_000, b"b" * 100_000):
        server.call("ZADD", KEYS.dead, 1, foreign)
    site.post("/api/dead/retry", {"all": True})
    site.post("/api/dead/purge", {"ids": ["a" * 100_000]})
    bulk, one = lines_of(caplog)
    assert "target=\"2 dead jobs, 'bbb" in bulk
    assert max(len(bulk), len(one)) < 500
