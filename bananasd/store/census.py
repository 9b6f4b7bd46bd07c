"""Who works in a namespace: what the doctor says of its nodes and its lanes."""

from collections import Counter
from collections.abc import Iterator

from ..durations import brief
from ..remark import Level, Remark
from .calls import as_mapping, checked, text
from .connection import Transport
from .keys import EVERYTHING, Keys
from .stats import LaneStats, QueueStats, Stats
from .store import node_of

MAX_NAMED = 10
"""How many nodes, and lanes, are told by name."""


def namespace_remarks(transport: Transport, namespace: str) -> list[Remark]:
    """What there is to say of its nodes and lanes."""
    return [*_nodes(transport, namespace), *lanes(Stats(transport, namespace).queues(), namespace)]


def _nodes(transport: Transport, namespace: str) -> Iterator[Remark]:
    keys = Keys(namespace)
    scores, holders, (seconds, _) = checked(
        transport.trip([("ZRANGE", keys.nodes, 0, -1, "WITHSCORES"), ("SMEMBERS", keys.holders), ("TIME",)])
    )
    ends = {text(name): float(end) / 1000 for name, end in as_mapping(scores).items()}
    gone = {node: int(seconds) - end for node, end in ends.items() if end < int(seconds)}
    yield _live(len(ends) - len(gone), namespace)
    jobs = _jobs_of(transport, keys, [text(holder) for holder in holders if node_of(text(holder)) in gone])
    # Those that hold jobs first.
    stale = sorted(gone, key=lambda node: (-jobs[node], gone[node]))
    yield from (_stale(node, gone[node], jobs[node]) for node in stale[:MAX_NAMED])
    if more := stale[MAX_NAMED:]:
        where = f"namespace {namespace}"
        yield Remark(Level.OK, "nodes", f"{len(more):,} more ended without a clean stop", where)


def _jobs_of(transport: Transport, keys: Keys, holders: list[str]) -> Counter[str]:
    """How many jobs each node holds by these of its holders."""
    held = checked(transport.trip([("LLEN", keys.held(holder)) for holder in holders])) if holders else []
    jobs: Counter[str] = Counter()
    for holder, number in zip(holders, held, strict=True):
        jobs[node_of(holder)] += number
    return jobs


def _live(number: int, namespace: str) -> Remark:
    where = f"namespace {namespace}"
    if number:
        return Remark(Level.OK, "nodes", f"{number:,} live", where)
    return Remark(
        Level.WARNING,
        "nodes",
        "no daemon is live: nothing runs, and no job becomes due",
        where,
        "bananasd start",
    )


def _stale(node: str, seconds: float, jobs: int) -> Remark:
    """One that holds nothing is only told: it is forgotten by itself."""
    ended = f"its lease ended {brief(seconds)} ago, without a clean stop"
    if not jobs:
        what = f"{ended}; it holds nothing, and is forgotten after a day"
        return Remark(Level.OK, "nodes", what, f"node {node}")
    what = f"{ended}; {jobs:,} of its jobs wait to be taken over"
    remedy = "a live daemon does that once it has been up for a lease; if none is live, start one"
    return Remark(Level.WARNING, "nodes", what, f"node {node}", remedy)


def lanes(stats: QueueStats, namespace: str) -> list[Remark]:
    """Those where jobs wait and nobody takes them; a pause is told, for it is meant."""
    unserved = [lane for lane in stats.lanes if lane.is_unserved]
    found = [_unserved(lane) for lane in unserved[:MAX_NAMED]]
    where = f"namespace {namespace}"
    if len(unserved) > MAX_NAMED:
        what = f"{len(unserved) - MAX_NAMED:,} more that nobody serves"
        found.append(Remark(Level.WARNING, "lanes", what, where, "'bananasd queues' shows them all"))
    paused = ", ".join("everything" if name == EVERYTHING else f"queue {name}" for name in stats.paused)
    if paused:
        found.append(Remark(Level.OK, "lanes", f"paused: {paused}", where, "bananasd resume"))
    return found or [
        Remark(Level.OK, "lanes", f"{stats.ready:,} ready, every lane with jobs is served", where)
    ]


def _unserved(lane: LaneStats) -> Remark:
    what = f"{lane.ready:,} ready, and no live worker takes them"
    remedy = "start a daemon, or a pool, that serves this lane"
    if lane.why_unserved:
        what = f"{what}: {lane.why_unserved}"
        remedy = "let a quiet daemon go on, or start another that serves this lane"
    return Remark(Level.WARNING, "lanes", what, f"queue {lane.queue}, priority {lane.priority}", remedy)
