"""How many jobs one process submits a second: one a call, and many a call."""

from . import bare, yardstick
from .figure import Figure, Kind
from .ground import Ground, Sample, Side

KINDS = (
    Kind("one", "enqueue, one a call", "jobs/s", "yardstick, one a trip"),
    Kind("one", "enqueue, one a call", "jobs/s", "bare EVALSHA", "evalsha"),
    Kind("many", "enqueue, submit_many", "jobs/s", "yardstick, pipelined"),
)
TURNS = 3
"""More rounds than elsewhere: each is short."""


def measure(ground: Ground) -> list[Figure]:
    """Both figures."""
    rounds = ground.rounds(_sample, _sample_yardstick, rounds=TURNS * ground.size.rounds)
    return [kind.figure(rounds) for kind in KINDS]


def _sample(ground: Ground, side: Side) -> Sample:
    return {
        "one": side.submitter.rate("submit", ground.size.enqueued),
        "many": side.submitter.rate("submit_many", ground.size.enqueued_many),
    }


def _sample_yardstick(ground: Ground) -> Sample:
    return {
        "one": ground.yardstick.submit(ground.size.enqueued),
        "many": ground.yardstick.submit(ground.size.enqueued_many, yardstick.PIPELINE),
        "evalsha": bare.rate(ground.server, "evalsha", ground.size.trips),
    }
