"""From which lanes the jobs are that run now, on all nodes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .calls import checked, text
from .connection import Transport
from .keys import keys_of
from .scripts import Command

MAX_LOOK = 1000
"""How many records are looked at; of the other jobs only the number is told, under no lane."""


class Held:
    """Three trips to the server."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._keys = keys_of(namespace)
        self._transport = transport

    def by_lane(self) -> Mapping[str, int]:
        """How many jobs of each lane are held; under "" those of which nobody knows."""
        (holders,) = self._ask(("SMEMBERS", self._keys.holders))
        held = self._ask(*(("LRANGE", self._keys.held(text(one)), 0, MAX_LOOK - 1) for one in holders))
        ids = [job_id for ids in held for job_id in ids]
        lanes = self._ask(*(("HGET", self._keys.job(text(job_id)), "lane") for job_id in ids[:MAX_LOOK]))
        counted = Counter(text(lane or b"") for lane in lanes)
        counted[""] += len(ids) - len(lanes)
        return +counted

    def _ask(self, *commands: Command) -> Sequence[Any]:
        return checked(self._transport.trip(commands)) if commands else []
