"""What a claim brings: jobs as they are handed over, or why there are none."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .calls import text
from .keys import Lane


class Claimed(NamedTuple):
    """A job as claim hands it over; ``spec`` may still turn out unreadable."""

    lane: str
    job_id: str
    run: int
    spec: bytes
    attempts: int
    recoveries: int
    due_ms: int | None
    started_ms: int


class Claim(NamedTuple):
    """What a claim brought. ``is_gone``: the holder may no longer claim. ``is_cut``: look again at once."""

    jobs: list[Claimed]
    is_gone: bool = False
    is_cut: bool = False


def read_claim(reply: list[Any], lanes: Sequence[Lane]) -> Claim:
    """What the script ``claim`` said, which was given these lanes."""
    if reply[0] != b"ok":
        return Claim([], is_gone=reply[0] == b"gone", is_cut=reply[0] == b"again")
    now, names = reply[1], [str(lane) for lane in lanes]
    return Claim(
        [
            Claimed(
                names[lane],
                text(job_id),
                run,
                spec,
                int(attempts),
                int(recoveries),
                int(due) if due else None,
                now,
            )
            for lane, job_id, run, spec, attempts, recoveries, due in zip(*[iter(reply[2:])] * 7, strict=True)
        ]
    )
