"""The picture that ``top`` shows: what two looks tell, as lines that fit into a terminal."""

from collections.abc import Iterator
from pathlib import Path

from ..store.stats import LaneStats, QueueStats
from .jobs import LANES_HEADER, lane_rows, show_pauses, show_rates
from .nodes import Line, Taken, fold, node_lines
from .output import count, table
from .rates import Look, cpu_percents, done_per_second, queue_rates
from .status import absence, show_pss

MIN_LANES = 6


def picture(before: Look | None, now: Look, run_dir: Path, room: int, height: int) -> list[Line]:
    """At most so many lines of at most so many columns: the queues, then the daemon."""
    lines = [
        *_queues(before, now, room, max(MIN_LANES, height // 3)),
        Line(""),
        *_daemons(before, now, run_dir, room),
    ]
    if len(lines) <= height:
        return lines
    hidden = len(lines) - height + 1
    return [*lines[: height - 1], Line(f"… and {count(hidden, 'more line')}", "note")]


def _queues(before: Look | None, now: Look, room: int, most: int) -> Iterator[Line]:
    if now.queues is None:
        yield from fold(f"queues: {now.trouble}", room, "bad")
        return
    totals = ((getattr(now.queues, name), name) for name in ("ready", "processing", "scheduled", "dead"))
    yield from fold("queues: " + ", ".join(f"{number:,} {name}" for number, name in totals), room, "title")
    if rates := show_rates(queue_rates(before, now)):
        yield from fold(f"a second: {rates}", room, "title")
    if paused := show_pauses(now.queues.paused):
        yield from fold(f"paused: {', '.join(paused.splitlines())}", room, "bad")
    yield from _lanes(now.queues, most)


def _lanes(queues: QueueStats, most: int) -> Iterator[Line]:
    """Where there are too many for all, those that hold jobs come first."""
    shown = queues.lanes if len(queues.lanes) <= most else sorted(queues.lanes, key=_is_empty)[: most - 1]
    if shown:
        head, *lines = table(LANES_HEADER, lane_rows(shown))
        yield Line(head, "head")
        for lane, line in zip(shown, lines, strict=True):
            yield Line(line, "bad" if lane.is_unserved else "")
    if hidden := len(queues.lanes) - len(shown):
        waiting = queues.ready - sum(lane.ready for lane in shown)
        yield Line(f"… and {count(hidden, 'more lane')}, {waiting:,} ready", "note")


def _is_empty(lane: LaneStats) -> bool:
    return lane.ready == 0


def _daemons(before: Look | None, now: Look, run_dir: Path, room: int) -> Iterator[Line]:
    percents = cpu_percents(before, now)
    taken = {
        pid: Taken(show_pss(usage), f"{percents[pid]:.0f}%" if pid in percents else "-")
        for pid, usage in now.usage.items()
    }
    for node in now.nodes:
        yield from node_lines(node, taken, room, f"{done_per_second(before, now, node):.1f} done/s")
    if not any(node.is_running for node in now.nodes):
        yield from fold(str(absence(run_dir)), room, "bad")
