"""Names of queues that others have written, and that are no text: every command tells them somehow."""

import json

import pytest

from bananasd.store.keys import Keys
from tests.command_line import bananasd, on

KEYS = Keys("default")
NAMES = [b"\xff\xfe<script>", b"\xff\n", b"\xed\xa0\x80", b"a:b\xff"]


@pytest.fixture(params=NAMES, ids=repr)
def queue(request, server, client):
    """One that is known and paused, and has a job of ours behind an id of no job."""
    name = request.param
    job_id = client.submit_job("greet", {})
    ready = f"{KEYS.prefix}ready:".encode() + name + b":high"
    server.call("SADD", f"{KEYS.prefix}queues", name)
    server.call("ZADD", KEYS.paused, "inf", name)
    server.call("HSET", KEYS.job(job_id), "lane", name + b":high")
    server.call("RPUSH", ready, "x", job_id)
    return name


@pytest.mark.parametrize("words", [("queues",), ("queues", "--json"), ("doctor",), ("doctor", "--json")])
def test_a_queue_whose_name_is_no_text_is_told(server, queue, words):
    told = bananasd(*words, *on(server))
    assert told.exit_code in (0, 1), told.output
    if "--json" in words:
        json.loads(told.stdout)


def test_a_job_in_a_queue_whose_name_is_no_text_is_the_next_one_there(client, queue):
    lanes = {lane.queue: lane for lane in client.queue_stats().lanes if lane.ready}
    lane = lanes[queue.decode("utf-8", "surrogateescape")]
    assert lane.ready == 2
    assert lane.oldest_seconds is not None


def test_a_job_in_a_queue_whose_name_is_no_text_is_explained(server, client, queue):
    job_id = server.call("LINDEX", f"{KEYS.prefix}ready:".encode() + queue + b":high", -1).decode()
    for words in (("explain", job_id), ("job", job_id)):
        told = bananasd(*words, *on(server))
        assert told.exit_code in (0, 1), told.output
