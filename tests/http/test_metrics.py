"""``/metrics`` of a dashboard that is served."""

import json

import httpx
import pytest

from bananasd.store.keys import Keys
from tests.metrics.conftest import read

KEYS = Keys("default")


def test_prometheus_reads_the_metrics(site):
    answer = site.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = read(answer.content)
    assert told["bananasd_redis_up", frozenset()] == 1


def test_metrics_are_told_while_the_server_is_away(make_site, tmp_path):
    site = make_site(f"unix://{tmp_path}/nobody.sock")
    told = read(site.http.get("/metrics").content)
    assert told["bananasd_redis_up", frozenset()] == 0
    assert ("bananasd_redis_errors_total", frozenset()) in told


def test_metrics_are_for_those_with_the_token(make_site):
    site = make_site(token="t" * 32)
    assert site.http.get("/metrics").status_code == 401
    with site.visitor(headers={"Authorization": "Bearer " + "t" * 32}) as known:
        assert known.get("/metrics").status_code == 200


def test_a_page_of_somebody_else_does_not_read_them(site):
    answer = httpx.get(f"{site.url}/metrics", headers={"Host": "evil.example"}, trust_env=False)
    assert answer.status_code == 403


def test_an_age_that_nobody_knows_is_not_told_as_none(site, client, monkeypatch):
    monkeypatch.setattr("bananasd.store.heads.MAX_LOOK", 1)
    monkeypatch.setattr("bananasd.store.heads.MIN_LOOK", 1)
    for job_id in [client.submit_job("a", {}) for _ in range(3)]:
        client.cancel(job_id)
    client.submit_job("a", {})
    told = read(site.http.get("/metrics").content)
    lane = {"namespace": "default", "queue": "default", "priority": "normal"}
    assert told["bananasd_namespace_ready", frozenset(lane.items())] == 4
    assert ("bananasd_namespace_oldest_seconds", frozenset(lane.items())) not in told
    assert told["bananasd_namespace_oldest_seconds", frozenset((lane | {"priority": "high"}).items())] == 0


@pytest.mark.parametrize(
    "command",
    [
        ("SADD", KEYS.queues, b"\xff\xfe<script>"),
        ("ZADD", KEYS.paused, "inf", b"\xff\n"),
    ],
)
def test_a_queue_whose_name_is_no_text_is_told_among_the_others(site, server, command):
    server.call(*command)
    answer = site.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    told = read(answer.content)
    assert told["bananasd_redis_up", frozenset()] == 1
    assert any("\\udcff" in dict(labels).get("queue", "") for _, labels in told)


def test_a_queue_whose_name_is_no_text_is_on_the_page(site, server):
    server.call("SADD", KEYS.queues, b"\xff\xfe")
    server.call("RPUSH", f"{KEYS.prefix}ready:".encode() + b"\xff\xfe:high", "x")
    look = site.source.look()
    assert (look.trouble, look.queues is None) == ("", False)
    json.loads(json.dumps(look.to_dict("host")))
