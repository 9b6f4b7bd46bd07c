"""Durations and instants, as people type and read them."""

from datetime import datetime

import click

from .. import clock
from ..durations import seconds_of
from ..limits import MAX_SECONDS


def duration(text: str) -> float:
    """Seconds from ``90``, ``90s``, ``1.5m``, ``2h``, ``1d`` or ``1h30m``; for an option's type."""
    seconds = seconds_of(text)
    if seconds is None or seconds > MAX_SECONDS:
        raise click.BadParameter(f"{text!r} is not a duration: want seconds, or a number with s, m, h or d")
    return seconds


def some_time(text: str) -> float:
    """A duration that is more than none; for an option's type."""
    seconds = duration(text)
    if not seconds:
        raise click.BadParameter(f"{text!r} is no time at all: want more than 0 seconds")
    return seconds


def instant(text: str) -> datetime:
    """An aware datetime from ISO 8601, at most a century ahead; for an option's type."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a date and time such as 2030-01-31T09:00:00+01:00"
        ) from None
    if when.utcoffset() is None:
        raise click.BadParameter(
            f"{text!r} has no time zone: end it with Z for UTC, or an offset such as +01:00"
        )
    if clock.to_ms(when) - clock.now_ms() > 1000 * MAX_SECONDS:
        raise click.BadParameter(f"{text!r} is more than a century ahead")
    return when
