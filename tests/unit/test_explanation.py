"""Facts about a job, and the sentence that they make; case by case, with no server."""

from math import inf

import orjson
import pytest

from bananasd import InvalidJob
from bananasd.explanation import Reason, check_look, explain, is_worth_a_second_look
from bananasd.job import Job
from bananasd.retry import RetryPolicy
from bananasd.store.facts import MAX_LOOK, Facts
from bananasd.store.node_rows import Child, NodeRow

ID = "5f0c1d52-7d0e-4c59-8a55-3f1e5e2b9a10"
NOW = 1_893_456_000_000  # 2030-01-01
LEASE_MS = 15_000
HOLDER = "web1-09af31c2/7.1"


def make_job(spec=None, **record) -> Job:
    fields = {"spec": orjson.dumps({"v": 1, "name": "greet", **(spec or {})}), "lane": "mail:high", "status": "pending", **record}  # fmt: skip
    return Job.from_record(
        ID,
        {
            name.encode(): value if isinstance(value, bytes) else str(value).encode()
            for name, value in fields.items()
        },
    )


def make_node(name="web1-09af31c2", **values) -> NodeRow:
    """One that has beaten a second ago, for an hour."""
    own = {"lease_ends_ms": NOW + 14_000, "beat_ms": NOW - 1_000, "alive_since_ms": NOW - 3_600_000,
           "lanes": {"mail:high": 2}, "handlers": frozenset({"greet"})}  # fmt: skip
    return NodeRow(name, **(own | values))


def make_facts(job=None, **values) -> Facts:
    """Of a job that is the next of a lane with two workers."""
    own = {"place": 0, "length": 1, "live": [make_node()]}
    return Facts(ID, NOW, job or make_job(), **(own | values))


def told(facts, before=None) -> tuple[Reason, str]:
    explanation = explain(facts, before)
    return explanation.reason, explanation.sentence


# Ends


def test_a_job_that_is_not_there():
    explanation = explain(Facts(ID, NOW))
    assert explanation.reason is Reason.NOT_FOUND
    assert explanation.sentence.startswith(
        f"There is no job {ID}: it was never accepted in this namespace, or"
    )
    assert explanation.evidence == {}


def test_a_completed_job():
    job = make_job(status="completed", attempts=2, started_at=NOW - 190_000, finished_at=NOW - 187_000)
    explanation = explain(make_facts(job))
    assert explanation.sentence == "It completed 3m07s ago, after 2 attempts; that run took 3.0s."
    assert explanation.evidence == {
        "status": "completed", "name": "greet", "queue": "mail", "priority": "high", "attempts": 2, "recoveries": 0,
        "ended_seconds_ago": 187.0, "run_seconds": 3.0,
    }  # fmt: skip


def test_a_record_without_its_times_is_told_without_them():
    assert told(make_facts(make_job(status="completed", attempts=1)))[1] == "It completed, after 1 attempt."


def test_a_dead_job_has_its_reason_and_the_way_back():
    job = make_job(status="failed", attempts=6, recoveries=1, finished_at=NOW - 5_000, error="Traceback:\n  here\nValueError: no")  # fmt: skip
    assert told(make_facts(job)) == (
        Reason.FAILED,
        f"It is dead: it failed for good 5.0s ago, after 6 attempts and 1 lost run: ValueError: no. 'bananasd dead retry {ID}' brings it back.",
    )


def test_a_job_that_only_killed_its_workers_has_no_attempts_to_tell_of():
    job = make_job(status="failed", recoveries=3, finished_at=NOW - 5_000, error="signal 9 (SIGKILL)")
    assert "it failed for good 5.0s ago, after 3 lost runs: signal 9 (SIGKILL)." in told(make_facts(job))[1]


def test_a_long_error_is_cut_and_one_that_says_nothing_is_told_as_such():
    long, none = (
        explain(make_facts(make_job(status="failed", error=error))).evidence["error"]
        for error in ("x" * 999, " \n")
    )
    assert (long, none) == ("x" * 199 + "…", "it left no reason")


def test_an_error_is_told_without_the_secrets_of_urls_in_it():
    error = "Traceback\nValueError: redis://user:s3cret@host:1/0 is gone"
    dead = make_facts(make_job(status="failed", error=error))
    suspect = make_facts(make_job(recoveries=1, error=error))
    retrying = make_facts(scheduled(40_000, attempts=1, error=error), is_scheduled=True)
    for facts in (dead, suspect, retrying):
        explanation = explain(facts)
        assert explanation.evidence["error"] == "ValueError: redis://***@host:1/0 is gone"
        assert "redis://***@host:1/0 is gone" in explanation.sentence
        assert "s3cret" not in str(explanation.to_dict())


