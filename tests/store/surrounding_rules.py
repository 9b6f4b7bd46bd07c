"""What nobody calls for, as rules of the machine: time passes, nodes come and go, damage is done and mended."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bananasd.store.doctor import Doctor
from bananasd.store.faults import Finding
from tests.store.damage import DAMAGES, Damage
from tests.store.machine import ALIVE, BEATS, LANES, LEASE_ENDS, NODE_CHANGES, NODES, Machine, nodes
from tests.store.mending_model import is_given_up, mend
from tests.store.model import Node, node_of


class SurroundingRules(Machine):
    """Time and fate, done to server and model alike; and the doctor, who looks for what only fate can have done."""

    @precondition(lambda self: any(is_timed for _, is_timed in self.model.owners.values()))
    @rule(data=st.data())
    def let_a_key_be_free_in_time(self, data: Any) -> None:
        timed = [key for key, (_, is_timed) in self.model.owners.items() if is_timed]
        key = data.draw(st.sampled_from(timed))
        del self.model.owners[key]
        self.world.call("DEL", self.world.keys.unique(key))

    @precondition(lambda self: "for a time" in self.model.paused.values())
    @rule(data=st.data())
    def let_a_pause_end(self, data: Any) -> None:
        timed = [name for name, how in self.model.paused.items() if how == "for a time"]
        name = data.draw(st.sampled_from(timed))
        self.model.paused[name] = "over"
        self.world.call("ZADD", self.world.keys.paused, 1, name)

    @precondition(lambda self: any(rank > self.past for rank in self.model.scheduled.values()))
    @rule(data=st.data())
    def become_due(self, data: Any) -> None:
        later = [job_id for job_id, rank in self.model.scheduled.items() if rank > self.past]
        self.let_be_due(data.draw(st.sampled_from(later)))

    def let_be_due(self, job_id: str) -> None:
        self.past += 1
        self.model.scheduled[job_id] = self.model.jobs[job_id].due = self.past
        self.world.call("ZADD", self.world.keys.scheduled, self.past, job_id)
        self.world.mark(job_id, due_at=self.past)

    @precondition(lambda self: any(job.expiry == "later" for job in self.model.jobs.values()))
    @rule(data=st.data())
    def wait_for_too_long(self, data: Any) -> None:
        later = [job_id for job_id, job in self.model.jobs.items() if job.expiry == "later"]
        job_id = data.draw(st.sampled_from(later))
        self.model.jobs[job_id].expiry = "over"
        self.world.mark(job_id, expires_at=1)

    @precondition(lambda self: any(job.is_expiring for job in self.model.jobs.values()))
    @rule(data=st.data())
    def vanish(self, data: Any) -> None:
        """Then the id may be submitted again, as a job that has not been."""
        over = [job_id for job_id, job in self.model.jobs.items() if job.is_expiring]
        job_id = data.draw(st.sampled_from(over))
        del self.model.jobs[job_id]
        self.world.call("DEL", self.world.keys.job(job_id))

    @rule(node=nodes, change=st.sampled_from(list(NODE_CHANGES)))
    def change_node(self, node: str, change: str) -> None:
        if change == "leaves":
            self.send(False, lambda: self.store.leave(node), lambda: self.model.leave(node))
            return
        told = self.model.nodes[node] = replace(NODE_CHANGES[change])
        self.world.lease(node, LEASE_ENDS[told.lease])
        self.world.beaten(node, ms_ago=BEATS[told.beat], alive_for_ms=ALIVE[told.alive])

    @rule(lane=st.sampled_from([*LANES, "scheduled"]))
    def take_token(self, lane: str) -> None:
        taken = self.world.call("LPOP", f"{self.world.keys.prefix}wake:{lane}")
        assert bool(taken) == (lane in self.model.tokens)
        self.model.tokens.discard(lane)

    @rule(changes=st.tuples(*[st.sampled_from(list(NODE_CHANGES))] * len(NODES)))
    def examine(self, changes: tuple[str, ...]) -> None:
        """What the scripts alone bring about is never out of order."""
        for node, change in zip(NODES, changes, strict=True):
            self.change_node(node, change)
        nodes = self.model.nodes
        gone = {holder for holder in self.model.holders if is_given_up(nodes.get(node_of(holder), Node()))}
        found = set(map(named, self.doctor(is_mending=False)))
        assert found == {("stale_holder", holder) for holder in gone}

    @rule(data=st.data(), damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=5, unique=True))
    def damage_and_mend(self, data: Any, damages: list[Damage]) -> None:
        for damage in damages:
            damage(self.world, self.model, data.draw)
        before = self.world.dump()
        self.doctor(is_mending=False)
        assert self.world.dump() == before
        assert Counter(map(named, self.doctor(is_mending=True))) == mend(self.model)
        assert self.doctor(is_mending=False) == []

    def doctor(self, *, is_mending: bool) -> list[Finding]:
        return list(Doctor(self.world.transport, "test", is_mending=is_mending).examine())


def named(finding: Finding) -> tuple[str, str]:
    """A finding as the model tells it: of a queue any lane may be found first."""
    return finding.fault, finding.detail if finding.fault == "unlisted_queue" else finding.subject
