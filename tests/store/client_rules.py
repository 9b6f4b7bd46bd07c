"""What clients do, as rules of the machine."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bananasd import JobRequest
from bananasd.limits import ON_DUPLICATE, UNIQUE_UNTIL
from bananasd.store.facts import find_facts
from bananasd.store.keys import EVERYTHING
from tests.store.machine import HOUR_MS, IDS, KEYS, LANES, QUEUES, Machine, delay_of, is_lost
from tests.store.model import Uniqueness

PAUSES = {"for good": None, "for a time": HOUR_MS}
EXPIRY = timedelta(days=1)
UNIQUE_TIME = timedelta(days=1)

boxes = st.sampled_from(("a", "+b", "b"))
uniqueness = st.none() | st.builds(
    Uniqueness,
    st.sampled_from(KEYS),
    st.sampled_from(UNIQUE_UNTIL),
    st.booleans(),
    st.sampled_from(ON_DUPLICATE),
)


class ClientRules(Machine):
    """Submit, ask after and move jobs, and hear of them."""

    @rule(
        lane=st.sampled_from(LANES), count=st.sampled_from((1, 4)), is_later=st.booleans(), is_earliest=st.booleans(),
        has_expiry=st.booleans(), unique=uniqueness, is_lost=is_lost,
    )  # fmt: skip
    def submit(
        self, lane: str, count: int, is_later: bool, is_earliest: bool, has_expiry: bool, is_lost: bool,
        unique: Uniqueness | None = None,
    ) -> None:  # fmt: skip
        for _ in range(count):
            if len(self.ids) < len(IDS):
                self.ids.append(IDS[len(self.ids)])
                due = self.next_rank(is_earliest) if is_later else None
                self.submit_one(self.ids[-1], lane, due, has_expiry, is_lost, unique)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lane=st.sampled_from(LANES), unique=uniqueness)
    def submit_a_known_id(self, data: Any, lane: str, unique: Uniqueness | None) -> None:
        self.submit_one(self.draw_id(data), lane, None, has_expiry=False, is_lost=False, unique=unique)

    def submit_one(
        self,
        job_id: str,
        lane: str,
        due: int | None,
        has_expiry: bool,
        is_lost: bool,
        unique: Uniqueness | None,
    ) -> None:
        queue, _, priority = lane.partition(":")
        later = None if due is None else timedelta(milliseconds=delay_of(due))
        request = JobRequest(
            "greet", None, priority, queue=queue, job_id=job_id, scheduled_for=later,
            expires_in=EXPIRY if has_expiry else None, **options_of(unique),
        )  # fmt: skip
        self.send(
            is_lost,
            lambda: self.store.submit([request]),
            lambda: self.model.submit(job_id, lane, due, unique, has_expiry=has_expiry),
        )

    @rule(data=st.data(), how=st.sampled_from(("", "soft", "hard")), is_lost=is_lost)
    def cancel(self, data: Any, how: str, is_lost: bool) -> None:
        self.cancel_one(self.draw_id(data), how, is_lost)

    @precondition(lambda self: any(self.model.held.values()))
    @rule(data=st.data(), how=st.sampled_from(("soft", "hard")), is_lost=is_lost)
    def cancel_a_running_job(self, data: Any, how: str, is_lost: bool) -> None:
        running = [job_id for ids in self.model.held.values() for job_id in ids]
        self.cancel_one(data.draw(st.sampled_from(running)), how, is_lost)

    def cancel_one(self, job_id: str, how: str, is_lost: bool) -> None:
        self.send(is_lost, lambda: self.store.cancel(job_id, how), lambda: self.model.cancel(job_id, how))

    @rule(data=st.data(), box=boxes, is_lost=is_lost)
    def await_jobs(self, data: Any, box: str, is_lost: bool) -> None:
        job_ids = [self.draw_id(data) for _ in range(3)]
        self.send(
            is_lost,
            lambda: self.store.await_jobs(box, job_ids)[1],
            lambda: self.model.await_jobs(box, job_ids),
        )

    @rule(data=st.data())
    def explain(self, data: Any) -> None:
        job_id = self.draw_id(data)
        facts = find_facts(self.world.transport, "test", job_id)
        status = str(facts.job.status) if facts.job else ""
        pauses = [end is not None for end in (facts.queue_pause, facts.whole_pause)]
        seen = (status, facts.place, facts.held_place, facts.left_behind, *pauses, facts.told)
        assert seen == self.model.explain(job_id)

    @precondition(lambda self: self.model.mail)
    @rule(data=st.data())
    def take_mail(self, data: Any) -> None:
        box = data.draw(st.sampled_from(sorted(self.model.mail)))
        del self.model.mail[box]
        self.world.call("DEL", self.world.keys.mail(box))

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data(), is_lost=is_lost)
    def requeue_dead(self, data: Any, is_lost: bool) -> None:
        job_ids = self.draw_dead_and_another(data)
        self.send(is_lost, lambda: self.store.requeue_dead(job_ids), lambda: self.model.requeue_dead(job_ids))

    @precondition(lambda self: any(self.model.jobs[job_id].unique for job_id in self.model.dead))
    @rule(data=st.data(), is_taken=st.booleans(), is_lost=is_lost)
    def requeue_a_dead_job_with_a_key(self, data: Any, is_taken: bool, is_lost: bool) -> None:
        """Whose key another has by now, perhaps."""
        job_id = data.draw(
            st.sampled_from([job_id for job_id in sorted(self.model.dead) if self.model.jobs[job_id].unique])
        )
        key = self.model.jobs[job_id].unique.partition(" ")[2]
        if is_taken:
            taker = Uniqueness(key, "end", is_timed=False, on_duplicate="return")
            self.submit(
                LANES[0], 1, is_later=False, is_earliest=False, has_expiry=False, is_lost=False, unique=taker
            )
        self.send(
            is_lost, lambda: self.store.requeue_dead([job_id]), lambda: self.model.requeue_dead([job_id])
        )

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data(), is_lost=is_lost)
    def purge_dead(self, data: Any, is_lost: bool) -> None:
        job_ids = self.draw_dead_and_another(data)
        self.send(is_lost, lambda: self.store.purge_dead(job_ids), lambda: self.model.purge_dead(job_ids))

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), lane=st.sampled_from(LANES), is_lost=is_lost)
    def reprioritise(self, data: Any, lane: str, is_lost: bool) -> None:
        job_id = self.draw_waiting(data)
        queue, _, priority = lane.partition(":")
        self.send(
            is_lost,
            lambda: self.store.reprioritise(job_id, priority, queue),
            lambda: self.model.reprioritise(job_id, lane),
        )

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), is_at_once=st.booleans(), is_earliest=st.booleans(), is_lost=is_lost)
    def reschedule(self, data: Any, is_at_once: bool, is_earliest: bool, is_lost: bool) -> None:
        job_id = self.draw_waiting(data)
        due = None if is_at_once else self.next_rank(is_earliest)
        wire = "0" if due is None else f"+{delay_of(due)}"
        self.send(
            is_lost, lambda: self.store.reschedule(job_id, wire), lambda: self.model.reschedule(job_id, due)
        )

    @rule(name=st.sampled_from((*QUEUES, EVERYTHING)), how=st.sampled_from(list(PAUSES)), is_lost=is_lost)
    def pause(self, name: str, how: str, is_lost: bool) -> None:
        self.send(is_lost, lambda: self.store.pause(name, PAUSES[how]), lambda: self.model.pause(name, how))

    @precondition(lambda self: self.model.paused)
    @rule(data=st.data(), is_lost=is_lost)
    def resume(self, data: Any, is_lost: bool) -> None:
        name = data.draw(st.sampled_from([*self.model.paused, *QUEUES, EVERYTHING]))
        self.send(is_lost, lambda: self.store.resume(name), lambda: self.model.resume(name))


def options_of(unique: Uniqueness | None) -> dict[str, Any]:
    """The uniqueness of a request."""
    if unique is None:
        return {}
    return {
        "unique_key": unique.key, "unique_seconds": UNIQUE_TIME if unique.is_timed else None,
        "unique_until": unique.until, "on_duplicate": unique.on_duplicate,
    }  # fmt: skip
