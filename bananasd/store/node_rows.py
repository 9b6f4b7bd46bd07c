"""What nodes tell of themselves, as it stands in their rows. Another version, or anybody, may have written there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ..record import json_in, number_of
from .calls import instant_in, text
from .rates import Counted, read_counted

MAX_PACE = 1e9
"""More jobs a second nobody begins: another number has been made up, and would spoil the sum."""

MAX_NAMED = 3
"""So many nodes that do not serve a lane are told by name."""


class Child(NamedTuple):
    """One process of a node at its last beat; ``generation`` is the number that its holders have."""

    slot: str
    generation: int | None
    job_id: str


class NodeRow(NamedTuple):
    """A node: ``lease_ends_ms`` is 0 for one that has none, what it has not told is None or empty.

    ``lanes``: how many of its workers take jobs of each; ``runs_per_second``: how many runs of each end; ``handlers``: what
    they have loaded; ``counted``: what it has kept of the counters. ``phase``: "quiet" or "draining" if it takes no jobs for
    that, and ``would_serve`` the lanes of which it would; ``host`` and ``master_pid`` say where somebody can change that.
    """

    name: str
    lease_ends_ms: int
    beat_ms: int | None = None
    alive_since_ms: int | None = None
    lanes: Mapping[str, int] = MappingProxyType({})
    children: tuple[Child, ...] = ()
    handlers: frozenset[str] | None = None
    max_retries: int | None = None
    counted: tuple[Counted, ...] = ()
    runs_per_second: Mapping[str, float] = MappingProxyType({})
    phase: str = ""
    would_serve: frozenset[str] = frozenset()
    host: str = ""
    master_pid: int | None = None

    @property
    def lease_ms(self) -> float:
        """How long a lease of it is, if its last beat tells."""
        return max(0.0, self.lease_ends_ms - self.beat_ms) if self.beat_ms else 0.0

    @property
    def why_idle(self) -> str:
        """Why it serves no lane, and what would end that."""
        if self.phase != "quiet":
            return f"node {self.name} is {self.phase}"
        resume = f"'kill -CONT {self.master_pid}'" if self.master_pid else "SIGCONT to its master"
        return f"node {self.name} is quiet ({resume} on {self.host or 'its host'} lets it go on)"


def why_unserved(live: Sequence[NodeRow], lane: str) -> str:
    """Who would serve the lane, and why they do not; empty if none of the live nodes would."""
    idle = [node.why_idle for node in live if node.phase and lane in node.would_serve]
    more = [f"{len(idle) - MAX_NAMED:,} more as well"] if len(idle) > MAX_NAMED else []
    return "; ".join([*idle[:MAX_NAMED], *more])


def read_row(name: bytes, lease_end: bytes, row: Mapping[bytes, bytes]) -> NodeRow:
    """The node of this name, as its lease and its row say."""
    said = json_in(row.get(b"about"))
    about = said if isinstance(said, dict) else {}
    handlers = json_in(row.get(b"handlers"))
    return NodeRow(
        text(name),
        max(0, instant_in(lease_end or b"0")),
        number_of(row, b"beat_at"),
        number_of(row, b"alive_since"),
        lanes_in(about),
        tuple(_child(child) for child in _list_in(about, "children") if isinstance(child, dict)),
        # An empty list is an empty object to the script.
        frozenset(map(str, handlers)) if isinstance(handlers, (list, dict)) else None,
        _int_in(about, "max_retries"),
        read_counted(row),
        _paces_in(about),
        _phase_in(about),
        frozenset(map(str, _list_in(about, "would_serve"))),
        str(about.get("host", "")),
        _pid_in(about),
    )


def lanes_in(about: Mapping[str, Any]) -> Counter[str]:
    """How many workers of a node serve each lane; none if it has not said so, or not in these words."""
    lanes = about.get("lanes")
    items = lanes.items() if isinstance(lanes, dict) else ()
    return Counter({lane: number for lane, number in items if isinstance(number, int)})


def _paces_in(about: Mapping[str, Any]) -> dict[str, float]:
    paces = about.get("runs_per_second")
    items = paces.items() if isinstance(paces, dict) else ()
    return {lane: pace for lane, pace in items if type(pace) in (int, float) and 0 <= pace <= MAX_PACE}


def _phase_in(about: Mapping[str, Any]) -> str:
    phase = about.get("phase")
    return phase if phase in ("quiet", "draining") else ""


def _int_in(about: Mapping[str, Any], name: str) -> int | None:
    value = about.get(name)
    return value if type(value) is int else None


def _pid_in(about: Mapping[str, Any]) -> int | None:
    """Only what names one process: somebody may signal it, and 0 or less would be many."""
    pid = _int_in(about, "master_pid")
    return pid if pid and pid > 0 else None


def _list_in(about: Mapping[str, Any], name: str) -> list[Any]:
    value = about.get(name)
    return value if isinstance(value, list) else []


def _child(said: Mapping[str, Any]) -> Child:
    generation, job = said.get("generation"), said.get("job")
    job_id = job.get("id") if isinstance(job, dict) else None
    return Child(
        str(said.get("slot", "")), generation if type(generation) is int else None, str(job_id or "")
    )
