"""Patience with a machine that does much besides: it may hold any process up, in the middle of whatever that does."""

import math
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from bananasd import ConnectionFailed

TRIES = 5

T = TypeVar("T")


class Try:
    """One try, and how many ``seconds`` it took."""

    def __init__(self, late: type[Exception] | tuple[()]) -> None:
        self.seconds = math.nan
        self._late = late

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> bool:
        is_late = kind is not None and issubclass(kind, self._late)
        self.seconds = math.inf if is_late else time.monotonic() - self._began
        return is_late


def tries(less_than: float, *, at_least: float = 0, late: type[Exception] | tuple[()] = ()) -> Iterator[Try]:
    """Try a thing until it takes less than so many seconds; it may never take less than ``at_least``.

    Now and then it is the machine that takes longer; each time it is what is tried. ``late``: what a try raises that
    was held up for too long.
    """
    took: list[float] = []
    while not took or took[-1] >= less_than:
        assert len(took) < TRIES, f"not once in less than {less_than} s: {took}"
        attempt = Try(late)
        yield attempt
        assert attempt.seconds >= at_least, f"less than {at_least} s"
        took.append(attempt.seconds)


def assert_soon(seconds: float, attempt: Callable[[], float]) -> None:
    """The same for attempts that tell themselves how many seconds they took."""
    took = [attempt()]
    while took[-1] >= seconds:
        assert len(took) < TRIES, f"not once in less than {seconds} s: {took}"
        took.append(attempt())


def assert_once(is_soon: Callable[[], bool], attempts: int = TRIES) -> None:
    """The same for attempts that tell whether they were in time."""
    assert any(is_soon() for _ in range(attempts)), f"not once in {attempts} tries: {is_soon}"


def insist(do: Callable[[], T]) -> T:
    """Again, as a user would whose command failed."""
    for _ in range(TRIES):
        try:
            return do()
        except ConnectionFailed:
            pass
    return do()
