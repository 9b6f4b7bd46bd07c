"""A daemon as lines of text, for ``status`` and ``top``; they fit into 80 columns whatever there is to show."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..durations import brief
from ..processes.control import ChildView, NodeView
from .output import compact, count, one_line, printable, shorten, table, width

HEADER = ("SLOT", "PID", "STATE", "UP", "DONE", "FAILED", "RESTARTS", "PSS", "CPU")
TO_RIGHT = frozenset(HEADER) - {"SLOT", "STATE"}
INDENT = "    "
UNKNOWN = "-"
STOPPED, GONE = "STOPPED", "GONE"


class Line(NamedTuple):
    """A line, and what kind it is: ``title``, ``head``, ``good``, ``note``, ``bad`` or nothing special."""

    text: str
    kind: str = ""


class Taken(NamedTuple):
    """What a process takes of the machine, as it is to be shown."""

    pss: str
    cpu: str


def node_lines(node: NodeView, taken: Mapping[int, Taken], room: int, also: str = "") -> Iterator[Line]:
    """A daemon and its processes; ``taken`` is by pid, ``room`` how many columns there are, ``also`` what else to tell."""
    if not node.is_running:
        gone = f"gone, was pid {node.master_pid}; the next start takes care of its jobs"
        yield from fold(f"{node.node}: {gone}", room, "bad")
        children = [child._replace(state=GONE.lower()) for child in node.children]
        yield from _table([], children, {}, room)
        return
    yield from fold(f"{node.node}: {', '.join(filter(None, (_summary(node), also)))}", room, "title")
    yield from fold(f"{INDENT}{_advice(node)}", room, "bad" if node.is_stopped else "note")
    yield from _table([_master_row(node, taken)], node.children, taken, room)


def _table(
    above: Sequence[tuple[str, ...]], children: Sequence[ChildView], taken: Mapping[int, Taken], room: int
) -> Iterator[Line]:
    """The children as rows, each with what there is to say of it, and rows above them; pools under their names."""
    children = by_pool(children)
    rows = [*above, *(_child_row(child, taken) for child in children)]
    if not rows:
        return
    head, *lines = table(HEADER, rows, TO_RIGHT)
    yield Line(head, "head")
    yield from (Line(line, _kind(row[2])) for row, line in zip(above, lines, strict=False))
    pool = ""
    for child, line in zip(children, lines[len(above) :], strict=True):
        if child.pool != pool:
            pool = child.pool
            yield Line(shorten(f"pool {pool}", room), "head")
        yield Line(line, _kind(_state(child)))
        yield from _notes(child, room)


def by_pool(children: Sequence[ChildView]) -> list[ChildView]:
    """Those of named pools behind the others, pool by pool, else in the order in which they are."""
    pools = list(dict.fromkeys(["", *(child.pool for child in children)]))
    return sorted(children, key=lambda child: pools.index(child.pool))


def _summary(node: NodeView) -> str:
    phase = f"stopped while {node.phase}" if node.is_stopped else node.phase
    workers = {child.slot for child in node.children if child.kind == "worker"}
    busy = sum(child.job_seconds is not None for child in node.children)
    return f"{phase}, up {brief(node.up_seconds)}, {count(len(workers), 'worker')}, {busy:,} busy"


def _advice(node: NodeView) -> str:
    go_on = f"'kill -CONT {node.master_pid}' lets it go on"
    if node.is_stopped:
        return f"its master is stopped by a signal or a debugger and looks after nothing; {go_on}"
    return f"it takes no more jobs; {go_on}" if node.phase == "quiet" else ""


def _master_row(node: NodeView, taken: Mapping[int, Taken]) -> tuple[str, ...]:
    state = STOPPED if node.is_stopped else "UP"
    nothing = (UNKNOWN, UNKNOWN, UNKNOWN)
    return (
        "master", str(node.master_pid), state, brief(node.up_seconds), *nothing, *_taken(taken, node.master_pid)
    )  # fmt: skip


def _child_row(child: ChildView, taken: Mapping[int, Taken]) -> tuple[str, ...]:
    is_worker = child.kind == "worker"
    return (
        child.slot,
        str(child.pid or UNKNOWN),
        _state(child),
        brief(child.up_seconds) if child.pid and child.state != GONE.lower() else UNKNOWN,
        compact(child.done) if is_worker else UNKNOWN,
        compact(child.failed) if is_worker else UNKNOWN,
        compact(child.restarts),
        *_taken(taken, child.pid),
    )


def _taken(taken: Mapping[int, Taken], pid: int) -> Taken:
    return taken.get(pid, Taken(UNKNOWN, UNKNOWN))


def _state(child: ChildView) -> str:
    return STOPPED if child.is_stopped else child.state.upper()


def _kind(state: str) -> str:
    return {
        STOPPED: "bad",
        GONE: "bad",
        "FATAL": "bad",
        "BACKOFF": "bad",
        "STARTING": "note",
        "UP": "good",
    }.get(state, "")


def _notes(child: ChildView, room: int) -> Iterator[Line]:
    """What does not go into a column."""
    if child.job_seconds is not None:
        yield Line(f"{INDENT}{_job(child, room - len(INDENT))}")
    if end := _end(child):
        yield from fold(f"{INDENT}{end}", room, "note")


def _job(child: ChildView, room: int) -> str:
    verb, when = (
        ("ran", "") if child.state == GONE.lower() else ("runs", f" for {brief(child.job_seconds or 0)}")
    )
    after = f" {one_line(child.job_id)}{when}"
    return f"{verb} {shorten(child.job_name, room - width(f'{verb} {after}'))}{after}"


def _end(child: ChildView) -> str:
    """How it was with the child before this one, and what becomes of a slot that has none."""
    starts_again = f"starts again in {brief(child.starts_in_seconds or 0)}"
    said = {"backoff": starts_again, "fatal": "not started again"}.get(child.state, "")
    if said and child.crashes:
        said += f" after {count(child.crashes, 'crash', 'crashes')} in a row"
    last = f"last end: {child.last_end}" if child.last_end else ""
    return "; ".join(filter(None, (said, last)))


def fold(text: str, room: int, kind: str) -> Iterator[Line]:
    """The text in as many lines as it takes; none for none."""
    if text.strip():
        lines = textwrap.wrap(printable(text), room, subsequent_indent=INDENT, break_on_hyphens=False)
        yield from (Line(line, kind) for line in lines)
