"""The beat: the node's sign of life, by which it keeps its lease and learns which of its jobs it has lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from .. import clock
from ..store.keys import Lane
from ..store.store import Store
from .board import Board, Phase
from .pace import Pace
from .row import Kind, Reach, Row, State, Word

SERVING = (State.STARTING, State.UP)
"""A worker that ends its last job, or has crashed and is not back yet, serves no lane; nor does one that has lost the server."""


SOON_SECONDS = 1.0
"""After an outage the workers are back within this time of the scheduler."""


@dataclass(frozen=True, slots=True)
class About:
    """What never changes of what a node tells of itself; ``lanes``: those of each pool, by its name.

    ``max_retries`` is that of its configuration.
    """

    host: str
    master_pid: int
    lanes: Mapping[str, Sequence[Lane]]
    max_retries: int


class Beater:
    """Tells the server that the node lives and what it does."""

    def __init__(self, store: Store, board: Board, lease_ms: int, about: About) -> None:
        self._store = store
        self._board = board
        self._lease_ms = lease_ms
        self._about = about
        self._pace = Pace(board.tallies or ())

    def beat(self) -> float | None:
        """Extend the lease; mark the running jobs whose holders have been recovered meanwhile, for the master.

        Return in how many seconds what was said may have changed, if that is soon.
        """
        armed = self._armed_rows()
        for holder in self._store.beat(self._board.node, self._lease_ms, self._said(), list(armed)):
            row, number = armed[holder]
            row.words[Word.LOST] = number
        return SOON_SECONDS if any(map(_has_lost_server, self._board.used_rows())) else None

    def _said(self) -> bytes:
        return orjson.dumps(
            {
                "host": self._about.host,
                "master_pid": self._about.master_pid,
                "max_retries": self._about.max_retries,
                "lanes": self._workers_by_lane(),
                **self._why_idle(),
                "runs_per_second": self._pace.per_second(clock.monotonic()),
                "children": [_describe(row) for row in self._board.used_rows()],
            }
        )

    def _workers_by_lane(self) -> Mapping[str, int]:
        """How many workers take jobs of each lane; a worker and its successor count once."""
        if self._board.is_quiet:
            return {}
        serving = {
            (row.words[Word.SLOT], row.pool)
            for row in self._board.used_rows()
            if row.kind is Kind.WORKER and row.state in SERVING and not _has_lost_server(row)
        }
        return Counter(str(lane) for _, pool in serving for lane in self._about.lanes.get(pool, ()))

    def _why_idle(self) -> Mapping[str, object]:
        """Why it takes no jobs though nothing is amiss, and of which lanes it would; nothing while it does."""
        if self._board.phase is Phase.RUNNING and not self._board.is_quiet:
            return {}
        phase = "quiet" if self._board.phase is Phase.RUNNING else "draining"
        lanes = {str(lane) for pool in self._about.lanes.values() for lane in pool}
        return {"phase": phase, "would_serve": sorted(lanes)}

    def _armed_rows(self) -> dict[str, tuple[Row, int]]:
        """The holders whose jobs are running right now, with the job's number."""
        armed = {}
        for row in self._board.used_rows():
            number, holder = row.words[Word.ARMED], row.holder(self._board.node)
            # Looked at again: the number and the trip must belong together.
            if number and row.is_living and row.words[Word.ARMED] == number:
                armed[holder] = (row, number)
        return armed


def _has_lost_server(row: Row) -> bool:
    return row.kind is Kind.WORKER and row.is_living and row.words[Word.SERVER] == Reach.LOST


def _describe(row: Row) -> dict[str, object]:
    job = row.job() if row.kind is Kind.WORKER else None
    return {
        "slot": row.slot_name,
        **({"pool": row.pool} if row.pool else {}),
        "pid": row.words[Word.PID],
        "generation": row.generation,
        "state": row.state.name.lower(),
        "job": job and {"id": job.job_id, "name": job.name},
    }
