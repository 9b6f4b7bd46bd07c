"""What two looks at a daemon tell about the time between them. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..processes.control import ChildView, NodeView
from ..processes.usage import Usage
from ..store.rates import Counted, rates_between
from ..store.stats import QueueStats


class Look(NamedTuple):
    """What was to be seen at one moment, ``at`` by the monotonic clock.

    ``queues`` is None if the server could not be asked; ``trouble`` says why. ``usage`` is by pid.
    """

    at: float
    nodes: Sequence[NodeView]
    usage: Mapping[int, Usage]
    queues: QueueStats | None
    trouble: str


def queue_rates(before: Look | None, now: Look) -> Mapping[str, float]:
    """By how much each counter has grown a second since the look before, or as the daemons have kept it."""
    if now.queues is None:
        return {}
    if before is None or before.queues is None:
        return now.queues.rates
    then, present = (
        Counted(round(1000 * look.at), look.queues.counters) for look in (before, now) if look.queues
    )
    return rates_between(then, present)


def cpu_percents(before: Look | None, now: Look) -> dict[int, float]:
    """By pid, what each process has had of one core since the look before, or since it began if that was later."""
    percents = {}
    for pid, up_seconds in _up_seconds(now).items():
        used = _cpu_seconds(now, pid)
        used_before = _cpu_seconds(before, pid) if before else None
        seconds = up_seconds if before is None or used_before is None else now.at - before.at
        if used is not None and seconds > 0:
            percents[pid] = 100 * max(0.0, used - (used_before or 0)) / seconds
    return percents


def done_per_second(before: Look | None, now: Look, node: NodeView) -> float:
    """How many jobs the workers of a node have completed a second; the same, for each of them."""
    done_before = {
        (seen.node, child.generation): child.done for seen in (before.nodes if before else ()) for child in seen.children
    }  # fmt: skip
    return sum(
        _done_rate(child, done_before.get((node.node, child.generation)), before, now)
        for child in node.children
    )


def _done_rate(child: ChildView, done_before: int | None, before: Look | None, now: Look) -> float:
    seconds = child.up_seconds if before is None or done_before is None else now.at - before.at
    return (child.done - (done_before or 0)) / seconds if seconds > 0 else 0.0


def _cpu_seconds(look: Look, pid: int) -> float | None:
    used = look.usage.get(pid)
    return used.cpu_seconds if used else None


def _up_seconds(look: Look) -> dict[int, float]:
    """By pid, for how long each process has been there."""
    masters = {node.master_pid: node.up_seconds for node in look.nodes if node.is_running}
    return masters | {
        child.pid: child.up_seconds for node in look.nodes for child in node.children if child.pid
    }
