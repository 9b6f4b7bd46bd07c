"""The beat: the node's sign of life, by which it keeps its lease and learns which of its jobs it has lost."""

from collections.abc import Mapping

import orjson

from ..store.store import Store
from .board import Board
from .row import Kind, Row, Word


class Beater:
    """Tells the server that the node lives and what it does; ``about`` is what never changes of that."""

    def __init__(self, store: Store, board: Board, lease_ms: int, about: Mapping[str, object]) -> None:
        self._store = store
        self._board = board
        self._lease_ms = lease_ms
        self._about = about

    def beat(self) -> None:
        """Extend the lease; mark the running jobs whose holders have been recovered meanwhile, for the master."""
        armed = self._armed_rows()
        about = orjson.dumps({**self._about, "children": self._children()})
        for holder in self._store.beat(self._board.node, self._lease_ms, about, list(armed)):
            row, number = armed[holder]
            row.words[Word.LOST] = number

    def _armed_rows(self) -> dict[str, tuple[Row, int]]:
        """The holders whose jobs are running right now, with the job's number."""
        armed = {}
        for row in self._board.used_rows():
            number, holder = row.words[Word.ARMED], row.holder(self._board.node)
            # Looked at again: the number and the trip must belong together.
            if number and row.is_living and row.words[Word.ARMED] == number:
                armed[holder] = (row, number)
        return armed

    def _children(self) -> list[dict[str, object]]:
        return [_about(row) for row in self._board.used_rows()]


def _about(row: Row) -> dict[str, object]:
    job = row.job() if row.kind is Kind.WORKER else None
    return {
        "slot": row.slot_name,
        "pid": row.words[Word.PID],
        "state": row.state.name.lower(),
        "job": job and {"id": job.job_id, "name": job.name},
    }
