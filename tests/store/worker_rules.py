"""What workers do, as rules of the machine, and what is done for those that are lost."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bananasd.store.claims import Claim
from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Outcome, Released
from bananasd.store.store import Charge
from tests.store.machine import (
    HOLDERS,
    LANES,
    LEASE_MS,
    NODES,
    QUEUES,
    Machine,
    delay_of,
    holders,
    is_lost,
    wanted,
)
from tests.store.model import MAX_RECOVERIES, node_of


class WorkerRules(Machine):
    """A worker's calls, be it alive or cut off: it may send what it should not any more."""

    @rule(holder=holders, is_lost=is_lost)
    def enter(self, holder: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: self.store.enter(holder, node_of(holder), LEASE_MS, {}),
            lambda: self.model.enter(holder),
        )

    @rule(holder=holders, queues=st.permutations(QUEUES), want=wanted, is_lost=is_lost)
    def claim(self, holder: str, queues: list[str], want: int, is_lost: bool) -> None:
        lanes = lanes_of(tuple(queues))
        self.send(
            is_lost,
            lambda: settled_and_told(self.store.settle_and_claim([], holder, node_of(holder), lanes, want)),
            lambda: ([], self.model.claim(holder, [str(lane) for lane in lanes], want)),
        )

    @rule(holder=holders, want=wanted, is_lost=is_lost)
    def enter_and_claim(self, holder: str, want: int, is_lost: bool) -> None:
        self.enter(holder, is_lost=False)
        self.claim(holder, list(QUEUES), want, is_lost)

    @precondition(lambda self: any(self.model.held.values()))
    @rule(data=st.data(), want=wanted)
    def release_and_claim_again(self, data: Any, want: int) -> None:
        """The same holder has a job once more, under another run."""
        holder = data.draw(st.sampled_from([name for name, held in self.model.held.items() if held]))
        self.settle(
            [Released(holder, job_id, self.model.jobs[job_id].run) for job_id in self.model.held[holder]]
        )
        self.enter_and_claim(holder, want, is_lost=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_earliest=st.booleans(), is_lost=is_lost)
    def settle_some(self, data: Any, is_earliest: bool, is_lost: bool) -> None:
        self.settle(self.draw_outcomes(data, is_earliest), is_lost)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), holder=holders, want=wanted, is_lost=is_lost)
    def settle_and_claim(self, data: Any, holder: str, want: int, is_lost: bool) -> None:
        outcomes = self.draw_outcomes(data, is_earliest=False)
        self.send(
            is_lost,
            lambda: settled_and_told(
                self.store.settle_and_claim(outcomes, holder, node_of(holder), lanes_of(QUEUES), want)
            ),
            lambda: (sorted(self.model.settle(outcomes)), self.model.claim(holder, LANES, want)),
        )

    def settle(self, outcomes: Sequence[Outcome], is_lost: bool = False) -> None:
        self.send(
            is_lost, lambda: sorted(self.store.settle(outcomes)), lambda: sorted(self.model.settle(outcomes))
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), progress=st.sampled_from((b"1", b"2")), is_lost=is_lost)
    def progress(self, data: Any, progress: bytes, is_lost: bool) -> None:
        claim = self.draw_claim(data)
        self.send(
            is_lost,
            lambda: self.store.progress(*claim, progress),
            lambda: self.model.progress(*claim, progress.decode()),
        )

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_lost=is_lost)
    def guard(self, data: Any, is_lost: bool) -> None:
        claim = self.draw_claim(data)
        self.send(
            is_lost,
            lambda: self.store.settle_and_guard([], *claim)[1],
            lambda: self.model.guard(*claim),
        )

    @rule(data=st.data(), judge=st.sampled_from(("", "", *NODES)), is_earliest=st.booleans(), is_lost=is_lost)
    def recover(self, data: Any, judge: str, is_earliest: bool, is_lost: bool) -> None:
        due = self.next_rank(is_earliest)
        busy = [name for name, held in self.model.held.items() if held]
        holder = data.draw(st.sampled_from(busy or HOLDERS))
        ran = data.draw(st.sampled_from(self.model.held.get(holder) or [""]))
        charge = data.draw(
            st.sampled_from(
                [Charge.lost(ran, "killed"), Charge.everything("lost"), Charge.failed(ran, "slow", delay_of(due)),
                 Charge.failed(ran, "slow", -1), Charge.unknown("gone"), Charge()]
            )
        )  # fmt: skip
        self.recover_as(holder, charge, judge, is_lost)

    def recover_as(self, holder: str, charge: Charge, judge: str, is_lost: bool) -> None:
        self.send(
            is_lost,
            lambda: became(self.store.recover(
                holder, charge, max_recoveries=MAX_RECOVERIES, judge=judge, lease_ms=LEASE_MS
            )),
            lambda: self.model.recover(holder, charge, judge),
        )  # fmt: skip


def settled_and_told(replies: tuple[list[str], Claim]) -> tuple[list[str], list[Any] | None]:
    """Refused ids and a claim as the model tells them."""
    refused, claim = replies
    jobs = [(job.lane, job.job_id, job.run, job.attempts, job.recoveries) for job in claim.jobs]
    return sorted(refused), None if claim.is_gone else jobs


def became(recovery: Any) -> dict[str, list[str]] | None:
    """A recovery as the model tells it."""
    if recovery.is_refused:
        return None
    return {name: getattr(recovery, name) for name in ("requeued", "retried", "dead", "cancelled")}
