"""Every key of a namespace: its name, and what it holds. docs/protocol.md says it in prose."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..job import Priority
from ..limits import check_queue


@dataclass(frozen=True, slots=True)
class Lane:
    """One priority of one queue; written ``QUEUE:PRIORITY`` in records."""

    queue: str
    priority: Priority

    def __str__(self) -> str:
        return f"{self.queue}:{self.priority}"


EVERYTHING = "*"
"""Stands among the paused queues for all of them; no queue can have that name."""


def lanes_of(queues: Sequence[str], priorities: Collection[Priority] = tuple(Priority)) -> tuple[Lane, ...]:
    """The lanes of these queues in the order of claiming: priority before the order of queues.

    Priorities come in their own order, whatever the order in which they are given.
    """
    return tuple(
        Lane(check_queue(queue), priority)
        for priority in Priority
        if priority in priorities
        for queue in queues
    )


def check_namespace(namespace: str) -> str:
    """A namespace's name; it follows the rule of queues."""
    return check_queue(namespace, "namespace")


@lru_cache
def keys_of(namespace: str) -> "Keys":
    """Those of a namespace. Made once: a client asks for them with every call."""
    return Keys(namespace)


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of a namespace's keys. They share a hash tag, so that all lie in one slot of a cluster."""

    namespace: str
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", f"{{bananas:{self.namespace}}}:")

    def job(self, job_id: str) -> str:
        """Hash: the record of a job."""
        return f"{self.prefix}job:{job_id}"

    def result(self, job_id: str) -> str:
        """String: what the handler returned, as JSON; of a dead job that somebody waited for, its failure."""
        return f"{self.prefix}result:{job_id}"

    def unique(self, key: str) -> str:
        """String: id of the job that has this key, and lives."""
        return f"{self.prefix}unique:{key}"

    def mail(self, box: str) -> str:
        """List: ids of jobs that have changed, for one who waits for them."""
        return f"{self.prefix}mail:{box}"

    def ready(self, lane: Lane) -> str:
        """List: ids to run, the next one first; may hold ids of jobs that were cancelled or moved (tombstones)."""
        return f"{self.prefix}ready:{lane}"

    def wake(self, lane: Lane) -> str:
        """List: at most one token, "there is work in this lane"."""
        return f"{self.prefix}wake:{lane}"

    def held(self, holder: str) -> str:
        """List: ids that this holder has claimed, in the order in which it runs them."""
        return f"{self.prefix}held:{holder}"

    def node(self, node: str) -> str:
        """Hash: beat_at, alive_since and, as JSON, what the node says of itself."""
        return f"{self.prefix}node:{node}"

    def orders(self, node: str) -> str:
        """List: the runs of this node that were told to end, each as ``HOLDER ID RUN MODE``."""
        return f"{self.prefix}orders:{node}"

    def bell(self, node: str) -> str:
        """List: at most one token, "there are orders for this node"."""
        return f"{self.prefix}bell:{node}"

    def aside(self, key: str) -> str:
        """Any type: a key that the doctor set aside, for people to look at."""
        return f"{self.prefix}aside:{key}"

    @property
    def wake_scheduled(self) -> str:
        """List: at most one token, "there is an earlier due time"."""
        return f"{self.prefix}wake:scheduled"

    @property
    def holders(self) -> str:
        """Set: the holders that may claim and settle."""
        return f"{self.prefix}holders"

    @property
    def scheduled(self) -> str:
        """Sorted set: ids by due time."""
        return f"{self.prefix}scheduled"

    @property
    def dead(self) -> str:
        """Sorted set: ids of the dead letters by time of death."""
        return f"{self.prefix}dead"

    @property
    def handlers(self) -> str:
        """Hash: handler name → its policy as JSON, as the workers declared it when they entered."""
        return f"{self.prefix}handlers"

    @property
    def nodes(self) -> str:
        """Sorted set: nodes by the end of their lease."""
        return f"{self.prefix}nodes"

    @property
    def schedules(self) -> str:
        """Hash: name → its definition as JSON; and under the empty name a number that grows with each change."""
        return f"{self.prefix}schedules"

    @property
    def fired(self) -> str:
        """Hash: name of a schedule → its last slot in ms; up to there nothing fires any more."""
        return f"{self.prefix}fired"

    @property
    def moved(self) -> str:
        """Hash: id of a job that was moved while pending → how many ids it has left behind in lanes."""
        return f"{self.prefix}moved"

    @property
    def paused(self) -> str:
        """Sorted set: queues that no job is claimed from, `*` for all of them, by the end of their pause; +inf: for good."""
        return f"{self.prefix}paused"

    @property
    def queues(self) -> str:
        """Set: every queue that ever had a job ready."""
        return f"{self.prefix}queues"

    @property
    def stats(self) -> str:
        """Hash: counters since the namespace began."""
        return f"{self.prefix}stats"
