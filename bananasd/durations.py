"""Durations as people write them."""

import re

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
