"""The dead letters on their page: found, brought back, deleted."""

import pytest

from bananasd import Status
from tests.http.conftest import bury, ids_of


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
        {"ids": ["no"]},
        {"ids": ["0" * 32] * 1001},
        {"name": 1},
        {"mark": "x"},
        [],
        7,
    ],
)
def test_dead_jobs_that_are_named_wrongly_are_refused(site, body):
    assert site.post("/api/dead/purge", body).status_code == 400
