"""The store: one method per transition, each of them one call of one script, and no policy."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ..request import JobRequest
from .calls import Call, checked, run_calls, text
from .claims import Claim, read_claim
from .connection import Transport
from .keys import Lane, keys_of
from .outcomes import Buried, Completed, Outcome, Released, Retried, in_calls
from .scripts import Command, script

MAX_IDS = 1000
"""How many ids one call takes: longer duties repeat it, so that no script holds up the server."""

MAX_PROMOTED = 250
"""How many due jobs are moved in a call. So many took 3 ms on a busy machine, a thousand 24 ms, and while the server
rewrites its file everything takes several times as long."""


class Retention(NamedTuple):
    """How long ended jobs are kept, and what they leave to those who ask for it."""

    completed_ms: int = 86_400_000
    dead_ms: int = 604_800_000
    dead_count: int = 1_000_000
    result_ms: int = 3_600_000
    failure_ms: int = 86_400_000


DEFAULT_RETENTION = Retention()


class Accepted(NamedTuple):
    """How many jobs were ``new``; by their positions those that were not accepted, with the id of the job that has their key."""

    new: int
    duplicates: dict[int, str]


class Charge(NamedTuple):
    """What is known of a holder's end, for `Store.recover`.

    A guarded run that the holder has not settled is over with it, whatever else is charged, unless there is no cause.
    """

    kind: str = "nothing"
    job_id: str = ""
    cause: str = ""
    delay_ms: int = -1

    @classmethod
    def unknown(cls, cause: str) -> "Charge":
        """No job is known to have been lost."""
        return cls("nothing", "", cause)

    @classmethod
    def lost(cls, job_id: str, cause: str) -> "Charge":
        """This job was lost with its worker."""
        return cls("lost", job_id, cause)

    @classmethod
    def failed(cls, job_id: str, cause: str, delay_ms: int) -> "Charge":
        """This job was killed for its time; ``delay_ms`` until its next attempt, -1: it has none left."""
        return cls("failed", job_id, cause, delay_ms)

    @classmethod
    def everything(cls, cause: str) -> "Charge":
        """Nobody knows which job ran: each counts as lost."""
        return cls("all", "", cause)


NOTHING = Charge()


class Recovery(NamedTuple):
    """What recover did. ``is_refused``: the leases do not allow it."""

    requeued: list[str]
    retried: list[str]
    dead: list[str]
    cancelled: list[str]
    is_refused: bool = False


class Store:
    """The transitions of a namespace.

    Every method raises `ConnectionFailed` when there is no telling what the server did, and its subclass
    `ServerRefused` when the server answered with an error. Every call may be repeated.
    """

    def __init__(
        self, transport: Transport, namespace: str, retention: Retention = DEFAULT_RETENTION
    ) -> None:
        self.keys = keys_of(namespace)
        self.retention = retention
        self._transport = transport

    @cached_property
    def _settlers(self) -> Mapping[type[Outcome], tuple[str, tuple[int, ...]]]:
        # Clients, which make a store for each call, have no use for it.
        kept = self.retention
        return {
            Completed: ("complete", (kept.completed_ms, kept.result_ms)),
            Retried: ("retry", (kept.completed_ms,)),
            Buried: ("bury", (kept.failure_ms, kept.completed_ms)),
            Released: ("release", (kept.completed_ms,)),
        }

    # A client's calls

    def submit(self, requests: Sequence[JobRequest]) -> Accepted:
        """Accept up to `MAX_IDS` jobs. Those whose ids are known already are left as they are, and not told."""
        fields: list[Any] = [self.keys.prefix]
        for request in requests:
            fields += (request.job_id, request.spec, request.lane, request.due, request.extra)
        new, *pairs = self._run("submit", [self.keys.scheduled], fields)
        return Accepted(new, dict(zip(pairs[::2], _texts(pairs[1::2]), strict=True)) if pairs else {})

    def cancel(self, job_id: str, running: str = "") -> tuple[bool, str]:
        """End a job that has not started, or with "soft" or "hard" tell one that runs to end.

        Whether this call did it, or the job has been told, and its status ("" if unknown).
        """
        args = (self.keys.prefix, job_id, self.retention.completed_ms, running)
        is_cancelled, status = self._run("cancel", [self.keys.scheduled], args)
        return bool(is_cancelled), status.decode()

    def await_jobs(self, box: str, job_ids: Sequence[str]) -> tuple[int, list[str]]:
        """Have a mailbox told of the end of up to `MAX_IDS` jobs, or of every change if "+" stands before its name.

        Returns the server's time in milliseconds, and the status of each job now, "" if there is none. Of a job that
        has ended nothing more will be told.
        """
        keys = [self.keys.mail(box.removeprefix("+"))]
        now, *statuses = self._run("await", keys, (self.keys.prefix, box, *job_ids))
        return now, _texts(statuses)

    def requeue_dead(self, job_ids: Sequence[str]) -> list[str]:
        """Bring up to `MAX_IDS` dead jobs back; return those that were."""
        return _texts(self._run("requeue_dead", [self.keys.dead], (self.keys.prefix, *job_ids)))

    def purge_dead(self, job_ids: Sequence[str]) -> int:
        """Delete up to `MAX_IDS` dead jobs; return how many were deleted."""
        return int(self._run("purge_dead", [self.keys.dead], (self.keys.prefix, *job_ids)))

    def reprioritise(self, job_id: str, priority: str, queue: str) -> tuple[bool, str]:
        """Let a job wait in another lane; "" keeps its queue. Whether this call did it, and the status ("" if unknown)."""
        args = (self.keys.prefix, job_id, priority, queue)
        is_moved, status = self._run("reprioritise", [self.keys.moved], args)
        return bool(is_moved), status.decode()

    def reschedule(self, job_id: str, due: str) -> tuple[bool, str]:
        """Give a job that waits another due time, as `wire_due` writes it; returns the same."""
        keys = [self.keys.scheduled, self.keys.moved]
        is_changed, status = self._run("reschedule", keys, (self.keys.prefix, job_id, due))
        return bool(is_changed), status.decode()

    def pause(self, queue: str, ms: int | None) -> None:
        """Let nothing be claimed from a queue, or from `EVERYTHING`, for a time; None: until it is resumed."""
        self._run("pause", [self.keys.paused], (queue, "" if ms is None else ms))

    def resume(self, queue: str) -> bool:
        """End that pause; whether there was one."""
        keys = [self.keys.paused, self.keys.queues]
        return bool(self._run("resume", keys, (self.keys.prefix, queue)))

    # A worker's calls

    def enter(self, holder: str, node: str, lease_ms: int, policies: Mapping[str, bytes]) -> None:
        """Admit a holder; ``policies`` are those of its handlers."""
        keys = [self.keys.holders, self.keys.nodes, self.keys.handlers, self.keys.node(node)]
        pairs = [word for pair in policies.items() for word in pair]
        self._run("enter", keys, (holder, node, lease_ms, *pairs))

    def handler_policy(self, name: str) -> bytes | None:
        """The policy that some worker declared for this handler, as JSON."""
        return self._ask([("HGET", self.keys.handlers, name)])[0]  # type: ignore[no-any-return]

    def settle(self, outcomes: Iterable[Outcome]) -> list[str]:
        """Report how runs ended; return the ids that were refused, as no longer held under that run."""
        refused = self._run_all([self._settlement(*group) for group in in_calls(outcomes)])
        return [job_id for ids in refused for job_id in _texts(ids)]

    def settle_and_claim(
        self, outcomes: Iterable[Outcome], holder: str, node: str, lanes: Sequence[Lane], want: int
    ) -> tuple[list[str], Claim]:
        """Settle, and claim up to ``want`` jobs from the lanes in their order, in one round trip."""
        calls = [self._settlement(*group) for group in in_calls(outcomes)]
        *refused, claimed = self._run_all([*calls, self.claim_call(holder, node, lanes, want)])
        return [job_id for ids in refused for job_id in _texts(ids)], read_claim(claimed, lanes)

    def settle_and_guard(
        self, outcomes: Iterable[Outcome], holder: str, job_id: str, run: int
    ) -> tuple[list[str], bool]:
        """Settle, and note that a run which is about to begin must not be repeated should it be lost, in one round trip.

        The ids that were refused, and whether the run may begin: not if the job is no longer held under it.
        """
        calls = [self._settlement(*group) for group in in_calls(outcomes)]
        guard = Call(script("guard"), [self.keys.job(job_id)], (holder, run))
        *refused, may_begin = self._run_all([*calls, guard])
        return [job_id for ids in refused for job_id in _texts(ids)], bool(may_begin)

    def progress(self, holder: str, job_id: str, run: int, progress: bytes) -> bool:
        """Keep how far a running job is; False if it is no longer held under that run."""
        args = (self.keys.prefix, holder, job_id, run, progress)
        return bool(self._run("progress", [self.keys.job(job_id)], args))

    # Both a worker's and the scheduler's

    def recover(
        self,
        holder: str,
        charge: Charge = NOTHING,
        *,
        max_recoveries: int = 3,
        judge: str = "",
        lease_ms: int = 0,
    ) -> Recovery:
        """End a holder and put back what it held.

        With ``judge``, the caller's node, only if the leases say that the holder's node is lost.
        """
        keys = [self.keys.held(holder), self.keys.holders, self.keys.nodes]
        args = (self.keys.prefix, holder, charge.kind, charge.job_id, charge.cause, max_recoveries,
                charge.delay_ms, judge, lease_ms, node_of(holder), self.retention.failure_ms,
                self.retention.completed_ms)  # fmt: skip
        recovery = Recovery([], [], [], [])
        while True:
            state, *pairs = _texts(self._run("recover", keys, args))
            if state == "refused":
                return recovery._replace(is_refused=True)
            for job_id, what in zip(pairs[::2], pairs[1::2], strict=True):
                getattr(recovery, what).append(job_id)
            if state == "done":
                return recovery

    # The scheduler's calls

    def beat(self, node: str, lease_ms: int, about: bytes, holders: Sequence[str]) -> list[str]:
        """Extend the node's lease; return those of ``holders`` that are no longer admitted."""
        keys = [self.keys.nodes, self.keys.node(node), self.keys.holders]
        return _texts(self._run("beat", keys, (node, lease_ms, about, *holders)))

    def holders(self) -> list[str]:
        """Every holder that may claim and settle."""
        return _texts(self._ask([("SMEMBERS", self.keys.holders)])[0])

    def promote(self, limit: int = MAX_PROMOTED) -> tuple[int, int | None]:
        """Move due jobs to their lanes; how many, and milliseconds until the next is due (None: none)."""
        moved, next_ms = self._run("promote", [self.keys.scheduled], (self.keys.prefix, limit))
        return moved, None if next_ms < 0 else next_ms

    def trim(self, limit: int = MAX_IDS) -> tuple[int, int, int]:
        """Delete dead jobs over age and over number, forget stale nodes; how many of each."""
        keys = [self.keys.dead, self.keys.nodes, self.keys.holders]
        args = (self.keys.prefix, self.retention.dead_ms, self.retention.dead_count, limit)
        for_age, for_number, nodes = self._run("trim", keys, args)
        return for_age, for_number, nodes

    def leave(self, node: str) -> None:
        """Take a node that stops off the list."""
        self._run("leave", [self.keys.nodes, self.keys.node(node)], (node,))

    # How calls are sent

    def claim_call(self, holder: str, node: str, lanes: Sequence[Lane], want: int) -> Call:
        """The call that claims, to be sent by a `WakeUp`."""
        keys = [self.keys.held(holder), self.keys.holders, self.keys.nodes]
        keys += [self.keys.ready(lane) for lane in lanes]
        keys += [self.keys.wake(lane) for lane in lanes]
        args = (self.keys.prefix, holder, node, want, self.retention.completed_ms, *map(str, lanes))
        return Call(script("claim"), keys, args)

    def _settlement(self, kind: type[Outcome], holder: str, outcomes: list[Any]) -> Call:
        name, keep = self._settlers[kind]
        args: list[Any] = [self.keys.prefix, holder, *keep]
        for outcome in outcomes:
            args += outcome[1:]
        return Call(script(name), [self.keys.held(holder)], args)

    def _run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return self._run_all([Call(script(name), keys, args)])[0]

    def _run_all(self, calls: Sequence[Call]) -> list[Any]:
        return run_calls(self._transport, calls)

    def _ask(self, commands: Sequence[Command]) -> list[Any]:
        return checked(self._transport.trip(commands))


def node_of(holder: str) -> str:
    """The node that a holder belongs to."""
    return holder.rpartition("/")[0]


def _texts(words: list[bytes]) -> list[str]:
    return list(map(text, words))
