"""submit: accept new jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from bananasd import JobRequest, ServerRefused
from bananasd.store.outcomes import Buried, Completed
from tests.store.conftest import HOLDER, LANE


def test_a_new_job_is_pending_at_the_end_of_its_lane_and_stays(world):
    (first,) = world.submit()
    request = JobRequest("greet", {"to": "José", "n": 2**63 - 1}, queue="mail")
    assert world.store.submit([request, JobRequest("greet", None)]).new == 2
    record = world.record(request.job_id)
    assert (record["spec"], record["status"], record["lane"]) == (
        request.spec.decode(),
        "pending",
        "mail:normal",
    )
    assert world.ready("mail:normal") == [request.job_id]
    assert world.ready()[0] == first
    assert world.ttl(request.job_id) == -1


def test_the_same_request_twice_is_one_job(world):
    request = JobRequest("greet", None)
    assert world.store.submit([request]).new == 1
    before = world.dump()
    assert world.store.submit([request]).new == 0
    assert world.store.submit([request, request]).new == 0
    assert world.dump() == before


def test_a_request_twice_in_one_call_is_one_job(world):
    request = JobRequest("greet", None)
    assert world.store.submit([request, request]).new == 1
    assert world.ready() == [request.job_id]


def test_jobs_of_several_lanes_and_kinds_keep_their_order_in_each_lane(world):
    kinds = [
        {"priority": "low"},
        {},
        {"expires_in": 60},
        {"priority": "low"},
        {},
        {"scheduled_for": timedelta(hours=1)},
        {},
    ]
    requests = [JobRequest("greet", None, **kind) for kind in kinds]
    assert world.store.submit(requests).new == len(requests)
    for lane in ("default:low", "default:normal"):
        wanted = [request.job_id for request in requests if request.lane == lane and not request.due]
        assert world.ready(lane) == wanted
    assert world.counter("submitted") == len(requests)


def test_more_than_a_thousand_jobs_are_refused_and_nothing_is_done(world):
    with pytest.raises(ServerRefused, match="1000 jobs a call at most, and these are 1001"):
        world.store.submit([JobRequest("greet", None) for _ in range(1001)])
    assert not world.call("KEYS", "*job:*")


def test_the_repeat_of_a_half_done_batch_adds_only_the_rest(world):
    requests = [JobRequest("greet", n) for n in range(1000)]
    assert world.store.submit(requests[:400]).new == 400
    assert world.store.submit(requests).new == 600
    assert world.ready() == [request.job_id for request in requests]
    assert world.counter("submitted") == 1000


@pytest.mark.parametrize("fate", ["processing", "completed", "failed", "cancelled", "scheduled"])
def test_a_repeat_leaves_a_job_as_it_is_whatever_became_of_it(world, fate):
    request = JobRequest("greet", None, scheduled_for=timedelta(hours=1) if fate == "scheduled" else None)
    world.store.submit([request])
    if fate == "cancelled":
        world.store.cancel(request.job_id)
    elif fate != "scheduled":
        world.enter()
        world.claim()
        kinds = {
            "completed": Completed(HOLDER, request.job_id, 1, b""),
            "failed": Buried(HOLDER, request.job_id, 1, ""),
        }
        world.store.settle([kinds[fate]] if fate in kinds else [])
    before = world.dump()
    assert world.status(request.job_id) == fate
    assert world.store.submit([request]).new == 0
    assert world.dump() == before


def test_an_instant_is_kept_to_the_millisecond(world):
    when = datetime(2099, 12, 31, 23, 59, 59, 123_000, UTC)
    (job_id,) = world.submit(scheduled_for=when)
    due_at = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert world.call("ZSCORE", world.keys.scheduled, job_id) == str(due_at).encode()
    assert world.record(job_id)["due_at"] == str(due_at)
    assert world.status(job_id) == "scheduled"
    assert world.ready() == []


def test_a_timedelta_counts_from_the_servers_now(world):
    before = world.now()
    (job_id,) = world.submit(scheduled_for=timedelta(seconds=90))
    assert before <= int(world.record(job_id)["due_at"]) - 90_000 <= world.now()
    assert world.scheduled() == [job_id]


@pytest.mark.parametrize("past", [datetime(1970, 1, 1, tzinfo=UTC), timedelta(0), timedelta(days=-1)])
def test_a_past_time_is_ready_at_once(world, past):
    (first,), (job_id,) = world.submit(), world.submit(scheduled_for=past)
    assert world.ready() == [first, job_id]
    assert world.status(job_id) == "pending"
    assert world.scheduled() == []
    assert "due_at" in world.record(job_id)


def test_each_lane_gets_one_token_however_many_jobs_it_gets(world):
    for priority in ("high", "low", "high"):
        world.submit(5, priority)
    tokens = {lane: world.tokens(lane) for lane in ("default:high", LANE, "default:low")}
    assert tokens == {"default:high": 1, LANE: 0, "default:low": 1}


def test_only_a_due_time_before_all_others_wakes_the_scheduler(world):
    world.submit(scheduled_for=timedelta(seconds=60))
    assert world.tokens("scheduled") == 1
    world.take_tokens()
    world.submit(scheduled_for=timedelta(seconds=90))
    assert world.tokens("scheduled") == 0
    world.submit(2, scheduled_for=timedelta(seconds=30))
    assert world.tokens("scheduled") == 1


def test_a_queue_is_known_from_its_first_job_on(world):
    world.submit(2, queue="gpu")
    world.submit(queue="mail", scheduled_for=timedelta(0))
    assert world.call("SMEMBERS", world.keys.queues) == [b"gpu", b"mail"]


@pytest.mark.parametrize(
    ("due", "after_ms"),
    [("+0.5", 0), ("+60000.75", 60_000), ("1.5", None), ("0", None)],
)
def test_a_due_time_from_elsewhere_is_made_whole(world, due, after_ms):
    """Other languages submit too, and many of them have only floats."""
    request = JobRequest("x", None)
    before = world.now()
    world.store._run(
        "submit",
        [world.keys.scheduled],
        [world.keys.prefix, request.job_id, request.spec, request.lane, due, ""],
    )
    due_at = int(world.record(request.job_id)["due_at"])
    assert due_at in (0, 1) if after_ms is None else before <= due_at - after_ms <= world.now()
    assert [request.job_id] == (world.scheduled() if after_ms == 60_000 else world.ready())


# The fifth word


def submit_words(world, *words):
    return world.store._run("submit", [world.keys.scheduled], [world.keys.prefix, *words])


def test_how_long_a_job_may_wait_counts_from_its_submission(world):
    before = world.now()
    (job_id,) = world.submit(expires_in=60)
    record = world.record(job_id)
    assert record["expires_in"] == "60000"
    assert before <= int(record["expires_at"]) - 60_000 <= world.now()


def test_how_long_a_job_for_later_may_wait_counts_from_its_due_time(world):
    (job_id,) = world.submit(expires_in=timedelta(seconds=1.5), scheduled_for=timedelta(hours=1))
    record = world.record(job_id)
    assert int(record["expires_at"]) == int(record["due_at"]) + 1500


def test_how_long_a_job_that_was_due_may_wait_counts_from_its_submission(world):
    before = world.now()
    (job_id,) = world.submit(expires_in=1, scheduled_for=datetime(1970, 1, 1, tzinfo=UTC))
    assert int(world.record(job_id)["expires_at"]) >= before + 1000


def test_a_job_that_may_wait_for_good_has_nothing_of_that_in_its_record(world):
    (job_id,) = world.submit()
    assert set(world.record(job_id)) == {"spec", "lane", "status"}


def test_a_repeat_does_not_let_a_job_wait_for_longer(world):
    request = JobRequest("greet", None, expires_in=60)
    world.store.submit([request])
    world.mark(request.job_id, expires_at=5)
    assert world.store.submit([request]).new == 0
    assert world.record(request.job_id)["expires_at"] == "5"


def test_parts_of_a_millisecond_from_elsewhere_are_left_out(world):
    request = JobRequest("greet", None)
    assert submit_words(world, request.job_id, request.spec, request.lane, "", '{"expires_in":1.5}') == [1]
    assert world.record(request.job_id)["expires_in"] == "1"


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ("{", "no JSON object"),
        ("5", "no JSON object"),
        ('{"expires_in":"1"}', "expires_in"),
        ('{"expires_in":-1}', "expires_in"),
        ('{"expires_in":1e300}', "expires_in"),
        ('{"expires_in":null}', "expires_in"),
    ],
)
def test_an_extra_that_cannot_be_right_is_told_with_its_job_and_nothing_is_done(world, extra, why):
    good, bad = JobRequest("greet", None), JobRequest("greet", None)
    words = [good.job_id, good.spec, good.lane, "", "", bad.job_id, bad.spec, bad.lane, "", extra]
    with pytest.raises(ServerRefused, match=f"BADJOB.*{bad.job_id}.*{why}"):
        submit_words(world, *words)
    assert world.dump() == {}


@pytest.mark.parametrize(
    ("word", "value", "why"),
    [
        *((0, job_id, "its id is no UUID") for job_id in ("", "job 1", "5F0C1D52-7D0E-4C59-8A55-3F1E5E2B9A12")),
        *((2, lane, "its lane is no QUEUE:PRIORITY: ") for lane in ("", "default", "default:urgent", "dé:high", "a:b:low")),
        (2, f"{'q' * 65}:high", "its lane is no QUEUE:PRIORITY: "),
        *((3, due, "its due is no number of milliseconds: ") for due in ("soon", "nan", "inf", "-5", "1e3", "+", "9" * 16)),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_right_is_told_with_its_job_and_nothing_is_done(world, word, value, why):
    good, bad = JobRequest("greet", None), JobRequest("greet", None)
    words = [bad.job_id, bad.spec, bad.lane, "", ""]
    words[word] = value
    with pytest.raises(ServerRefused, match=f"BADJOB job {words[0]}: {why}"):
        submit_words(world, good.job_id, good.spec, good.lane, "", "", *words)
    assert world.dump() == {}


def test_a_prefix_that_does_not_fit_is_told_and_nothing_is_done(world):
    request = JobRequest("greet", None)
    words = [request.job_id, request.spec, request.lane, "", ""]
    with pytest.raises(ServerRefused, match="BADJOB the prefix does not fit the key: {bananas:test}$"):
        world.store._run("submit", [world.keys.scheduled], [world.keys.prefix.rstrip(":"), *words])
    assert world.dump() == {}


def test_words_that_are_not_five_a_job_are_told_and_nothing_is_done(world):
    request = JobRequest("greet", None)
    with pytest.raises(ServerRefused, match="five words"):
        submit_words(world, request.job_id, request.spec, request.lane, "")
    assert world.dump() == {}
