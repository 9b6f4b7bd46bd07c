"""How runs ended, as a worker remembers it until the server has answered.

Each names the holder that it belongs to. It is sent as often as it takes: a repeat changes nothing.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple


class Completed(NamedTuple):
    """The run succeeded; ``result`` is JSON, empty for none."""

    holder: str
    job_id: str
    run: int
    result: bytes


class Retried(NamedTuple):
    """The run failed; the job comes back after ``delay_ms``."""

    holder: str
    job_id: str
    run: int
    delay_ms: int
    error: str


class Buried(NamedTuple):
    """The run failed, and the job for good."""

    holder: str
    job_id: str
    run: int
    error: str


class Released(NamedTuple):
    """The job did not start, or was interrupted with nothing counted: back to the front of its lane."""

    holder: str
    job_id: str
    run: int


Outcome = Completed | Retried | Buried | Released


def in_calls(outcomes: Iterable[Outcome]) -> Iterable[tuple[type[Outcome], str, list[Any]]]:
    """As the scripts take them: those of one kind and holder together, or one at a time."""
    for (kind, holder), group in groupby(outcomes, key=lambda outcome: (type(outcome), outcome.holder)):
        if kind in (Completed, Released):
            yield kind, holder, list(group)
        else:
            yield from ((kind, holder, [outcome]) for outcome in group)
