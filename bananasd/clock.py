"""All reading of time: wall-clock milliseconds for records, monotonic seconds for deadlines."""

import time
from datetime import UTC, datetime, timedelta

monotonic = time.monotonic
monotonic_ns = time.monotonic_ns
sleep = time.sleep

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_ms() -> int:
    """The wall clock of this host, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def deadline_in(seconds: float) -> float:
    """The monotonic instant that lies ``seconds`` ahead."""
    return monotonic() + seconds


def remaining(deadline: float) -> float:
    """Seconds until a deadline, 0 when it has passed."""
    return max(0.0, deadline - monotonic())


def to_datetime(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware datetime in UTC."""
    return EPOCH + timedelta(milliseconds=ms)


def datetime_or_none(ms: float) -> datetime | None:
    """The same, of a number that anybody may have written; None for what is beyond the years of a datetime."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return None


def to_ms(instant: datetime) -> int:
    """An aware datetime as whole milliseconds since the epoch."""
    return (instant - EPOCH) // timedelta(milliseconds=1)
