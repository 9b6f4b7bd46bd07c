"""What the server gives to one that only asks: plain trips and calls of a script that does nothing."""

import time
from functools import partial
from typing import Any

from .figure import Figure, Kind
from .forks import in_children
from .ground import YARDSTICK, Ground, Sample
from .server import Server, trip

NOTHING = "return 1"
PROCESSES = (1, 2)


def kinds() -> list[Kind]:
    """Trips and calls, from one process and from two."""
    return [
        Kind(f"{what} {count}", f"{name}, {count} process{'es' * (count > 1)}", "trips/s")
        for what, name in (("ping", "bare round trips"), ("evalsha", "bare EVALSHA"))
        for count in PROCESSES
    ]


def measure(ground: Ground) -> list[Figure]:
    """Rates of round trips."""
    rounds = ground.rounds(sample_yardstick=_sample)
    return [kind.figure(rounds, YARDSTICK) for kind in kinds()]


def rate(server: Server, what: str, trips: int) -> float:
    """How many trips of this kind one process makes a second."""
    connection = server.connect()
    command = _command(connection, what)
    begin = time.perf_counter()
    for _ in range(trips):
        trip(connection, [command])
    seconds = time.perf_counter() - begin
    connection.disconnect()
    return trips / seconds


def _sample(ground: Ground) -> Sample:
    return {
        f"{what} {count}": sum(
            in_children(count, partial(_rate_of_child, ground.server, what, ground.size.trips))
        )
        for what in ("ping", "evalsha")
        for count in PROCESSES
    }


def _rate_of_child(server: Server, what: str, trips: int, _number: int) -> float:
    return rate(server, what, trips)


def _command(connection: Any, what: str) -> tuple[Any, ...]:
    if what == "ping":
        return ("PING",)
    return ("EVALSHA", trip(connection, [("SCRIPT", "LOAD", NOTHING)])[0], 0)