@pytest.mark.parametrize(("how", "words"), [("", "It was cancelled 5.0s ago."), ("soft", "It was cancelled while it ran 5.0s ago.")])  # fmt: skip
def test_a_cancelled_job(how, words):
    job = make_job(status="cancelled", finished_at=NOW - 5_000)
    assert told(make_facts(job, told=how)) == (Reason.CANCELLED, words)


def test_an_expired_job():
    job = make_job(status="expired", finished_at=NOW - 5_000, expires_at=NOW - 10_000)
    assert told(make_facts(job)) == (
        Reason.EXPIRED,
        "It expired 5.0s ago: it had not begun by 2029-12-31T23:59:50+00:00.",
    )


# Times that are to come


def scheduled(due_in_ms, **record):
    return make_job(status="scheduled", due_at=NOW + due_in_ms, **record)


def test_a_job_for_later():
    assert told(make_facts(scheduled(40_000), is_scheduled=True)) == (
        Reason.SCHEDULED, "It is due in 40s, at 2030-01-01T00:00:40+00:00."
    )  # fmt: skip


FAILED = {"attempts": 3, "error": "Traceback\nOSError: down"}


@pytest.mark.parametrize(
    ("spec", "declared", "configured", "of_most"),
    [
        ({"max_retries": 9}, RetryPolicy(7), [5], " of 9"),
        ({"retry": [1, 2, 3, 4]}, RetryPolicy(7), [5], " of 4"),
        ({}, RetryPolicy(7), [5], " of 7"),
        ({}, RetryPolicy(), [5, 5], " of 5"),
        ({}, RetryPolicy(), [5, 6], ""),
        ({}, RetryPolicy(), [5, None], ""),
        ({}, RetryPolicy(), [], ""),
    ],
)
def test_a_retry_tells_which_of_how_many_and_the_last_error(spec, declared, configured, of_most):
    live = [make_node(f"n{n}", max_retries=most) for n, most in enumerate(configured)]
    facts = make_facts(
        scheduled(40_000, spec=spec, **FAILED), is_scheduled=True, declared=declared, live=live
    )
    words = f"It failed and is due again in 40s (retry 3{of_most}); the last error: OSError: down"
    assert told(facts) == (Reason.RETRYING, words)


def test_a_job_that_has_just_become_due():
    assert told(make_facts(scheduled(-300), is_scheduled=True)) == (
        Reason.DUE, "It has been due for 0.3s, and goes to its lane within a second."
    )  # fmt: skip


def test_a_due_job_that_no_daemon_moves():
    assert told(make_facts(scheduled(-90_000), is_scheduled=True, live=[])) == (
        Reason.UNSERVED,
        "It has been due for 1m30s, but no daemon is live to move it to its lane: start one.",
    )


# In a lane


def test_a_job_in_no_lane():
    reason, sentence = told(make_facts(place=None, length=7))
    assert (reason, sentence) == (
        Reason.OUT_OF_ORDER,
        "It is pending, but in no lane: 'bananasd doctor --repair' puts it back.",
    )


def test_a_job_whose_time_to_begin_is_over():
    assert told(make_facts(make_job(expires_at=NOW - 5_000), queue_pause=inf)) == (
        Reason.EXPIRED,
        "Its time to begin was over 5.0s ago, so it will not run; it expires when a worker meets it.",
    )
    assert told(make_facts(make_job(expires_at=NOW)))[0] is Reason.WAITING


@pytest.mark.parametrize(
    ("pauses", "words"),
    [
        ({"queue_pause": inf}, "Queue mail is paused until it is resumed"),
        ({"queue_pause": NOW + 60_000}, "Queue mail is paused until 2030-01-01T00:01:00+00:00"),
        ({"whole_pause": inf, "queue_pause": NOW + 60_000}, "Everything is paused until it is resumed"),
        (
            {"whole_pause": NOW + 5_000, "queue_pause": NOW + 60_000},
            "Queue mail is paused until 2030-01-01T00:01:00+00:00",
        ),
    ],
)
def test_a_pause_says_until_when(pauses, words):
    facts = make_facts(place=3, length=9, live=[], **pauses)
    assert told(facts) == (Reason.PAUSED, f"{words}; it waits behind about 3 jobs.")


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ([], "no node is live"),
        ([make_node(lanes={"mail:low": 2})], "of 1 live node none serves it now"),
        ([make_node(lanes={}), make_node(lanes={"mail:high": 0})], "of 2 live nodes none serves it now"),
    ],
)
def test_a_lane_that_no_live_worker_serves(live, words):
    assert told(make_facts(live=live)) == (
        Reason.UNSERVED, f"No live worker takes jobs of queue mail, priority high: {words}."
    )  # fmt: skip


