"""``bananasd status``: the daemon's processes, as its board shows them."""

from typing import Any

import click

from ..config import Config
from ..errors import NotRunning
from ..processes.control import ChildView, NodeView, nodes
from .output import columns, echo_json, echo_table, json_option, shorten
from .server import takes_config
from .times import brief

HEADER = ("SLOT", "STATE", "PID", "UP", "DONE", "FAILED", "STARTS", "JOB")


@click.command()
@json_option
@takes_config
def status(config: Config, as_json: bool) -> None:
    """Show the daemon and what each of its processes does.

    It reads the board that they write to, so it answers even if the daemon is stuck or Redis is gone. The exit
    code is 1 if no daemon is running.
    """
    found = nodes(config.run_dir)
    if as_json:
        echo_json([_to_dict(node) for node in found])
    else:
        for node in found:
            _echo(node)
    if not any(node.is_running for node in found):
        raise NotRunning(config.run_dir)


def _echo(node: NodeView) -> None:
    if not node.is_running:
        click.echo(f"{node.node}  gone, was pid {node.master_pid}; the next start takes care of its jobs")
        return
    click.echo(f"{node.node}  {node.phase}, pid {node.master_pid}, up {brief(node.up_seconds)}")
    rows = [_row(child) for child in node.children]
    lengths = (max(map(len, column)) for column in zip(HEADER[:-1], *(row[:-1] for row in rows), strict=True))
    room = max(columns() - sum(length + 2 for length in lengths), len(HEADER[-1]))
    echo_table(HEADER, [(*row[:-1], shorten(row[-1], room)) for row in rows])


def _row(child: ChildView) -> tuple[str, ...]:
    return (
        child.slot,
        child.state,
        str(child.pid),
        brief(child.up_seconds),
        f"{child.done:,}",
        f"{child.failed:,}",
        f"{child.restarts + 1:,}",
        "" if child.job_seconds is None else f"{brief(child.job_seconds)} {child.job_name} {child.job_id}",
    )


def _to_dict(node: NodeView) -> dict[str, Any]:
    return node._asdict() | {"children": [child._asdict() for child in node.children]}
