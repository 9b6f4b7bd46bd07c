"""What a stop waits for, in words."""

from collections.abc import Sequence
from typing import NamedTuple

from .views import ChildView, NodeView


class Left(NamedTuple):
    """What of a daemon is not done yet. ``what`` changes only with that, ``words`` also with the time."""

    what: str
    words: str


def what_is_left(nodes: Sequence[NodeView], master_pid: int) -> Left:
    """Of the daemon that has this master: its jobs as long as there are any, then its processes."""
    node = next((node for node in nodes if node.is_running and node.master_pid == master_pid), None)
    if node is not None and node.is_stopped:
        return _same(f"the master, which is stopped: 'kill -CONT {master_pid}' lets it go on")
    children = node.children if node else []
    if jobs := [child for child in children if child.job_seconds is not None]:
        return _left_of_jobs(jobs)
    return _same(f"{children[0].slot if children else 'the master'} to end{_and_more(children)}")


def _left_of_jobs(busy: Sequence[ChildView]) -> Left:
    longest = max(busy, key=lambda child: child.job_seconds or 0)
    job = f"{longest.slot}: {longest.job_name} {longest.job_id}"
    more = _and_more(busy)
    return Left(f"{job}{more}", f"{job} ({longest.job_seconds:.0f}s){more}")


def _and_more(all_of_them: Sequence[ChildView]) -> str:
    others = len(all_of_them) - 1
    return f", and {others} more" if others > 0 else ""


def _same(words: str) -> Left:
    return Left(words, words)