def idle(name="web1", phase="quiet", would_serve=("mail:high",), **values) -> NodeRow:
    own = {"lanes": {}, "host": "web1", "master_pid": 4711} | values
    return make_node(name, phase=phase, would_serve=frozenset(would_serve), **own)


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ([idle()], "node web1 is quiet ('kill -CONT 4711' on web1 lets it go on)"),
        ([idle(host="", master_pid=None)], "node web1 is quiet (SIGCONT to its master on its host lets it go on)"),
        ([idle(phase="draining"), idle("web2", "draining")], "node web1 is draining; node web2 is draining"),
        ([idle(f"n{n}", "draining") for n in range(5)], "node n0 is draining; node n1 is draining; node n2 is draining; 2 more as well"),
        ([idle(would_serve=["mail:low"])], "of 1 live node none serves it now"),
        ([idle(phase="")], "of 1 live node none serves it now"),
    ],
)  # fmt: skip
def test_a_lane_whose_nodes_are_quiet_or_drain_is_told_by_their_names(live, words):
    assert told(make_facts(live=live)) == (
        Reason.UNSERVED, f"No live worker takes jobs of queue mail, priority high: {words}."
    )  # fmt: skip


def test_a_quiet_node_is_not_to_blame_where_another_serves_the_lane():
    assert told(make_facts(live=[idle(), make_node()]))[0] is Reason.WAITING


WITHOUT = make_node(handlers=frozenset({"other"}))


def test_a_handler_that_no_live_worker_of_its_lane_has_loaded():
    live = [WITHOUT, make_node(lanes={"gpu:low": 1})]
    assert told(make_facts(live=live)) == (
        Reason.NO_HANDLER,
        (
            "No live worker that serves queue mail, priority high has loaded a handler named 'greet': "
            "when its turn comes the attempt fails, and counts."
        ),
    )


@pytest.mark.parametrize("handlers", [frozenset({"greet"}), None], ids=["has it", "does not tell"])
def test_one_node_that_may_have_the_handler_is_enough(handlers):
    assert told(make_facts(live=[WITHOUT, make_node(handlers=handlers)]))[0] is Reason.WAITING


def test_the_next_job_of_a_lane():
    assert told(make_facts()) == (
        Reason.WAITING, "It waits as the next of its lane: the first of 2 workers that is free takes it."
    )  # fmt: skip
    assert not is_worth_a_second_look(explain(make_facts()))
    alone = make_facts(live=[make_node(lanes={"mail:high": 1})])
    assert told(alone)[1] == (
        "It waits as the next of its lane: the one worker of its lane takes it when that is free."
    )


def test_one_look_tells_behind_how_many():
    facts = make_facts(place=3, length=9, higher=1_200)
    assert told(facts) == (
        Reason.WAITING,
        "It waits behind about 1,203 jobs, 1,200 of them of higher priority.",
    )
    assert is_worth_a_second_look(explain(facts))


def test_a_second_look_tells_for_how_long_at_the_present_rate():
    before = make_facts(place=400, length=999, higher=20)._replace(now_ms=NOW - 2_000)
    explanation = explain(make_facts(place=300, length=999, higher=30), before)
    assert explanation.sentence == (
        "It waits behind about 330 jobs, 30 of them of higher priority, for about 7.3s at the present rate of 45 a second."
    )
    assert (explanation.evidence["ahead"], explanation.evidence["rate_per_second"]) == (330, 45.0)


def test_where_nothing_moves_the_time_is_what_all_that_ends_would_take_at_least():
    before = make_facts(place=30, length=99, ended_per_second=0.2)._replace(now_ms=NOW - 1_000)
    facts = make_facts(place=30, length=99, ended_per_second=0.2)
    assert told(facts, before)[1] == (
        "It waits behind about 30 jobs, which did not become fewer in 1.0s; all lanes together end 0.2 a second, so for 2m30s at least."
    )
    still = before._replace(ended_per_second=None)
    assert told(facts._replace(ended_per_second=0.0), still)[1] == (
        "It waits behind about 30 jobs, which did not become fewer in 1.0s."
    )


