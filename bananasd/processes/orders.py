"""Orders: cancels of jobs that run on this node are carried into the rows of its board, where the master finds them."""

from collections.abc import Sequence
from typing import Any

from ..store import orders
from ..store.calls import Call
from ..store.keys import Keys
from ..store.orders import Order
from .board import Board
from .row import Kind, Row, Word

LOOK_AGAIN_SECONDS = 0.05


class Orders:
    """What has been carried out, so that it can be struck out; what cannot be yet is asked for again."""

    def __init__(self, board: Board, namespace: str) -> None:
        self._board = board
        self._keys = Keys(namespace)
        self._done: list[str] = []

    def reading(self) -> Call:
        """The call that tells what there is to do."""
        return orders.reading(self._keys, self._board.node, self._done)

    def carry_out(self, reply: Sequence[Any]) -> float | None:
        """Do what its reply says; after how many seconds to look again, since a run of a batch has not begun. None: no need."""
        rows = {row.holder(self._board.node): row for row in self._board.used_rows() if _may_run(row)}
        wanted = orders.read(reply)
        # What the last reading struck out is not among them.
        self._done = [order.words for order in wanted if _carry_out(order, rows.get(order.holder))]
        return LOOK_AGAIN_SECONDS if len(self._done) < len(wanted) else None


def _may_run(row: Row) -> bool:
    return row.words[Word.KIND] == Kind.WORKER and row.is_living


def _carry_out(order: Order, row: Row | None) -> bool:
    """Whether that is all that can be done: the jobs of a worker that is gone are recovered, which ends them."""
    if row is None:
        return True
    job = row.job()
    if job is None or (job.job_id, job.run) != (order.job_id, order.run):
        return False
    row.cancel(job.number, is_hard=order.is_hard)
    return True
