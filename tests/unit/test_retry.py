"""How long a failed job waits before its next attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd.retry import RetryPolicy


def never() -> float:
    return 0.5


def test_the_default_delays_double_from_two_seconds():
    policy = RetryPolicy()
    assert [policy.delay_seconds(attempts, never) for attempts in range(1, 6)] == [2, 4, 8, 16, 32]


def test_the_delay_is_capped():
    policy = RetryPolicy(cap_seconds=10)
    assert [policy.delay_seconds(attempts, never) for attempts in (2, 3, 4, 100)] == [4, 8, 10, 10]


def test_a_factor_of_one_keeps_the_delay():
    policy = RetryPolicy(base_seconds=3, factor=1)
    assert [policy.delay_seconds(attempts, never) for attempts in (1, 2, 50)] == [3, 3, 3]


@pytest.mark.parametrize("factor", [2.0, 2, 10, 1.0001])
def test_a_million_attempts_do_not_overflow(factor):
    assert RetryPolicy(factor=factor).delay_seconds(1_000_000, never) == 3600


@pytest.mark.parametrize(("drawn", "delay"), [(0.0, 3.0), (0.5, 4.0), (0.75, 4.5), (1.0, 5.0)])
def test_jitter_shortens_or_lengthens_by_its_share(drawn, delay):
    assert RetryPolicy(jitter=0.25).delay_seconds(2, lambda: drawn) == pytest.approx(delay)


@given(
    st.integers(1, 10**6),
    st.floats(0, 3600),
    st.floats(1, 100),
    st.floats(0, 86400),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_never_negative_nor_far_over_the_cap(attempts, base, factor, cap, jitter, drawn):
    delay = RetryPolicy(5, base, factor, cap, jitter).delay_seconds(attempts, lambda: drawn)
    assert 0 <= delay <= cap * (1 + jitter)
