"""Pages of jobs and the list of nodes, for people who look: bounded, and true while things move."""

import pytest

from bananasd.errors import InvalidJob
from bananasd.job import Priority
from bananasd.store import listing as listing_module
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import Keys, Lane
from bananasd.store.listing import Listing, is_tombstone

KEYS = Keys("test")


@pytest.fixture
def listing(server):
    connection = HeldConnection(Server(server.url, 5))
    yield Listing(connection, "test")
    connection.close()


@pytest.fixture
def die(server):
    """Puts dead jobs with these ids among the dead, all of them at one time."""

    def die(*ids, at_ms=1000, name="a", error="no"):
        for job_id in ids:
            server.call(
                "HSET",
                KEYS.job(job_id),
                "spec",
                f'{{"v":1,"name":"{name}"}}',
                "status",
                "failed",
                "error",
                error,
            )
            server.call("ZADD", KEYS.dead, at_ms, job_id)

    return die


def ids_of(found):
    return [entry.job_id for entry in found.entries]


def walk(listing, is_wanted=None, limit=2, between=lambda: None):
    """All pages, with something that happens between each two."""
    mark, seen = "", []
    while True:
        found = listing.dead(mark, limit, is_wanted)
        seen += ids_of(found)
        mark = found.mark
        if not mark:
            return seen
        between()


def test_the_dead_that_died_at_one_time_are_each_told_once(listing, die):
    die(*"abcdefg")
    assert walk(listing) == list("gfedcba")


def test_what_dies_meanwhile_is_not_told_and_hides_nothing(listing, die):
    die(*"abcde", at_ms=1000)
    newer = iter("vwxyz")

    def one_more():
        die(next(newer), at_ms=99_999_999_999_999)

    assert walk(listing, between=one_more) == list("edcba")


def test_what_is_taken_away_meanwhile_hides_nothing(listing, die, server):
    die(*"abcdefgh")
    seen = []

    def take_away_what_was_told():
        server.call("ZREM", KEYS.dead, *seen[-2:])

    mark = ""
    while True:
        found = listing.dead(mark, 2)
        seen += ids_of(found)
        mark = found.mark
        if not mark:
            break
        take_away_what_was_told()
    assert seen == list("hgfedcba")


def test_a_search_looks_at_so_many_at_most_and_goes_on_from_there(listing, die, monkeypatch):
    monkeypatch.setattr(listing_module, "MAX_LOOKED_AT", 5)
    monkeypatch.setattr(listing_module, "MAX_PAGE", 2)
    die(*"bcdefghij")
    die("a", at_ms=1, name="wanted")
    found = listing.dead("", 10, lambda entry: entry.job.name == "wanted")
    assert (ids_of(found), found.looked_at, found.total) == ([], 5, 10)
    found = listing.dead(found.mark, 10, lambda entry: entry.job.name == "wanted")
    assert (ids_of(found), found.looked_at) == (["a"], 5)


def test_an_empty_list_has_an_end(listing):
    assert listing.dead("", 10) == ([], 0, 0, "")


@pytest.mark.parametrize("mark", ["x", "1.2", "-1.2.a", "1.2." + "a" * 201, "9" * 16 + ".1.a"])
def test_a_mark_that_nobody_gave_is_refused(listing, mark):
    with pytest.raises(InvalidJob, match="mark"):
        listing.dead(mark, 10)


def test_a_dead_job_without_its_record_is_told_as_that(listing, server):
    server.call("ZADD", KEYS.dead, 1, "ghost")
    (entry,) = listing.dead("", 10).entries
    assert (entry.job_id, entry.job, entry.at_ms) == ("ghost", None, 1)


def test_a_large_spec_is_not_fetched(listing, server):
    server.call(
        "HSET",
        KEYS.job("big"),
        "spec",
        '{"v":1,"name":"big","payload":"' + "x" * 40_000 + '"}',
        "status",
        "pending",
    )
    server.call("RPUSH", KEYS.ready(Lane("q", Priority.LOW)), "big")
    (entry,) = listing.lane(Lane("q", Priority.LOW), 0, 10).entries
    assert (entry.is_large, entry.job.name, entry.job.status) == (True, "", "pending")


def test_an_id_that_is_no_text_survives(listing, server):
    lane = Lane("q", Priority.HIGH)
    server.call("RPUSH", KEYS.ready(lane), b"\xff\xfe")
    (entry,) = listing.lane(lane, 0, 10).entries
    assert entry.job is None
    assert is_tombstone(entry, lane)
    assert entry.job_id.encode("utf-8", "surrogateescape") == b"\xff\xfe"


def test_counters_are_those_of_the_namespace(listing, server):
    assert listing.counters() == {}
    server.call("HSET", KEYS.stats, "completed", 7, "dead", 2)
    assert listing.counters() == {"completed": 7, "dead": 2}


def test_a_node_is_told_with_what_it_says_of_itself(listing, store):
    store.beat("one", 60_000, b'{"host": "h", "children": []}', [])
    (report,) = listing.nodes()
    assert (report.node, report.about) == ("one", {"host": "h", "children": []})
    assert 0 <= report.beat_seconds < 5
    assert 50 < report.lease_seconds <= 60


def test_a_row_of_another_type_hides_no_other_node(listing, store, server):
    for node in ("n1", "n2"):
        store.beat(node, 60_000, b'{"host": "web"}', [])
    server.call("SET", listing.keys.node("n1"), "x")
    one, other = sorted(listing.nodes())
    assert (one.node, one.beat_seconds, one.about) == ("n1", None, {})
    assert (other.node, other.about) == ("n2", {"host": "web"})


@pytest.mark.parametrize("about", [b"", b"[]", b"7", b"{", b"\xff"])
def test_a_node_that_says_something_else_is_told_without_it(listing, store, about):
    store.beat("odd", 60_000, about, [])
    assert [report.about for report in listing.nodes()] == [{}]
