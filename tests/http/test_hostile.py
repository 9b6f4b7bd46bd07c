"""Whatever others have written into Redis, or send, is answered, and never with an error that nobody foresaw."""

import asyncio
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bananasd.store.keys import Keys
from tests.metrics.conftest import read

pytestmark = pytest.mark.usefixtures("untraced")
KEYS = Keys("default")
SCRIPT = "<script>alert(1)</script>"
ID = "00000000-0000-0000-0000-00000000000a"
MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
QUESTIONS = (
    f"/api/jobs/{ID}",
    "/api/lanes/default/normal",
    "/api/scheduled",
    "/api/dead?name=a&text=b",
    "/api/dead",
)

values = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b"null",
            b"[]",
            b"1e999",
            b"-1",
            b"9" * 25,
            b"NaN",
            b'"x"',
            b'{"done":"x","total":[]}',
            SCRIPT.encode(),
        ]
    ),
)
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
specs = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("v", "name", "payload", "description", "created_at", "max_retries", "timeout_seconds", "retry", "schedule", "on_lost"), json_values),
    ).map(lambda spec: json.dumps(spec).encode()),
)  # fmt: skip
FIELDS = ("status", "lane", "run", "attempts", "recoveries", "due_at", "started_at", "finished_at", "updated_at", "expires_at",
          "holder", "error", "progress", "unique", "has_result")  # fmt: skip
records = st.fixed_dictionaries({}, optional={"spec": specs, **dict.fromkeys(FIELDS, values)})


@given(
    record=records, result=values, job_id=st.one_of(st.just(ID.encode()), st.binary(min_size=1, max_size=12))
)
@MANY
def test_any_record_is_told_as_json(site, server, record, result, job_id):
    server.call("FLUSHALL")
    for field, value in record.items():
        server.call("HSET", KEYS.job(ID), field, value)
    server.call("SET", KEYS.result(ID), result)
    server.call("RPUSH", f"{KEYS.prefix}ready:default:normal", job_id)
    server.call("ZADD", KEYS.scheduled, 1, job_id)
    server.call("ZADD", KEYS.dead, 1, job_id)
    for path in QUESTIONS:
        answer = site.http.get(path)
        assert answer.status_code in (200, 404), (path, answer.text)
        strict(answer)


@given(about=st.one_of(values, json_values.map(lambda value: json.dumps(value).encode()), st.fixed_dictionaries(
    {"children": st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("slot", "pid", "state", "job", "pool"), json_values)), max_size=3)},
    optional={"host": json_values, "lanes": json_values, "master_pid": json_values},
).map(lambda value: json.dumps(value).encode())), name=st.text(min_size=1, max_size=5))  # fmt: skip
@MANY
def test_any_node_is_told_as_json(site, server, about, name):
    server.call("FLUSHALL")
    server.call("ZADD", KEYS.nodes, 9e12, name.encode("utf-8", "replace"))
    server.call("HSET", KEYS.node(name.encode("utf-8", "replace").decode()), "about", about, "beat_at", "x")
    look = site.source.look()
    assert look.trouble == ""
    json.loads(json.dumps(look.to_dict("host")))


@given(
    queue=st.text(max_size=12),
    priority=st.text(max_size=6),
    job_id=st.text(max_size=40),
    query=st.dictionaries(st.sampled_from(["offset", "limit", "mark", "name", "text"]), st.text(max_size=30)),
)
@MANY
def test_any_question_is_answered(site, queue, priority, job_id, query):
    for path in (
        httpx.URL(site.url).copy_with(raw_path=b"/api/lanes/" + quoted(queue) + b"/" + quoted(priority)),
        httpx.URL(site.url).copy_with(raw_path=b"/api/jobs/" + quoted(job_id)),
        httpx.URL(f"{site.url}/api/dead", params=query),
        httpx.URL(f"{site.url}/api/scheduled", params=query),
    ):
        answer = site.http.get(path)
        assert answer.status_code in (200, 307, 400, 404, 405), (path, answer.text)


def quoted(text):
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace")).encode()


@given(body=st.one_of(st.binary(max_size=60), st.dictionaries(
    st.sampled_from(["queue", "seconds", "ids", "name", "text", "all", "mark", "running"]), json_values).map(lambda value: json.dumps(value).encode())))  # fmt: skip
@MANY
def test_any_body_is_answered(site, body):
    headers = site.page_headers
    for path in (
        "/api/queues/pause",
        "/api/queues/resume",
        f"/api/jobs/{ID}/cancel",
        "/api/dead/retry",
        "/api/dead/purge",
    ):
        answer = site.http.post(path, content=body, headers=headers)
        assert answer.status_code in (200, 400, 404), (path, body, answer.text)