def test_beyond_what_is_looked_through_it_is_more_than_that():
    before = make_facts(place=None, length=MAX_LOOK + 5)._replace(now_ms=NOW - 1_000)
    explanation = explain(make_facts(place=None, length=MAX_LOOK + 1, ended_per_second=100.0), before)
    assert explanation.sentence == (
        "It waits behind more than 50,000 jobs; all lanes together end 100 a second, so for 8m20s at least."
    )
    assert (explanation.evidence["is_at_least"], explanation.evidence["rate_per_second"]) == (True, None)


@pytest.mark.parametrize("places", [(None, 49_990), (49_990, None), (None, None)])
def test_nothing_is_said_of_whether_they_became_fewer_where_one_look_did_not_find_it(places):
    before, now = (make_facts(place=place, length=MAX_LOOK + 5) for place in places)
    sentence = told(now, before._replace(now_ms=NOW - 1_000))[1]
    assert sentence.startswith("It waits behind ")
    assert "fewer" not in sentence


def test_a_job_that_was_moved_to_another_lane():
    explanation = explain(make_facts(place=3, length=9, left_behind=1))
    assert explanation.sentence == "It was moved to queue mail, priority high, and waits behind about 3 jobs."
    assert explanation.evidence["was_moved"] is True


def test_a_suspect_waits_to_run_alone():
    job = make_job(recoveries=2, error="its worker ended in the job: signal 9 (SIGKILL)")
    assert told(make_facts(job, place=1, length=2)) == (
        Reason.SUSPECT,
        (
            "It was lost with its worker 2 times (its worker ended in the job: signal 9 (SIGKILL)), so it waits to run alone; "
            "it waits behind about 1 job."
        ),
    )


def in_line(paces=({},), look=True, **values):
    """A low job of the lane mail behind 6 others, looked at twice in vain; ``paces`` is what each node tells of its lanes."""
    live = [make_node(f"n{n}", lanes={"mail:low": 1}, runs_per_second=pace) for n, pace in enumerate(paces)]
    own = {"place": 6, "length": 9, "live": live, "ended_per_second": 2.0} | values
    facts = make_facts(make_job(lane="mail:low"), **own)
    return explain(facts, facts._replace(now_ms=NOW - 1_000) if look else None)


def test_where_a_look_shows_nothing_the_lane_s_own_pace_tells_for_how_long():
    explanation = in_line([{"mail:low": 0.1, "news:low": 30.0}, {"mail:low": 0.15}])
    assert explanation.sentence == (
        "It waits behind about 6 jobs, which did not become fewer in 1.0s; of its lane lately 0.25 ended a second, so for about 24s."
    )
    evidence = explanation.evidence
    assert (evidence["rate_per_second"], evidence["wait_seconds"], evidence["is_at_least"]) == (
        0.25,
        24.0,
        False,
    )
    one_look = in_line([{"mail:low": 0.25}], look=False)
    assert (
        one_look.sentence
        == "It waits behind about 6 jobs; of its lane lately 0.25 ended a second, so for about 24s."
    )


def test_higher_lanes_count_for_the_pace_where_others_wait_there():
    paces = [{"mail:high": 1.0, "mail:normal": 0.5, "mail:low": 0.5}]
    assert in_line(paces).evidence["wait_seconds"] == 12.0
    explanation = in_line(paces, higher=4)
    assert explanation.evidence["wait_seconds"] == 5.0
    assert explanation.sentence.endswith(
        "; of its lane and the higher ones lately 2 ended a second, so for about 5.0s."
    )


def test_the_pace_of_a_long_lane_tells_for_how_long_at_least():
    explanation = in_line([{"mail:low": 10.0}], place=None, length=MAX_LOOK + 1)
    assert explanation.sentence.endswith("; of its lane lately 10 ended a second, so for 1h23m at least.")
    assert (explanation.evidence["wait_seconds"], explanation.evidence["is_at_least"]) == (5000.0, True)


