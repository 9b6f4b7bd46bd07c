"""Promises about time, on a machine that may be busy with other things."""

from collections.abc import Callable

TRIES = 5


def assert_soon(seconds: float, attempt: Callable[[], float]) -> None:
    """One of a few attempts takes less than so long: a busy machine delays some of them, a slow program all."""
    took = [attempt()]
    while took[-1] >= seconds:
        assert len(took) < TRIES, f"not once in less than {seconds} s: {took}"
        took.append(attempt())
