"""Durations as people write and read them."""

import re

_LONGEST_SECONDS = 10_000 * 365 * 86400
"""What is longer, or has no end, is shown as this."""

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER = r"\d+(?:\.\d+)?"
_ONE = re.compile(rf"({_NUMBER})\s*([smhd]?)")
_PARTS = re.compile(rf"(?:{_NUMBER}\s*d\s*)?(?:{_NUMBER}\s*h\s*)?(?:{_NUMBER}\s*m\s*)?(?:{_NUMBER}\s*s)?")


def seconds_of(text: str) -> float | None:
    """Seconds from ``90``, ``90s``, ``1.5m``, ``2h``, ``1d`` or ``1h30m``; None if it is no duration."""
    text = text.strip()
    if not text or not (_ONE.fullmatch(text) or _PARTS.fullmatch(text)):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _ONE.findall(text))


def brief(seconds: float) -> str:
    """A duration in at most six characters or so: ``0.4s``, ``42s``, ``3m07s``, ``5h02m``, ``12d03h``, ``365d``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(min(seconds, _LONGEST_SECONDS))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole // 60 % 60:02}m"
    if whole < 100 * 86400:
        return f"{whole // 86400}d{whole // 3600 % 24:02}h"
    return f"{whole // 86400}d"
