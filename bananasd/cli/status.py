"""``bananasd status``: the daemon's processes, as its board shows them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ..durations import brief
from ..errors import DaemonError, NotRunning
from ..processes.control import NodeView, nodes, running_pid
from ..processes.usage import Usage, usages
from ..settings import Config
from .nodes import UNKNOWN, Taken, fold, node_lines
from .output import columns, echo_json, json_option, size
from .server import takes_config, trouble_with


@click.command()
@json_option
@takes_config
def status(config: Config, as_json: bool) -> None:
    """Show the daemon and what each of its processes does.

    It reads the board that they write to, so it answers even if the daemon is stuck or Redis is gone, and says if
    that is so. PSS is a process's share of memory, CPU the time that it has used. The exit code is 1 if no daemon is
    running.
    """
    found = nodes(config.run_dir)
    usage = usages(pids_of(found))
    is_running = any(node.is_running for node in found)
    trouble = trouble_with(config) if is_running else ""
    if as_json:
        echo_json([_to_dict(node, usage) | {"redis_error": trouble or None} for node in found])
    else:
        _echo(found, usage, trouble)
    if not is_running:
        raise absence(config.run_dir)


def pids_of(found: Iterable[NodeView]) -> list[int]:
    """The processes of those daemons that are running."""
    return [
        pid
        for node in found
        if node.is_running
        for pid in (node.master_pid, *(child.pid for child in node.children))
        if pid
    ]


def absence(run_dir: Path) -> DaemonError:
    """Why there is no daemon to show."""
    pid = running_pid(run_dir)
    if pid is None:
        return NotRunning(run_dir)
    return DaemonError(f"the daemon (pid {pid}) is only just starting, or about to end")


def _echo(found: Iterable[NodeView], usage: Mapping[int, Usage], trouble: str) -> None:
    taken = to_taken(usage)
    lines = [line for node in found for line in node_lines(node, taken, columns())]
    if trouble:
        lines += fold(f"redis cannot be reached: {trouble}", columns(), "bad")
    for line in lines:
        click.echo(line.text)


def to_taken(usage: Mapping[int, Usage]) -> dict[int, Taken]:
    """What processes take, as ``status`` shows it."""
    return {pid: Taken(show_pss(one), _cpu_time(one)) for pid, one in usage.items()}


def show_pss(usage: Usage) -> str:
    """Its memory, for people."""
    return UNKNOWN if usage.pss_bytes is None else size(usage.pss_bytes)


def _cpu_time(usage: Usage) -> str:
    return UNKNOWN if usage.cpu_seconds is None else brief(usage.cpu_seconds)


def _to_dict(node: NodeView, usage: Mapping[int, Usage]) -> dict[str, Any]:
    children = [child._asdict() | _of(child.pid, usage) for child in node.children]
    if not any(child["pool"] for child in children):
        for child in children:
            del child["pool"]
    return node._asdict() | _of(node.master_pid, usage) | {"children": children}


def _of(pid: int, usage: Mapping[int, Usage]) -> dict[str, Any]:
    return usage.get(pid, Usage(None, None))._asdict()
