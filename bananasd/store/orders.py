"""Orders: what cancels of running jobs ask of a node, as they stand in its list."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .calls import Call, text
from .keys import Keys
from .scripts import script


class Order(NamedTuple):
    """This run is to end; ``words`` is how the list has it."""

    holder: str
    job_id: str
    run: int
    is_hard: bool
    words: str


def reading(keys: Keys, node: str, done: Sequence[str]) -> Call:
    """The call that strikes out those that are done, by their words, and tells the others; see `read`."""
    return Call(script("read_orders"), [keys.orders(node)], (keys.prefix, *done))


def read(reply: Sequence[Any]) -> list[Order]:
    """The orders in the reply of a `reading`: of runs that go on, as far as the server knows."""
    return list(map(_order, map(text, reply)))


def _order(words: str) -> Order:
    holder, job_id, run, mode = words.rsplit(" ", 3)
    return Order(holder, job_id, int(run), mode == "hard", words)
