"""The two forms of the suite: short, with quick settings, in every test run; long, with default ones, in ``make faults``."""

import os
from typing import Any, TypeVar

IS_LONG = os.environ.get("BANANASD_FAULTS") == "long"

T = TypeVar("T")


def either(short: T, long: T) -> T:
    """What holds in the form that runs."""
    return long if IS_LONG else short


SETTINGS: dict[str, dict[str, Any]] = either(
    {
        "redis": {"timeout_seconds": 1},
        "workers": {"count": 2, "grace_seconds": 1},
        "master": {"drain_seconds": 8},
        "scheduler": {"beat_seconds": 0.2, "lease_seconds": 1},
        "retry": {"base_seconds": 0.1},
    },
    {
        "redis": {"timeout_seconds": 5},
        "workers": {"count": 2, "grace_seconds": 5},
        "master": {"drain_seconds": 30},
        "scheduler": {"beat_seconds": 3, "lease_seconds": 15},
        "retry": {"base_seconds": 2},
    },
)
LEASE_SECONDS: float = SETTINGS["scheduler"]["lease_seconds"]
DRAIN_SECONDS: float = SETTINGS["master"]["drain_seconds"]
PATIENCE_SECONDS = either(20, 120)
"""How long a condition is waited for."""
LATE_SECONDS = either(10, 0)
"""How much later than promised things may happen where much else is done besides: the long form has the machine for itself."""
