"""What the scripts should do, in plain Python: every transition on dicts and lists, to be compared with the server.

Time is kept out of it: a due time is a rank, a lease or a beat is a word that the state machine makes true by writing
the instant that it means.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from bananasd.store.outcomes import Buried, Completed, Outcome, Released, Retried
from bananasd.store.store import Charge

MAX_RECOVERIES = 2


class Uniqueness(NamedTuple):
    """A key, until when a job may have it, whether for a time, and what a job does that finds it taken."""

    key: str
    until: str
    is_timed: bool
    on_duplicate: str


FINAL = ("completed", "failed", "cancelled", "expired")
RANK_MS = 1_000_000
"""A due time of the future is so many milliseconds away for each rank, so that no pause of this machine changes their
order. One of the past *is* a rank of 1, 2, 3 …, in milliseconds since the epoch."""


@dataclass
class Record:
    """A job's record; ``is_expiring`` if it has a time to live.

    ``due``: the rank of its last due time; ``expiry``: the time in which a run may begin is "over", or that will be
    "later", or never ("").
    """

    lane: str
    status: str = "pending"
    run: int = 0
    attempts: int = 0
    recoveries: int = 0
    holder: str = ""
    error: str = ""
    progress: str = ""
    guarded_run: int = 0
    cancel: str = ""
    waiters: list[str] = field(default_factory=list)
    unique: str = ""
    is_unique_for_a_time: bool = False
    due: int = 0
    expiry: str = ""
    has_spec: bool = True
    has_result: bool = False
    is_finished: bool = False
    is_expiring: bool = False
    odd_counters: set[str] = field(default_factory=set)


@dataclass
class Node:
    """The ``lease`` ends, the last ``beat`` was, the node is ``alive`` since: each a word for an instant, "" for never."""

    lease: str = ""
    beat: str = ""
    alive: str = ""


@dataclass
class Model:
    """A namespace; each method is a script, takes what that takes and returns what `Store` does."""

    jobs: dict[str, Record] = field(default_factory=dict)
    lanes: dict[str, list[str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    held: dict[str, list[str]] = field(default_factory=dict)
    holders: set[str] = field(default_factory=set)
    scheduled: dict[str, int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    moved: Counter[str] = field(default_factory=Counter)
    """How many ids a job has left behind in lanes."""
    owners: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Unique keys, each with the job that has it, and whether for a time."""
    paused: dict[str, str] = field(default_factory=dict)
    """Queues, or "*", and whether that is "for good", "for a time" or "over"."""
    nodes: dict[str, Node] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    results: dict[str, str] = field(default_factory=dict)
    """What is kept beside the records; a failure begins with "!"."""
    mail: dict[str, list[str]] = field(default_factory=dict)
    orders: dict[str, list[tuple[str, str, int, str]]] = field(default_factory=dict)
    """Of each node: holder, id, run, how."""
    bells: set[str] = field(default_factory=set)
    odd_keys: list[tuple[str, str]] = field(default_factory=list)
    """Faults of keys in which nothing else stands here."""

    # A client's

    def submit(
        self, job_id: str, lane: str, due: int | None, unique: Uniqueness | None, *, has_expiry: bool
    ) -> tuple[int, dict[int, str]]:
        if job_id in self.jobs:
            return 0, {}
        owner = self.owner_of(unique.key) if unique else ""
        if unique and owner:
            if unique.on_duplicate != "replace" or self.jobs[owner].status == "processing":
                return 0, {0: owner}
            self.cancel(owner, "")
        self.jobs[job_id] = Record(lane, expiry="later" if has_expiry else "")
        if unique:
            self.jobs[job_id].unique = f"{unique.until} {unique.key}"
            self.jobs[job_id].is_unique_for_a_time = unique.is_timed
            self.owners[unique.key] = (job_id, unique.is_timed)
        self.counters["submitted"] += 1
        if due is None:
            self.to_back(job_id)
        else:
            self.schedule(job_id, due)
        return 1, {}

    def cancel(self, job_id: str, how: str) -> tuple[bool, str]:
        job = self.jobs.get(job_id)
        if job and job.status == "processing" and how:
            job.cancel = "hard" if job.cancel == "hard" else how
            node = node_of(job.holder)
            self.orders.setdefault(node, []).append((job.holder, job_id, job.run, job.cancel))
            self.bells.add(node)
            return True, "processing"
        if job is None or job.status not in ("pending", "scheduled"):
            return False, job.status if job else ""
        job.is_expiring = job.status == "scheduled"
        job.status, job.is_finished = "cancelled", True
        self.scheduled.pop(job_id, None)
        self.counters["cancelled"] += 1
        self._note_end(job_id)
        return True, "cancelled"

    def await_jobs(self, box: str, job_ids: list[str]) -> list[str]:
        for job in (self.jobs[job_id] for job_id in job_ids if job_id in self.jobs):
            if job.status not in FINAL and box not in job.waiters:
                job.waiters.append(box)
        return [self.jobs[job_id].status if job_id in self.jobs else "" for job_id in job_ids]

    def explain(self, job_id: str) -> tuple[str, int | None, int | None, int, bool, bool, str]:
        """Status, places in its lane and in the hand of its holder, ids left behind, whether its queue and all are paused, told to end."""
        job = self.jobs.get(job_id)
        if job is None:
            return "", None, None, 0, False, False, ""
        lane = self.lanes.get(job.lane, []) if job.status == "pending" else []
        held = self.held.get(job.holder, []) if job.status == "processing" else []
        place, held_place = (ids.index(job_id) if job_id in ids else None for ids in (lane, held))
        paused = [self.paused.get(name, "over") != "over" for name in (job.lane.partition(":")[0], "*")]
        return job.status, place, held_place, self.moved[job_id], paused[0], paused[1], job.cancel

    def requeue_dead(self, job_ids: list[str]) -> list[str]:
        back = []
        for job_id in job_ids:
            if job_id not in self.dead or not self.jobs[job_id].has_spec:
                continue
            job = self.jobs[job_id]
            key = job.unique.partition(" ")[2]
            if self.owner_of(key):
                continue
            if key:
                self.owners[key] = (job_id, job.is_unique_for_a_time)
            back.append(job_id)
            self.dead.remove(job_id)
            job.attempts = job.recoveries = job.due = 0
            job.progress, job.waiters, job.has_result, job.is_finished, job.cancel = "", [], False, False, ""
            job.expiry = "later" if job.expiry else ""
            self.to_back(job_id)
        return back

    def purge_dead(self, job_ids: list[str]) -> int:
        purged = self.dead & set(job_ids)
        self.dead -= purged
        for job_id in purged:
            del self.jobs[job_id]
        return len(purged)

    def reprioritise(self, job_id: str, lane: str) -> tuple[bool, str]:
        job = self.jobs.get(job_id)
        if job is None or job.status not in ("pending", "scheduled") or job.lane == lane:
            return False, job.status if job else ""
        job.lane = lane
        if job.status == "pending":
            self.moved[job_id] += 1
            self.to_back(job_id)
        self._tell_change(job_id)
        return True, job.status

    def reschedule(self, job_id: str, due: int | None) -> tuple[bool, str]:
        """``due``: a rank of the future, or None for at once; whether a rank is the one that is there already is not told."""
        job = self.jobs.get(job_id)
        if job is None or job.status not in ("pending", "scheduled"):
            return False, job.status if job else ""
        if job.expiry == "over":
            return False, "expired"
        if due is None and job.status == "pending":
            return False, "pending"
        self.moved[job_id] += job.status == "pending"
        self.scheduled.pop(job_id, None)
        job.expiry = "later" if job.expiry else ""
        if due is None:
            job.due = 0
            self.to_back(job_id)
        else:
            self.schedule(job_id, due)
        self._tell_change(job_id)
        return True, job.status

    def pause(self, name: str, how: str) -> None:
        self._forget_pauses()
        self.paused[name] = how

    def resume(self, name: str) -> bool:
        self._forget_pauses()
        if not self.paused.pop(name, ""):
            return False
        for lane in [lane for lane, ids in self.lanes.items() if ids and name in ("*", queue_of(lane))]:
            self._wake(lane)
        return True

    # A worker's

    def enter(self, holder: str) -> None:
        if not self._has_lease(node_of(holder)):
            self.nodes.setdefault(node_of(holder), Node()).lease = "fresh"
        self.holders.add(holder)

    def claim(self, holder: str, lanes: list[str], want: int) -> list[tuple[str, str, int, int, int]] | None:
        """Lane, id, run, attempts, recoveries of each; None: gone."""
        if holder not in self.holders or not self._has_lease(node_of(holder)):
            return None
        if any(self.lanes.get(lane) for lane in lanes):
            self._forget_pauses()
        lanes = [lane for lane in lanes if not self._is_paused(lane)]
        taken: list[tuple[str, str, int, int, int]] = []
        for lane, job_id in [(name, job_id) for name in lanes for job_id in self.lanes.get(name, [])]:
            if len(taken) == want or (taken and taken[-1][-1] > 0):
                break
            if self._is_left_behind(lane, job_id):
                self.lanes[lane].remove(job_id)
                continue
            job = self.jobs[job_id]
            if taken and job.status == "pending" and job.recoveries > 0 and job.expiry != "over":
                break
            self.lanes[lane].remove(job_id)
            if job.status == "cancelled":
                job.is_expiring = True
                continue
            if job.expiry == "over":
                job.status, job.is_finished, job.is_expiring = "expired", True, True
                self.counters["expired"] += 1
                self._note_end(job_id)
                continue
            job.status, job.holder, job.run = "processing", holder, job.run + 1
            self.held.setdefault(holder, []).append(job_id)
            self._note_start(job_id)
            taken.append((lane, job_id, job.run, job.attempts, job.recoveries))
        if taken:
            self.tokens |= {lane for lane in lanes if self.lanes.get(lane)}
        return taken

    def settle(self, outcomes: Sequence[Outcome]) -> list[str]:
        """The ids that were refused."""
        refused = []
        for (kind, _), group in groupby(outcomes, key=lambda outcome: (type(outcome), outcome.holder)):
            together = list(group)
            # What goes to the front does so from the last to the first, so that it stands there in the order given.
            in_turn = together[::-1] if kind is Released else together
            refused += [outcome.job_id for outcome in in_turn if not self._settle_one(outcome)]
        return refused

    def progress(self, holder: str, job_id: str, run: int, progress: str) -> bool:
        job = self.jobs.get(job_id)
        if job is None or (job.status, job.run, job.holder) != ("processing", run, holder):
            return False
        job.progress = progress
        self._tell_change(job_id)
        return True

    def guard(self, holder: str, job_id: str, run: int) -> bool:
        job = self.jobs.get(job_id)
        if job is None or (job.status, job.run, job.holder) != ("processing", run, holder):
            return False
        job.guarded_run = run
        return True

    def recover(self, holder: str, charge: Charge, judge: str) -> dict[str, list[str]] | None:
        """What became of which ids; None: refused."""
        if judge and not self._may_take_over(node_of(holder), judge):
            return None
        became: dict[str, list[str]] = {"requeued": [], "retried": [], "dead": [], "cancelled": []}
        for job_id in reversed(self.held.pop(holder, [])):
            became[self._recover_one(job_id, charge)].append(job_id)
        self.holders.discard(holder)
        return became

    # The scheduler's

    def beat(self, name: str, holders: list[str]) -> list[str]:
        node = self.nodes.setdefault(name, Node())
        if node.beat != "now":
            node.alive = "just now"
        node.beat, node.lease = "now", "fresh"
        return [holder for holder in holders if holder not in self.holders]

    def read_orders(
        self, node: str, done: list[tuple[str, str, int, str]]
    ) -> list[tuple[str, str, int, str]]:
        self.orders[node] = [
            order
            for order in self.orders.get(node, [])
            if order not in done and self._is_going_on(*order[:3])
        ]
        return self.orders[node]

    def promote(self, limit: int, past: int) -> int:
        """Ranks below ``past`` are due."""
        due = sorted((rank, job_id) for job_id, rank in self.scheduled.items() if rank < past)[:limit]
        for _, job_id in due:
            del self.scheduled[job_id]
            self.to_back(job_id)
            self._tell_change(job_id)
        return len(due)

    def trim(self, order: list[str], is_for_age: bool, keep: int, limit: int) -> tuple[int, int, int]:
        """``order`` is that of the dead, the oldest first; for age: all of them are too old."""
        for_age = order[:limit] if is_for_age else []
        surplus = max(0, min(len(order) - len(for_age) - keep, limit - len(for_age)))
        self.purge_dead(order[: len(for_age) + surplus])
        self.counters["trimmed"] += len(for_age) + surplus
        needed = set(map(node_of, self.holders))
        stale = [
            name for name, node in self.nodes.items() if node.lease == "long over" and name not in needed
        ]
        for name in stale:
            del self.nodes[name]
        return len(for_age), surplus, len(stale)

    def leave(self, name: str) -> None:
        self.nodes.pop(name, None)

    # What several have in common

    def to_front(self, job_id: str) -> None:
        self._ready(job_id).insert(0, job_id)

    def to_back(self, job_id: str) -> None:
        self._ready(job_id).append(job_id)

    def schedule(self, job_id: str, due: int) -> None:
        job = self.jobs[job_id]
        job.status, job.due = "scheduled", due
        self.scheduled[job_id] = due
        if due == min(self.scheduled.values()):
            self.tokens.add("scheduled")

    def bury_unreadable(self, job_id: str, error: str) -> None:
        self.jobs[job_id] = Record("default:normal", has_spec=False)
        self._bury(job_id, error)

    def bury_guarded(self, job_id: str, error: str) -> None:
        self.jobs[job_id].is_expiring = False
        self._bury(job_id, error)

    def end_as_cancelled(self, job_id: str) -> str:
        job = self.jobs[job_id]
        job.status, job.holder, job.is_finished, job.is_expiring = "cancelled", "", True, True
        self.counters["cancelled"] += 1
        self._note_end(job_id)
        return "cancelled"

    def _is_going_on(self, holder: str, job_id: str, run: int) -> bool:
        job = self.jobs.get(job_id)
        return job is not None and (job.status, job.run, job.holder) == ("processing", run, holder)

    def _has_lease(self, name: str) -> bool:
        return name in self.nodes and self.nodes[name].lease in ("fresh", "valid")

    def _may_take_over(self, name: str, judge: str) -> bool:
        node = self.nodes.get(judge, Node())
        is_fit = self._has_lease(judge) and (node.beat, node.alive) == ("now", "for long")
        return is_fit and not self._has_lease(name)

    def _settle_one(self, outcome: Outcome) -> bool:
        """Whether it was accepted."""
        job_id = outcome.job_id
        job = self.jobs.get(job_id)
        if job is None or (job.status, job.run, job.holder) != ("processing", outcome.run, outcome.holder):
            return False
        self.held[outcome.holder].remove(job_id)
        if job.cancel:
            self.end_as_cancelled(job_id)
            return True
        match outcome:
            case Completed(result=result):
                # The only end that leaves the holder in the record.
                job.status, job.attempts, job.is_expiring = "completed", job.attempts + 1, True
                job.has_result, job.is_finished = bool(result), True
                if result:
                    self.results[job_id] = result.decode()
                self.counters["completed"] += 1
                self._note_end(job_id)
            case Retried(error=error, delay_ms=delay_ms):
                job.attempts, job.error, job.holder = job.attempts + 1, error, ""
                self.schedule(job_id, delay_ms // RANK_MS)
                self.counters["retried"] += 1
                self._tell_change(job_id)
            case Buried(error=error):
                job.attempts += 1
                self._bury(job_id, error)
            case Released():
                self.to_front(job_id)
                self._tell_change(job_id)
        return True

    def _recover_one(self, job_id: str, charge: Charge) -> str:
        job = self.jobs[job_id]
        if job.cancel:
            return self.end_as_cancelled(job_id)
        is_that = job_id == charge.job_id
        is_final = bool(charge.cause) and job.guarded_run == job.run
        if charge.kind == "failed" and is_that:
            job.attempts += 1
            if charge.delay_ms < 0:
                return self._bury(job_id, charge.cause)
            job.error, job.holder = charge.cause, ""
            self.schedule(job_id, charge.delay_ms // RANK_MS)
            self.counters["retried"] += 1
            self._tell_change(job_id)
            return "retried"
        if is_final or charge.kind == "all" or (charge.kind == "lost" and is_that):
            self.counters["lost"] += 1
            job.recoveries += 1
            if is_final or job.recoveries >= MAX_RECOVERIES:
                is_known = is_that or not charge.job_id
                return self._bury(
                    job_id, charge.cause if is_known else f"how it ended was not reported: {charge.cause}"
                )
            job.error = charge.cause
        self.to_front(job_id)
        self._tell_change(job_id)
        return "requeued"

    def _bury(self, job_id: str, error: str) -> str:
        job = self.jobs[job_id]
        job.status, job.error, job.holder, job.is_finished = "failed", error, "", True
        self.dead.add(job_id)
        self.counters["dead"] += 1
        if job.waiters:
            self.results[job_id] = f"!{error}"
        self._note_end(job_id)
        return "dead"

    def keeper_of(self, key: str) -> str:
        """The job that has the key and has not ended, "" if there is none."""
        job_id, _ = self.owners.get(key, ("", False))
        job = self.jobs.get(job_id)
        is_one = job and job.status not in FINAL and job.unique.partition(" ")[2] == key
        return job_id if is_one else ""

    def owner_of(self, key: str) -> str:
        """The job that keeps others from the key, "" if there is none: not one whose time to wait is over."""
        job_id = self.keeper_of(key)
        job = self.jobs.get(job_id)
        return job_id if job and (job.status == "processing" or job.expiry != "over") else ""

    def _free(self, job_id: str) -> None:
        key = self.jobs[job_id].unique.partition(" ")[2]
        if self.owners.get(key, ("", False))[0] == job_id:
            del self.owners[key]

    def _note_start(self, job_id: str) -> None:
        if self.jobs[job_id].unique.startswith("start "):
            self._free(job_id)
        self._tell_change(job_id)

    def _note_end(self, job_id: str) -> None:
        self._free(job_id)
        for box in self.jobs[job_id].waiters:
            self.mail.setdefault(box.removeprefix("+"), []).append(job_id)

    def _tell_change(self, job_id: str) -> None:
        for box in self.jobs[job_id].waiters:
            if box[0] == "+":
                self.mail.setdefault(box[1:], []).append(job_id)

    def _is_left_behind(self, lane: str, job_id: str) -> bool:
        """Whether this is a tombstone of a job that was moved, which is one less then."""
        job = self.jobs.get(job_id)
        is_own = job and job.lane == lane and (
            job.status == "pending" or (job.status == "cancelled" and not job.is_expiring)
        )  # fmt: skip
        if is_own or not self.moved[job_id]:
            return False
        self.moved[job_id] -= 1
        return True

    def _forget_pauses(self) -> None:
        self.paused = {name: how for name, how in self.paused.items() if how != "over"}

    def _is_paused(self, lane: str) -> bool:
        return any(self.paused.get(name, "over") != "over" for name in ("*", queue_of(lane)))

    def _wake(self, lane: str) -> None:
        if not self._is_paused(lane):
            self.tokens.add(lane)

    def _ready(self, job_id: str) -> list[str]:
        job = self.jobs[job_id]
        job.status, job.holder = "pending", ""
        self._wake(job.lane)
        self.queues.add(queue_of(job.lane))
        return self.lanes.setdefault(job.lane, [])


def queue_of(lane: str) -> str:
    return lane.partition(":")[0]


def node_of(holder: str) -> str:
    return holder.partition("/")[0]
