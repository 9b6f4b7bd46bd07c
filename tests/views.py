"""Daemons as ``status`` and ``top`` see them, made up for tests."""

from bananasd.processes.control import ChildView, NodeView


def make_child(slot: str = "worker 0", **values) -> ChildView:
    """An idle child that is up, but for what is given."""
    return ChildView(
        **{
            "slot": slot, "kind": slot.split(maxsplit=1)[0], "pid": 22443, "state": "up", "up_seconds": 11520.0,
            "job_id": "", "job_name": "", "job_seconds": None, "done": 0, "failed": 0, "restarts": 0, "crashes": 0,
            "last_end": "", "starts_in_seconds": None, "generation": 1, "is_stopped": False,
        } | values
    )  # fmt: skip


def make_node(*children: ChildView, **values) -> NodeView:
    """A daemon that runs, but for what is given."""
    return NodeView(
        **{
            "node": "web1-5c0ffee5", "master_pid": 22440, "is_running": True, "is_stopped": False, "phase": "running",
            "up_seconds": 11530.0, "slots": len(children), "children": list(children),
        } | values
    )  # fmt: skip
