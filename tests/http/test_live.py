"""The stream of what changes by itself: one look a second for all who watch, none for nobody."""

import json
import time
import uuid
import zlib
from contextlib import contextmanager

import pytest

from bananasd.http.live import MAX_WATCHERS
from tests.conftest import wait_until


@contextmanager
def watching(site):
    """The snapshots of somebody who watches."""
    with site.visitor() as visitor, visitor.stream("GET", "/api/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        yield (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))


def test_a_snapshot_shows_counts_rates_and_the_last_hour(site, client):
    client.submit_job("a", {})
    with watching(site) as snapshots:
        first = next(snapshots)
        client.submit_job("b", {})
        second = next(snapshot for snapshot in snapshots if snapshot["queues"]["ready"] == 2)
    (lane,) = [lane for lane in first["queues"]["lanes"] if lane["ready"]]
    assert (lane["queue"], lane["priority"], lane["ready"], lane["is_unserved"]) == (
        "default",
        "normal",
        1,
        True,
    )
    assert first["rates"]["submitted"] is None
    assert second["rates"]["submitted"] > 0
    # A minute may have begun meanwhile.
    assert sum(filter(None, second["history"]["submitted"][-2:])) >= 1
    assert len(second["history"]["completed"]) == 60
    assert [node["node"] for node in first["nodes"]] == ["testnode-0a1b2c3d"]


def test_nodes_keep_their_places_whoever_has_beaten_last(site, worker):
    for number, node in enumerate(("b-host-1", "a-host-2", "a-host-1")):
        about = json.dumps({"host": node[:6]}).encode()
        worker.store.beat(node, 60_000 + number, about, [])
    with watching(site) as snapshots:
        told = [node["node"] for node in next(snapshots)["nodes"]]
    assert [node for node in told if "-host-" in node] == ["a-host-1", "a-host-2", "b-host-1"]


def children(number):
    """What a node tells of eight workers, each with a job."""
    return [
        {"slot": f"worker {slot}", "pool": "", "pid": 1000 * number + slot, "generation": slot, "state": "up",
         "job": {"id": str(uuid.uuid4()), "name": f"send_{slot}"}}
        for slot in range(8)
    ]  # fmt: skip


def test_a_hundred_nodes_take_a_fraction_of_the_bytes_for_those_who_can_unpack_them(site, worker):
    for number in range(100):
        about = json.dumps({"host": f"host-{number}", "children": children(number)}).encode()
        worker.store.beat(f"host-{number}-0a1b2c3d", 60_000, about, [])
    with watching(site) as snapshots, site.visitor() as visitor:
        told = next(snapshots)
        assert len([node for node in told["nodes"] if len(node["children"]) == 8]) == 100
        with visitor.stream("GET", "/api/live", headers={"Accept-Encoding": "identity"}) as stream:
            assert "content-encoding" not in stream.headers
            lines = (line for line in stream.iter_lines() if line.startswith("data: "))
            plain = len(next(lines))
        with visitor.stream("GET", "/api/live") as stream:
            assert stream.headers["content-encoding"] == "gzip"
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            packed, text = 0, ""
            for part in stream.iter_raw():
                packed += len(part)
                text += unpacker.decompress(part).decode()
                if text.count("\ndata: ") >= 3 and text.endswith("\n\n"):
                    break
    assert plain > 100_000
    assert packed / text.count("\ndata: ") < plain / 4


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("br, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("br;q=1, gzip ; q=0.000", None),
        ("x-gzipped", None),
        ("", None),
    ],
)
def test_the_stream_is_packed_for_those_only_who_take_it(site, accepted, coding):
    with site.http.stream("GET", "/api/live", headers={"Accept-Encoding": accepted}) as stream:
        assert stream.headers.get("content-encoding") == coding


def test_two_who_watch_cost_as_much_as_one(site):
    with watching(site) as one, watching(site) as other:
        seen = [next(one), next(other)]
        began, before = time.monotonic(), site.dashboard.live.looks
        seen += [next(one), next(one), next(other), next(other)]
        # Of looks that are a second apart.
        looks = site.dashboard.live.looks - before
        assert looks <= time.monotonic() - began + 1
    assert all(snapshot["trouble"] == "" for snapshot in seen)


def test_nobody_is_asked_while_nobody_watches(site):
    with watching(site) as snapshots:
        next(snapshots)
    wait_until(lambda: site.dashboard.live._watchers == 0)
    wait_until(site.dashboard.live._poll.done)
    before = site.dashboard.live.looks
    time.sleep(1.2)
    assert site.dashboard.live.looks == before
    with watching(site) as snapshots:
        assert next(snapshots)["queues"] is not None


def test_an_outage_is_told_and_so_is_its_end(make_site, own_server):
    site = make_site(own_server.url)
    with watching(site) as snapshots:
        next(snapshot for snapshot in snapshots if not snapshot["trouble"])
        own_server.stop()
        told = next(snapshot for snapshot in snapshots if snapshot["trouble"])
        assert told["queues"] is None
        assert [node["node"] for node in told["nodes"]] == ["testnode-0a1b2c3d"]
        own_server.start()
        assert next(snapshot for snapshot in snapshots if not snapshot["trouble"])["queues"]["ready"] == 0


def test_one_too_many_is_refused(site, monkeypatch):
    monkeypatch.setattr("bananasd.http.live.MAX_WATCHERS", 1)
    with watching(site) as snapshots:
        next(snapshots)
        answer = site.http.get("/api/live")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith(
        "1 pages are open and follow what goes on here, and there can be no more. Close one"
    )
    assert MAX_WATCHERS > 1


def test_a_stop_lets_those_go_who_watch(make_site, monkeypatch):
    monkeypatch.setattr("bananasd.http.server.GRACE_SECONDS", 60)  # so long it would wait for them
    site = make_site()
    with watching(site) as snapshots:
        next(snapshots)
        site._server.stop()
        wait_until(lambda: not site._server.is_running)
        list(snapshots)  # it has an end


def test_who_only_wants_the_head_does_not_watch(site):
    answer = site.http.head("/api/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert site.dashboard.live._watchers == 0
