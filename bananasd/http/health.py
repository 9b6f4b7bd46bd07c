"""Whether the daemon lives, and whether it does its work: what a supervisor's probes ask. Pure.

Anybody may ask, so nothing is told that has a name, an address or an error's text in it.
"""

from collections.abc import Iterator

from ..processes.views import ChildView, NodeView

NO_ANSWER = "the Redis server does not answer"
REFUSES = "the Redis server refuses"

LIVE_SECONDS = 5.0
"""A master turns its loop four times a second; one that has not for so long hangs."""


def is_live(silent_seconds: float) -> bool:
    """Whether the master's loop turns."""
    return silent_seconds < LIVE_SECONDS


def reasons_not_ready(node: NodeView, silent_seconds: float, server_trouble: str) -> Iterator[str]:
    """Why no work is done here at the moment; none if it is. ``server_trouble``: one of those below, or "" if there is none."""
    if not is_live(silent_seconds):
        yield f"the master has not turned its loop for {silent_seconds:.0f} s"
    if node.phase == "draining":
        yield "the daemon drains"
    up = [child for child in node.children if child.state == "up"]
    schedulers, workers = ([child for child in up if child.kind == kind] for kind in ("scheduler", "worker"))
    if not schedulers:
        yield "the scheduler is not up"
    if not workers:
        slots = {child.slot for child in node.children if child.kind == "worker"}
        yield f"no worker is up, of {len(slots)}"
    if server_trouble:
        yield server_trouble
    else:
        # It answers this process: others may find no way to it, or no room.
        if schedulers and not _reach(schedulers):
            yield "the scheduler does not reach the Redis server"
        if workers and not _reach(workers):
            yield f"no worker reaches the Redis server, of {len(workers)} that are up"


def _reach(children: list[ChildView]) -> bool:
    return any(child.server == "there" for child in children)
