"""Fairness: of any N claims one begins with low, and that is all that changes."""

import pytest

from bananasd import JobRequest, Priority, Status
from bananasd.processes.turns import Turns, low_first
from bananasd.store.keys import Lane, lanes_of
from tests.conftest import wait_until

pytestmark = pytest.mark.usefixtures("untraced")

HIGH, NORMAL, LOW = Priority
HOLDER, NODE = "n/1.1", "n"


def test_low_first_turns_the_priorities_round_and_leaves_the_queues_in_their_order():
    assert low_first(lanes_of(("a", "b"))) == [
        Lane("a", LOW), Lane("b", LOW), Lane("a", NORMAL), Lane("b", NORMAL), Lane("a", HIGH), Lane("b", HIGH)
    ]  # fmt: skip


def test_priorities_filter_lanes_and_have_their_own_order():
    assert lanes_of(("a", "b"), (LOW, HIGH)) == (
        Lane("a", HIGH), Lane("b", HIGH), Lane("a", LOW), Lane("b", LOW)
    )  # fmt: skip


def first_priorities(turns: Turns, claims: int) -> list[Priority]:
    return [turns.lanes_after(number)[0].priority for number in range(claims)]


def test_without_fairness_every_claim_begins_with_high():
    assert first_priorities(Turns(lanes_of(("a",))), 50) == [HIGH] * 50


@pytest.mark.parametrize("fairness", [1, 2, 3, 10])
def test_of_any_so_many_claims_in_a_row_one_begins_with_low(fairness):
    priorities = first_priorities(Turns(lanes_of(("a",)), fairness), 60)
    for start in range(60 - fairness):
        assert priorities[start : start + fairness].count(LOW) == 1


@pytest.mark.parametrize("want", [1, 8])
def test_low_gets_one_claim_of_so_many_however_many_high_jobs_there_are(store, want):
    requests = [JobRequest("a", None, priority) for priority in Priority for _ in range(200)]
    store.submit(requests)
    priority_of = {request.job_id: request.lane.partition(":")[2] for request in requests}
    store.enter(HOLDER, NODE, 10_000, {})
    turns, taken = Turns(lanes_of(("default",)), 5), []
    for number in range(20):
        claim = store.settle_and_claim([], HOLDER, NODE, turns.lanes_after(number), want)[1]
        taken.append({(job.lane.partition(":")[2], priority_of[job.job_id]) for job in claim.jobs})
        assert len(claim.jobs) == want
    assert taken == ([{("high", "high")}] * 4 + [{("low", "low")}]) * 4


def test_a_claim_that_begins_with_low_takes_high_jobs_if_there_are_no_others(store):
    store.submit([JobRequest("a", None, HIGH)])
    store.enter(HOLDER, NODE, 10_000, {})
    lanes = low_first(lanes_of(("default",)))
    (job,) = store.settle_and_claim([], HOLDER, NODE, lanes, 1)[1].jobs
    assert job.lane == "default:high"


def assert_one_in_four_is_low(daemon, low, count):
    is_low = [entry[1] in low for entry in daemon.entries("start")][1:]
    both_wait = is_low[: count + count // 3]
    for start in range(len(both_wait) - 4):
        assert sum(both_wait[start : start + 4]) == 1
    assert all(is_low[count + count // 3 :])


# With two jobs each a worker does not live for so many claims, but the next one goes on counting.
@pytest.mark.parametrize("max_jobs", [0, 2])
def test_a_worker_runs_one_low_job_in_so_many_while_there_are_high_ones(server, make_daemon, max_jobs):
    settings = {"workers": {"count": 1, "fairness": 4, "max_jobs": max_jobs}}
    daemon = make_daemon(redis_url=server.url, settings=settings).start()
    until = daemon.directory / "go"
    with daemon.client() as client:
        daemon.worker_of(client.submit_job("hold", {"until": str(until)}))
        # Longer than half of a batch's time: each is claimed alone.
        many = {p: [JobRequest("note", {"seconds": 0.02}, p) for _ in range(30)] for p in (LOW, HIGH)}
        for requests in many.values():
            client.submit_many(requests)
        until.touch()
        wait_until(lambda: len(daemon.entries("end")) == 61, 50)
    assert_one_in_four_is_low(daemon, {request.job_id for request in many[LOW]}, 30)


def test_a_claim_that_stops_amid_tombstones_is_repeated_without_costing_a_turn(server, make_daemon):
    settings = {"workers": {"count": 1, "fairness": 2}}
    daemon = make_daemon(redis_url=server.url, settings=settings).start()
    until = daemon.directory / "go"
    with daemon.client() as client:
        daemon.worker_of(client.submit_job("hold", {"until": str(until)}))

        def submit(count, priority):
            # Longer than half of a batch's time: each is claimed alone.
            return client.submit_many([JobRequest("note", {"seconds": 0.02}, priority) for _ in range(count)])

        low = submit(8, LOW)
        submit(4, HIGH)
        # More than a claim looks at.
        for job_id in submit(1_100, HIGH):
            assert client.cancel(job_id)
        submit(4, HIGH)
        until.touch()
        wait_until(lambda: len(daemon.entries("end")) == 17)
    is_low = [entry[1] in low for entry in daemon.entries("start")][1:]
    assert is_low in ([True, False] * 8, [False, True] * 8)


def test_what_kills_each_worker_at_once_does_not_keep_low_from_its_turn(server, make_daemon):
    daemon = make_daemon(
        """
        @handler("fatal")
        def fatal(job):
            os._exit(1)
        """,
        redis_url=server.url,
        settings={"workers": {"count": 1, "fairness": 4, "max_recoveries": 100}},
    ).start()
    with daemon.client() as client:
        client.submit_many(JobRequest("fatal", None, HIGH) for _ in range(5))
        low = client.submit_job("note", {}, LOW)
        assert client.wait(low, 30).status is Status.COMPLETED
