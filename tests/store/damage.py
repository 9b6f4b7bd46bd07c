"""What somebody's hand, or a dump that was loaded in part, can do to a namespace: to the server and to its model alike.

Each takes what draws from a strategy, too; where there is nothing to damage it does nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.store.conftest import World
from tests.store.mending_model import ENDED, home_of, ids_at, places, take_out
from tests.store.model import Model

FAR_OFF = 10**15
"""Milliseconds since the epoch, behind every time at which a job really is due."""

STRANGER = "n9/1.1"

Draw = Callable[[st.SearchStrategy[Any]], Any]
Damage = Callable[[World, Model, Draw], None]


def put_elsewhere(world: World, model: Model, draw: Draw) -> None:
    """Into a place that is there, but not its own. Not a cancelled job, whose id may be in lanes."""
    if job_id := _one_of(draw, [job_id for job_id, job in model.jobs.items() if job.status != "cancelled"]):
        own = home_of(model.jobs[job_id])
        place = draw(st.sampled_from([place for place in places(model) if place != own]))
        if place == "scheduled":
            model.scheduled[job_id] = FAR_OFF
            world.call("ZADD", world.keys.scheduled, FAR_OFF, job_id)
        elif place == "dead":
            model.dead.add(job_id)
            world.call("ZADD", world.keys.dead, world.now(), job_id)
        else:
            ids = [job_id] * draw(st.integers(1, 2))
            ids_at(model, place).extend(ids)
            world.call("RPUSH", world.keys.prefix + place, *ids)


def put_twice(world: World, model: Model, draw: Draw) -> None:
    listed = [job_id for job_id, job in model.jobs.items() if job.status in ("pending", "processing")]
    if job_id := _one_of(draw, listed):
        home = home_of(model.jobs[job_id])
        ids_at(model, home).insert(0, job_id)
        world.call("LPUSH", world.keys.prefix + home, job_id)


def take_away(world: World, model: Model, draw: Draw) -> None:
    """From its place, or a tombstone from its lane."""
    homes = {job_id: home_of(job) or f"ready:{job.lane}" for job_id, job in model.jobs.items()}
    if job_id := _one_of(draw, [job_id for job_id, home in homes.items() if job_id in ids_at(model, home)]):
        home = homes[job_id]
        take_out(model, home, job_id)
        key = world.keys.prefix + home
        world.call(*(("ZREM", key) if home in ("scheduled", "dead") else ("LREM", key, 0)), job_id)


def delete_record(world: World, model: Model, draw: Draw) -> None:
    if job_id := _one_of(draw, list(model.jobs)):
        del model.jobs[job_id]
        world.call("DEL", world.keys.job(job_id))


def let_live_or_expire(world: World, model: Model, draw: Draw) -> None:
    """A record that must not; but not one of a tombstone, which may do either."""
    records = [job_id for job_id, job in model.jobs.items() if job.status != "cancelled" or job.is_expiring]
    if job_id := _one_of(draw, records):
        job = model.jobs[job_id]
        job.is_expiring = job.status not in ENDED
        key = world.keys.job(job_id)
        world.call(*(("PEXPIRE", key, 3_600_000) if job.is_expiring else ("PERSIST", key)))


def spoil_a_counter(world: World, model: Model, draw: Draw) -> None:
    if job_id := _one_of(draw, list(model.jobs)):
        # Of a job that may wait for good: what a job loses of its expiry it would get back from the dead letters.
        times = () if model.jobs[job_id].expiry else ("expires_at",)
        name = draw(st.sampled_from(("attempts", "recoveries", *times)))
        if name not in times:
            setattr(model.jobs[job_id], name, 0)
        model.jobs[job_id].odd_counters.add(name)
        world.mark(job_id, **{name: draw(st.sampled_from(("many", "-1", "1e3", "1" * 16)))})


def dismiss_a_holder(world: World, model: Model, draw: Draw) -> None:
    if holder := _one_of(draw, sorted(model.holders)):
        model.holders.remove(holder)
        world.call("SREM", world.keys.holders, holder)


def leave_with_a_stranger(world: World, model: Model, draw: Draw) -> None:
    """A holder that is not admitted holds what another runs, or what it has completed itself."""
    stays = [job_id for job_id, job in model.jobs.items() if job.status in ("processing", "completed")]
    if job_id := _one_of(draw, stays):
        job = model.jobs[job_id]
        holder = job.holder if job.status == "completed" else STRANGER
        model.holders.discard(holder)
        model.held.setdefault(holder, []).append(job_id)
        world.call("SREM", world.keys.holders, holder)
        world.call("RPUSH", world.keys.held(holder), job_id)


def forget_a_queue(world: World, model: Model, draw: Draw) -> None:
    if queue := _one_of(draw, sorted(model.queues)):
        model.queues.remove(queue)
        world.call("SREM", world.keys.queues, queue)


def spoil_a_statistic(world: World, model: Model, draw: Draw) -> None:
    name = draw(st.sampled_from(("submitted", "completed", "dead")))
    model.counters.pop(name, None)
    model.odd_keys.append(("bad_count", "stats"))
    world.call("HSET", world.keys.stats, name, draw(st.sampled_from(("many", "-1", "1" * 16))))


def let_a_key_expire(world: World, model: Model, draw: Draw) -> None:
    name = draw(st.sampled_from(("stats", "nodes")))
    if world.call("PEXPIRE", world.keys.prefix + name, 3_600_000):
        model.odd_keys.append(("key_expires", name))


def let_a_result_stay(world: World, model: Model, draw: Draw) -> None:
    if job_id := _one_of(draw, sorted(model.results)):
        model.odd_keys.append(("key_stays", f"result:{job_id}"))
        world.call("PERSIST", world.keys.result(job_id))


def give_a_key_to_one_who_must_not_have_it(world: World, model: Model, draw: Draw) -> None:
    key = draw(st.sampled_from(("k", "of nobody")))
    others = [job_id for job_id, job in model.jobs.items() if job.status in ENDED or not job.unique]
    if key not in model.owners and (job_id := _one_of(draw, others)):
        model.owners[key] = (job_id, False)
        world.call("SET", world.keys.unique(key), job_id)


def leave_a_key(world: World, model: Model, draw: Draw) -> None:
    """One that nobody knows, or in place of a token."""
    lane = draw(st.sampled_from(["", *model.lanes]))
    name, fault = (f"wake:{lane}", "wrong_type") if lane else ("odd", "unknown_key")
    model.tokens.discard(lane)
    model.odd_keys.append((fault, name))
    world.call("SET", world.keys.prefix + name, "1")


DAMAGES = (
    put_elsewhere, put_twice, take_away, delete_record, let_live_or_expire, spoil_a_counter, dismiss_a_holder,
    leave_with_a_stranger, forget_a_queue, spoil_a_statistic, let_a_key_expire, let_a_result_stay, give_a_key_to_one_who_must_not_have_it,
    leave_a_key,
)  # fmt: skip


def _one_of(draw: Draw, names: Sequence[str]) -> str:
    return draw(st.sampled_from(names)) if names else ""
