"""How long a failed job waits before its next attempt, and whether there is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd import Retry
from bananasd.limits import check_retry
from bananasd.retry import OPEN, Delays, RetryPolicy


def never() -> float:
    return 0.5


def test_the_default_delays_double_from_two_seconds():
    assert [Retry().delay_seconds(attempts, never) for attempts in range(1, 6)] == [2, 4, 8, 16, 32]


def test_the_delay_is_capped():
    retry = Retry(cap_seconds=10)
    assert [retry.delay_seconds(attempts, never) for attempts in (2, 3, 4, 100)] == [4, 8, 10, 10]


def test_a_factor_of_one_keeps_the_delay():
    retry = Retry(base_seconds=3, factor=1)
    assert [retry.delay_seconds(attempts, never) for attempts in (1, 2, 50)] == [3, 3, 3]


@pytest.mark.parametrize("factor", [2.0, 2, 10, 1.0001])
def test_a_million_attempts_do_not_overflow(factor):
    assert Retry(factor=factor).delay_seconds(1_000_000, never) == 3600


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, 3.0), (0.5, 4.0), (0.75, 4.5), (1.0, 5.0)])
def test_jitter_shortens_or_lengthens_by_its_share(drawn, delay):
    assert Retry(jitter=0.25).delay_seconds(2, lambda: drawn) == pytest.approx(delay)


@given(
    st.integers(1, 10**6),
    st.floats(0, 3600),
    st.floats(1, 100),
    st.floats(0, 86400),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_never_negative_nor_far_over_the_cap(attempts, base, factor, cap, jitter, drawn):
    delay = Retry(base, factor, cap, jitter).delay_seconds(attempts, lambda: drawn)
    assert 0 <= delay <= cap * (1 + jitter)


def test_of_a_list_of_delays_the_last_repeats():
    delays = Delays((1, 10, 60))
    assert [delays.delay_seconds(attempts, never) for attempts in (1, 2, 3, 4, 10**6)] == [1, 10, 60, 60, 60]


# Whose word counts

pauses = st.one_of(
    st.none(),
    st.builds(Retry, st.floats(0, 100), st.floats(1, 10), st.floats(100, 1000), st.floats(0, 1)),
    st.builds(Delays, st.lists(st.floats(0, 100), min_size=1, max_size=5).map(tuple)),
)
policies = st.builds(RetryPolicy, st.none() | st.integers(0, 10), pauses)
RULE = RetryPolicy(5, Retry())


@pytest.mark.parametrize(
    ("policy", "tries"),
    [
        (RetryPolicy(2), 2),
        (RetryPolicy(0), 0),
        (RetryPolicy(pauses=Delays((1, 2, 3))), 3),
        (RetryPolicy(7, Delays((1, 2, 3))), 7),
        (RetryPolicy(1, Delays((1, 2, 3))), 1),
        (RetryPolicy(pauses=Retry(1)), 5),
        (OPEN, 5),
    ],
)
def test_a_list_stands_for_its_length_unless_a_number_stands_beside_it(policy, tries):
    delays = [policy.over(RULE).delay_seconds(attempts, never) for attempts in range(1, 20)]
    assert [delay is None for delay in delays] == [False] * tries + [True] * (19 - tries)


def test_a_list_of_the_job_counts_for_more_than_a_number_of_the_handler():
    job, handler = RetryPolicy(pauses=Delays((1, 2))), RetryPolicy(9, Retry(50))
    assert [job.over(handler).over(RULE).delay_seconds(attempts, never) for attempts in (1, 2, 3)] == [
        1,
        2,
        None,
    ]


@given(policies, policies, st.integers(1, 20))
def test_the_first_that_says_it_has_its_way(job, handler, attempts):
    told = job.over(handler).over(RULE).delay_seconds(attempts, never)
    limit = next(policy.limit for policy in (job, handler, RULE) if policy.limit is not None)
    wanted = next(policy.pauses for policy in (job, handler, RULE) if policy.pauses is not None)
    assert told == (None if attempts > limit else wanted.delay_seconds(attempts, never))


@given(policies, policies, policies)
def test_in_which_order_policies_are_laid_over_each_other_makes_no_difference(job, handler, rule):
    assert job.over(handler).over(rule) == job.over(handler.over(rule))


def test_where_nobody_says_how_many_tries_there_are_each_is_the_last():
    assert RetryPolicy(None, Retry()).delay_seconds(1, never) is None
    assert RetryPolicy(5, None).delay_seconds(1, never) is None


@given(pauses.filter(lambda pauses: pauses is not None))
def test_what_is_written_into_a_spec_reads_as_it_was(pauses):
    assert check_retry(pauses.to_wire()) == check_retry(pauses) == pauses