def test_a_lane_of_which_nothing_ended_lately_leaves_only_what_all_lanes_end():
    for pace in ({}, {"mail:low": 0.0}, {"mail:high": 3.0}):
        explanation = in_line([pace])
        assert explanation.sentence.endswith("; all lanes together end 2 a second, so for 3.0s at least.")
        assert explanation.evidence["wait_seconds"] is None


# In somebody's hand


def running(**values):
    own = {
        "held_place": 0,
        "is_admitted": True,
        "place": None,
        "length": 0,
        "home": make_node(children=(Child("worker 3", 7, ID),)),
    }
    job = make_job(status="processing", holder=HOLDER, started_at=NOW - 12_000, run=1)
    return make_facts(job, **(own | values))


def test_a_job_that_runs():
    explanation = explain(running())
    assert (explanation.reason, explanation.sentence) == (
        Reason.RUNNING, "It runs: worker 3 on node web1-09af31c2 has held it for 12s."
    )  # fmt: skip
    assert (explanation.evidence["worker"], explanation.evidence["held_seconds"]) == ("worker 3", 12.0)


def test_a_worker_that_its_node_has_not_told_of_yet_has_its_number():
    assert "process 7.1 on node web1-09af31c2 has" in told(running(home=make_node()))[1]


def test_a_job_behind_others_of_its_batch():
    assert told(running(held_place=2)) == (
        Reason.RUNNING,
        "It is about to run: worker 3 on node web1-09af31c2 has held it for 12s, and runs 2 others of the same batch first.",
    )


def test_a_job_that_was_told_to_end():
    assert told(running(told="soft"))[1].endswith(
        "for 12s. It has been told to end (soft), and will be cancelled."
    )


def test_a_node_that_has_fallen_silent():
    home = make_node(beat_ms=NOW - 9_000, lease_ends_ms=NOW + 6_000)
    assert told(running(home=home))[1].endswith(
        "; its node has been silent for 9.0s, and in 6.0s its jobs are free for others."
    )


@pytest.mark.parametrize("facts", [running(held_place=None), running(is_admitted=False)])
def test_a_job_that_nobody_holds(facts):
    assert told(facts) == (
        Reason.OUT_OF_ORDER,
        "It is marked as processing, but nobody holds it: 'bananasd doctor --repair' puts it back.",
    )


LOST = make_node(lease_ends_ms=NOW - 4_000, beat_ms=NOW - 19_000)


@pytest.mark.parametrize(
    ("alive_seconds", "within"), [(3600, "a second or so"), (15, "a second or so"), (5, "about 11s")]
)
def test_what_a_lost_node_held_goes_back_when_another_has_been_up_for_a_lease(alive_seconds, within):
    other = make_node("web2-1", alive_since_ms=NOW - 1000 * alive_seconds)
    assert told(running(home=LOST, live=[other])) == (
        Reason.LOST,
        (
            "Process 7.1 on node web1-09af31c2 held it, and that node lost its lease 4.0s ago. Another node puts it back "
            f"at the front of its lane within {within}, unless that one comes back first."
        ),
    )


def test_the_first_of_several_nodes_that_may_takes_over_what_a_lost_one_held():
    live = [make_node(f"n{seconds}", alive_since_ms=NOW - 1000 * seconds) for seconds in (2, 8, 5)]
    unknown = make_node("n0", alive_since_ms=None)
    # A lease of 15 s, of which the oldest has had 8; then a round of theirs.
    assert explain(running(home=LOST, live=[*live, unknown])).evidence["taken_over_in_seconds"] == 8.0
    assert explain(running(home=LOST, live=[unknown])).evidence["taken_over_in_seconds"] is None


def test_where_no_other_daemon_is_live_it_waits_for_one():
    reason, sentence = told(running(home=LOST, live=[]))
    assert reason is Reason.LOST
    assert (
        "No other daemon is live: it goes back to the front of its lane when that node's daemon starts again"
        in sentence
    )


def test_a_node_that_has_left_without_a_trace():
    assert "that node has no lease any more." in told(running(home=None))[1]


# The time between two looks


@pytest.mark.parametrize("seconds", [-1, 61, "1", None, True, float("nan"), inf])
def test_a_time_between_looks_that_cannot_be_is_refused(seconds):
    with pytest.raises(InvalidJob, match="look_seconds .*want 0 for one look, or seconds up to 60"):
        check_look(seconds)


def test_none_or_up_to_a_minute_is_a_time_between_looks():
    assert [check_look(seconds) for seconds in (0, 1, 0.5, 60)] == [0, 1, 0.5, 60]
