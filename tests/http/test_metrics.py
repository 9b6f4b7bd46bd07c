"""``/metrics`` of a dashboard that is served."""

import json

import httpx
import pytest

from bananasd.metrics.namespace import Origin
from bananasd.store.connection import Server
from bananasd.store.keys import Keys
from bananasd.store.stats import Stats
from tests.conftest import wait_until
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


def told_by(site):
    return read(site.http.get("/metrics").content)


def test_a_server_that_refuses_has_answered(make_site, own_server):
    site = make_site(own_server.url)
    own_server.call("SET", KEYS.stats, "x")
    # It has a second, and what it said counts for the next one.
    wait_until(lambda: told_by(site)["bananasd_redis_up", frozenset()] == 1)
    told = told_by(site)
    assert told["bananasd_redis_unreadable", frozenset()] == 1
    assert not [name for name, _ in told if name.startswith("bananasd_namespace_")]
    own_server.stop()
    wait_until(lambda: told_by(site)["bananasd_redis_up", frozenset()] == 0)
    assert told_by(site)["bananasd_redis_unreadable", frozenset()] == 0


def test_words_where_a_number_should_be_are_an_answer_that_cannot_be_read(site, monkeypatch):
    monkeypatch.setattr(Stats, "queues", lambda _stats: int("many"))
    told = told_by(site)
    assert (told["bananasd_redis_up", frozenset()], told["bananasd_redis_unreadable", frozenset()]) == (1, 1)


def test_servers_of_one_address_on_two_hosts_are_told_apart(site):
    told = {
        dict(labels)["server"] for name, labels in told_by(site) if name.startswith("bananasd_namespace_")
    }
    assert told == {f"{site.redis_url} on testnode"}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://db:6379/0", "redis://db:6379/0"),
        ("redis://10.0.0.5:6379", "redis://10.0.0.5:6379"),
        ("rediss+sentinel://a:26379,b:26379/mymaster", "rediss+sentinel://a:26379,b:26379/mymaster"),
        ("redis+sentinel://localhost:26379,b:26379/m", "redis+sentinel://localhost:26379,b:26379/m"),
        ("unix:///run/bananasd/redis.sock", "unix:///run/bananasd/redis.sock on web1"),
        ("redis://localhost:6379/2", "redis://localhost:6379/2 on web1"),
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379 on web1"),
        ("redis://127.8.0.1:6379", "redis://127.8.0.1:6379 on web1"),
        ("redis://[::1]:6379", "redis://[::1]:6379 on web1"),
        ("redis://[::ffff:127.0.0.1]:6379", "redis://[::ffff:127.0.0.1]:6379 on web1"),
        ("redis://[::ffff:10.0.0.5]:6379", "redis://[::ffff:10.0.0.5]:6379"),
        ("redis://0.0.0.0:6379", "redis://0.0.0.0:6379 on web1"),
        ("redis://[::]:6379", "redis://[::]:6379 on web1"),
        # A Sentinel on each host, which all lead to one server.
        ("redis+sentinel://localhost:26379/m", "redis+sentinel://localhost:26379/m"),
        ("redis+sentinel://localhost:26379,127.0.0.1:26380/m", "redis+sentinel://localhost:26379,127.0.0.1:26380/m"),
    ],
)  # fmt: skip
def test_an_address_that_is_another_server_on_each_host_has_the_hosts_name(address, told):
    assert Server(address, 1).address == address
    assert Origin(address, "default").seen_from("web1").server == told


def test_no_password_is_in_a_label(make_site):
    site = make_site("redis://user:hidden-secret@127.0.0.1:1/0")
    text = site.http.get("/metrics").text
    assert 'server="redis://127.0.0.1:1/0 on testnode"' in text
    assert "hidden-secret" not in text


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
    lane = {
        "server": f"{site.redis_url} on testnode",
        "namespace": "default",
        "queue": "default",
        "priority": "normal",
    }
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
