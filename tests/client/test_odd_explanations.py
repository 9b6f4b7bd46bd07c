"""Whatever others have written of a job, its lane and its nodes: it is explained, in a sentence and in JSON."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bananasd.cli.output import one_line
from bananasd.explanation.result import Reason
from bananasd.store.keys import Keys

KEYS = Keys("test")
ID = "00000000-0000-0000-0000-00000000000a"
NODE = "n1"

SCORES = st.sampled_from(["-inf", "inf", "1e300", "-1e300", "9e15", "1", "-0.0", "0.5", "1e-300"])
WORDS = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"", b"0", b"1", b"-1", b"1e999", b"nan", b"inf", b"9" * 15, b"9" * 25, b"9" * 5000, b"\xff\n\x1b[2J", b"soft", b"1 0"]),
)  # fmt: skip
NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
JSON = st.recursive(
    st.one_of(NUMBERS, st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["default:normal", "slot", "generation", "job", "id"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)
MEMBERS = ("v", "name", "payload", "created_at", "max_retries", "retry", "timeout_seconds", "on_lost")
SPECS = WORDS | st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=4).map(
    lambda spec: json.dumps({"v": 1, "name": "greet", "payload": 1} | spec).encode()
)
TIMES = ("due_at", "expires_at", "started_at", "finished_at", "updated_at")
STATUSES = ["pending", "processing", "scheduled"] * 4 + [
    "failed",
    "completed",
    "cancelled",
    "expired",
    "",
    "odd",
    "\xff",
]
LANES = ["default:normal"] * 8 + ["default:low", "default", ":", "a:b:c", "", "\n"]
HOLDERS = [f"{NODE}/7.1"] * 8 + ["n2/1.1", "/", f"{NODE}/", "", "n/a/1"]
RECORDS = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES), "lane": st.sampled_from(LANES), "holder": st.sampled_from(HOLDERS), "spec": SPECS},
    optional=dict.fromkeys(("run", "attempts", "recoveries", "error", "cancel", "unique", *TIMES), WORDS),
)  # fmt: skip
ABOUT = st.dictionaries(
    st.sampled_from(
        ["lanes", "children", "max_retries", "runs_per_second", "host", "phase", "would_serve", "master_pid"]
    ),
    JSON,
    max_size=4,
)
ROWS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("beat_at", "alive_since", "counted", "counted_before", "handlers"), WORDS)
    | {"about": WORDS | ABOUT.map(lambda about: json.dumps(about).encode())},
)


@given(
    record=RECORDS,
    row=ROWS,
    lease=SCORES,
    pauses=st.dictionaries(st.sampled_from(["default", "*", "a"]), SCORES),
    counters=st.dictionaries(st.sampled_from(["completed", "dead", "x"]), WORDS),
    moved=WORDS,
    declared=WORDS | JSON.map(lambda value: json.dumps(value).encode()),
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_stands_in_redis_a_job_is_explained(
    server, client, record, row, lease, pauses, counters, moved, declared
):
    server.call("FLUSHALL")
    for key, fields in (
        (KEYS.job(ID), record),
        (KEYS.node(NODE), row),
        (KEYS.stats, counters),
        (KEYS.handlers, {"greet": declared}),
        (f"{KEYS.prefix}moved", {ID: moved}),
    ):
        for field, value in fields.items():
            server.call("HSET", key, field, value)
    for name, score in pauses.items():
        server.call("ZADD", KEYS.paused, score, name)
    server.call("ZADD", KEYS.nodes, lease, NODE)
    server.call("ZADD", KEYS.scheduled, lease, ID)
    server.call("RPUSH", f"{KEYS.prefix}ready:default:normal", "x", ID)
    server.call("SADD", KEYS.holders, f"{NODE}/7.1")
    server.call("RPUSH", KEYS.held(f"{NODE}/7.1"), ID)
    server.call("SADD", KEYS.queues, "default")
    explained = client.explain(ID, look_seconds=0)
    assert explained.reason is not Reason.NOT_FOUND
    assert one_line(explained.sentence).isprintable()
    json.dumps(explained.to_dict(), allow_nan=False)
    json.dumps(client.queue_stats().lanes, allow_nan=False)
    client.paused()
