"""How little it matters how many jobs wait: drain and latency with ever longer backlogs, and what a job takes of memory.

Each backlog has a server of its own, filled once, so that rounds can go from one to the next and back; what a round
has drained is put back before the next.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from . import latency, stamps
from .daemon import Daemon
from .figure import Figure, Kind
from .ground import TREE, YARDSTICK, Ground, Round, Sample
from .server import Server
from .submitter import Submitter
from .tree import Tree

PARKED = "parked"
"""The queue of the backlog: a daemon whose latency is measured serves another, so its workers are idle."""
LANE = f"{{bananas:default}}:ready:{PARKED}:normal"
LATER_SECONDS = 30 * 86_400
JOBS_WEIGHED = 100_000
DRAINS = 4
"""In each round: one takes a third of a second, and differs from the next by a tenth."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many jobs, to be run now or in a month."""

    jobs: int
    is_scheduled: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.jobs:,} {'scheduled' if self.is_scheduled else 'waiting'}"


@dataclass(frozen=True, slots=True)
class Place:
    """A server with its backlog."""

    backlog: Backlog
    server: Server
    submitter: Submitter
    tree: Tree

    @classmethod
    @contextmanager
    def open(cls, backlog: Backlog, transport: str, tree: Tree) -> "Iterator[Place]":
        """Start the server."""
        server = Server(transport)
        try:
            with Submitter(tree, server) as submitter:
                yield cls(backlog, server, submitter, tree)
        finally:
            server.close()

    def fill(self) -> None:
        """Put there what is for later; it stays."""
        if self.backlog.is_scheduled:
            due = time.time() + LATER_SECONDS
            self.submitter.order("submit_many", jobs=self.backlog.jobs, queue=PARKED, due=due)

    def sample(self, drained: int, waited_for: int) -> Sample:
        """How fast some of it goes, and the latency of a daemon that has nothing to do with it."""
        rates = [self._drain(drained) for _ in range(DRAINS)]
        with Daemon(self.tree, self.server) as daemon:
            daemon.wait_until_idle()
            self.submitter.order("trickle", jobs=waited_for, pauses=latency.PAUSES)
            waited = latency.ranks([job.waited_ms for job in daemon.wait_for_timed(waited_for)])
        return {"rate": median(rates), **waited}

    def _drain(self, jobs: int) -> float:
        """Fill up what an earlier one has taken, and take the first of it."""
        waiting = jobs if self.backlog.is_scheduled else self.backlog.jobs
        self.submitter.order("submit_many", jobs=waiting - self.server.call("LLEN", LANE), queue=PARKED)
        with Daemon(self.tree, self.server, queue=PARKED) as daemon:
            daemon.wait_for_stamps(jobs)
            return stamps.rate(stamps.read(daemon.stamps)[:jobs])


def measure(ground: Ground) -> list[Figure]:
    """Each backlog beside the shortest one."""
    shortest, *longer = (Backlog(jobs) for jobs in ground.size.backlogs)
    longer.append(Backlog(ground.size.backlogs[-1], is_scheduled=True))
    rounds = _rounds(ground, [shortest, *longer])
    figures = _figures(shortest, "", [{TREE: found[shortest]} for found in rounds])
    for backlog in longer:
        pairs = [{TREE: found[backlog], YARDSTICK: found[shortest]} for found in rounds]
        figures += _figures(backlog, shortest.name, pairs)
    return [*figures, *_weigh(ground)]


def _rounds(ground: Ground, backlogs: Sequence[Backlog]) -> list[dict[Backlog, Sample]]:
    tree = ground.sides[TREE].tree
    with ExitStack() as stack:
        places = [stack.enter_context(Place.open(b, ground.server.transport, tree)) for b in backlogs]
        for place in places:
            place.fill()
        sizes = (min(ground.size.backlogs), ground.size.waited_for)
        orders = [places[:: -1 if number % 2 else 1] for number in range(ground.size.rounds)]
        return [{place.backlog: place.sample(*sizes) for place in order} for order in orders]


def _figures(backlog: Backlog, yardstick: str, rounds: Sequence[Round]) -> list[Figure]:
    kinds = [Kind("rate", f"drain, {backlog.name}", "jobs/s", yardstick)]
    kinds += [
        Kind(rank, f"idle latency, {rank}, {backlog.name}", "ms", yardstick, is_less_better=True)
        for rank in ("p50", "p99")
    ]
    return [kind.figure(rounds) for kind in kinds]


def _weigh(ground: Ground) -> list[Figure]:
    """Memory of the server, by what it has more after the jobs than before."""
    side, server, jobs = ground.sides[TREE], ground.server, JOBS_WEIGHED
    server.empty()
    empty = server.used_memory()
    side.submitter.order("submit_many", jobs=jobs)
    waiting = server.used_memory()
    with Daemon(side.tree, server) as daemon:
        daemon.wait_for_stamps(jobs)
        daemon.wait_until_idle()
    done = server.used_memory()
    return [
        Figure("server's memory of a waiting job", (waiting - empty) / jobs, "bytes"),
        Figure("server's memory of a job that is done", (done - empty) / jobs, "bytes"),
    ]