@pytest.mark.parametrize("depth", [300, 900, 5000])
def test_a_payload_that_is_nested_deeply_is_told_somehow(site, server, depth):
    spec = b'{"v":1,"name":"deep","payload":' + b"[" * depth + b"]" * depth + b"}"
    server.call("HSET", KEYS.job(ID), "spec", spec, "status", "failed")
    server.call("ZADD", KEYS.dead, 1, ID)
    assert site.http.get(f"/api/jobs/{ID}").status_code == 200
    assert site.http.get("/api/dead?text=x").status_code == 200


def test_a_huge_payload_is_cut(site, client):
    job_id = client.submit_job("big", {"text": "x" * 1_000_000})
    told = site.http.get(f"/api/jobs/{job_id}").json()["payload"]
    assert len(told) < 300_000
    assert told.endswith("characters more")


def test_a_key_of_another_type_is_an_error_that_says_so(site, server):
    server.call("SET", KEYS.dead, "x")
    answer = site.http.get("/api/dead")
    assert answer.status_code == 503
    assert "WRONGTYPE" in answer.json()["error"]


@pytest.mark.parametrize(
    "command",
    [
        ("SET", KEYS.stats, "x"),
        ("SET", KEYS.nodes, "x"),
        ("SET", KEYS.paused, "x"),
    ],
)
def test_a_look_at_what_cannot_be_read_says_so_and_goes_on(site, server, command):
    server.call(*command)
    assert site.source.look().trouble != ""
    assert site.source.look().queues is None
    asyncio.run(site.dashboard.live.take_sample())
    server.call("FLUSHALL")
    assert site.source.look().trouble == ""


def strict(answer):
    """What a browser reads: there is no Infinity in JSON."""
    return json.loads(answer.text, parse_constant=pytest.fail)


ENDS = st.sampled_from(
    ["-inf", "inf", "1e300", "-1e300", "9e15", "-9e15", "253402300800000", "0", "-0.0", "0.5", "1e-300"]
)


@given(
    pauses=st.dictionaries(st.sampled_from(["default", "*", "x y", SCRIPT, "\x1b[2J", "é"]), ENDS),
    leases=st.dictionaries(st.sampled_from(["n1", "n2", SCRIPT]), ENDS),
    beat=st.one_of(ENDS.map(str.encode), values),
    due=ENDS,
)
@MANY
def test_numbers_of_no_calendar_are_told_as_metrics_and_as_json(
    site, server, client, monkeypatch, pauses, leases, beat, due
):
    # What was asked a second ago is told again else.
    monkeypatch.setattr("bananasd.metrics.exposition.KEEP_SECONDS", 0.0)
    server.call("FLUSHALL")
    job_id = client.submit_job("a", {})
    for key, scores in ((KEYS.paused, pauses), (KEYS.nodes, leases)):
        for member, score in scores.items():
            server.call("ZADD", key, score, member)
    for node in leases:
        server.call("HSET", KEYS.node(node), "beat_at", beat, "alive_since", beat, "counted", beat)
    server.call("ZADD", KEYS.scheduled, due, ID)
    server.call("ZADD", KEYS.dead, due, job_id)
    told = read(site.http.get("/metrics").content)
    assert told["bananasd_redis_up", frozenset()] == 1
    paused = [dict(labels)["queue"] for name, labels in told if name == "bananasd_namespace_paused"]
    assert sorted(paused) == sorted(queue for queue, end in pauses.items() if float(end) > 1e13)
    look = site.source.look()
    assert look.trouble == ""
    json.loads(json.dumps(look.to_dict("host")), parse_constant=pytest.fail)
    for path in ("/api/scheduled", "/api/dead", f"/api/jobs/{job_id}", "/readyz"):
        answer = site.http.get(path)
        assert answer.status_code in (200, 503) if path == "/readyz" else 200, (path, answer.text)
        strict(answer)


def test_pauses_and_leases_of_no_calendar_are_streamed(site, server):
    server.call("ZADD", KEYS.paused, "inf", "*", "1e300", "default", "-inf", "gpu")
    server.call("ZADD", KEYS.nodes, "inf", "n1", "-inf", "n2")
    with site.http.stream("GET", "/api/live") as stream:
        line = next(line for line in stream.iter_lines() if line.startswith("data: "))
    told = json.loads(line[6:], parse_constant=pytest.fail)
    assert told["trouble"] == ""
    assert told["queues"]["paused"] == {"*": None, "default": None}
    assert {node["node"] for node in told["nodes"]} >= {"n1", "n2"}


def test_a_counter_that_is_no_number_is_left_out(site, server):
    server.call("HSET", KEYS.stats, "completed", "many", "submitted", 2)
    look = site.source.look()
    assert (look.trouble, look.queues is None) == ("", False)
    asyncio.run(site.dashboard.live.take_sample())


def test_a_restarted_server_is_there_at_the_first_look(make_site, own_server):
    site = make_site(own_server.url)
    for _ in range(3):
        assert site.source.look().trouble == ""
    own_server.stop()
    own_server.start()
    assert site.source.look().trouble == ""
    assert site.source.server_trouble() == ""
