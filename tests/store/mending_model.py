"""What the doctor should find and do, in plain Python: on a `Model` in which something is out of order."""

from collections import Counter

from tests.store.model import Model, Node, Record, node_of

HOMELESS = {
    "pending": "in_no_lane",
    "processing": "not_held",
    "scheduled": "not_scheduled",
    "failed": "not_dead",
}
ENDED = ("completed", "cancelled", "expired")

Findings = Counter[tuple[str, str]]
"""How often which fault of which job, holder, key or queue."""


def mend(model: Model) -> Findings:
    """Put everything in order, as the doctor does: keys, then holders, then jobs."""
    found = Counter(model.odd_keys)
    model.odd_keys.clear()
    unlisted = {lane.partition(":")[0] for lane, ids in model.lanes.items() if ids} - model.queues
    model.queues |= unlisted
    found.update(("unlisted_queue", queue) for queue in unlisted)
    for key in [key for key in model.owners if not model.keeper_of(key)]:
        del model.owners[key]
        found[("stale_unique", f"unique:{key}")] += 1
    for holder in sorted(model.holders.union(holder for holder, ids in model.held.items() if ids)):
        found.update((fault, holder) for fault in _mend_holder(model, holder))
    in_places = (job_id for place in places(model) for job_id in ids_at(model, place))
    for job_id in sorted({*model.jobs, *+model.moved, *in_places}):
        found.update((fault, job_id) for fault in _mend_job(model, job_id))
    return found


def is_given_up(node: Node) -> bool:
    return node.lease in ("", "over for hours", "long over") and node.beat in ("", "long ago")


# Places, by the names of their keys


def places(model: Model) -> list[str]:
    return [*(f"ready:{lane}" for lane in model.lanes), *(f"held:{holder}" for holder in model.held),
            "scheduled", "dead"]  # fmt: skip


def ids_at(model: Model, place: str) -> list[str]:
    """The ids there; the list itself, where it is one."""
    kind, _, name = place.partition(":")
    if kind == "ready":
        return model.lanes.setdefault(name, [])
    if kind == "held":
        return model.held.setdefault(name, [])
    return list(model.scheduled if kind == "scheduled" else model.dead)


def take_out(model: Model, place: str, job_id: str) -> None:
    if place == "scheduled":
        del model.scheduled[job_id]
    elif place == "dead":
        model.dead.remove(job_id)
    else:
        ids = ids_at(model, place)
        ids[:] = [other for other in ids if other != job_id]


def home_of(job: Record) -> str:
    """Where a job is that has not ended, or is dead; else ""."""
    homes = {"pending": f"ready:{job.lane}", "processing": f"held:{job.holder}",
             "scheduled": "scheduled", "failed": "dead"}  # fmt: skip
    return homes.get(job.status, "")


# The parts


def _mend_holder(model: Model, holder: str) -> list[str]:
    is_admitted = holder in model.holders
    if is_admitted and not is_given_up(model.nodes.get(node_of(holder), Node())):
        return []
    for job_id in reversed(model.held.pop(holder, [])):
        job = model.jobs.get(job_id)
        if job is None:
            model.bury_unreadable(job_id, "its record is missing or unreadable")
        elif (job.status, job.holder) == ("processing", holder) and job.cancel:
            model.end_as_cancelled(job_id)
        elif (job.status, job.holder) == ("processing", holder) and job.guarded_run == job.run:
            model.bury_guarded(job_id, "its run was lost with its holder, and must not be repeated")
        elif (job.status, job.holder) == ("processing", holder):
            model.to_front(job_id)
    model.holders.discard(holder)
    return ["stale_holder" if is_admitted else "not_admitted"]


def _mend_job(model: Model, job_id: str) -> list[str]:
    where = Counter(place for place in places(model) for other in ids_at(model, place) if other == job_id)
    job = model.jobs.get(job_id)
    if job is None:
        return _mend_missing(model, job_id, where)
    faults = _mend_lifetime(job, is_in_lane=f"ready:{job.lane}" in where)
    faults += ["bad_counter" for _ in job.odd_counters]
    job.odd_counters.clear()
    return faults + _mend_places(model, job_id, job, where)


def _mend_missing(model: Model, job_id: str, where: Counter[str]) -> list[str]:
    if set(where) - {"dead"} - _lanes_in(where) or _in_lanes(where) > model.moved[job_id]:
        for place in where:
            take_out(model, place, job_id)
        model.moved[job_id] = 0
        model.bury_unreadable(job_id, "its record is missing")
        return ["no_record"]
    faults = _mend_moved(model, job_id, _in_lanes(where))
    if where["dead"]:
        take_out(model, "dead", job_id)
        faults.append("no_dead_record")
    return faults


def _lanes_in(where: Counter[str]) -> set[str]:
    return {place for place in where if place.startswith("ready:")}


def _in_lanes(where: Counter[str]) -> int:
    return sum(where[place] for place in _lanes_in(where))


def _mend_moved(model: Model, job_id: str, left: int) -> list[str]:
    """Of a job that has been moved: as many ids as it has left behind."""
    if model.moved[job_id] in (0, left):
        return []
    model.moved[job_id] = left
    return ["bad_moved"]


def _mend_lifetime(job: Record, *, is_in_lane: bool) -> list[str]:
    was_expiring = job.is_expiring
    if was_expiring and job.status not in ENDED:
        job.is_expiring = False
        return ["expires"]
    if not was_expiring and (
        job.status in ("completed", "expired") or (job.status == "cancelled" and not is_in_lane)
    ):
        job.is_expiring = True
        return ["kept"]
    return []


def _mend_places(model: Model, job_id: str, job: Record, where: Counter[str]) -> list[str]:
    home = home_of(job)
    is_moved = model.moved[job_id] > 0
    is_tombstone = job.status == "cancelled" and not job.is_expiring
    own = int((job.status == "pending" or is_tombstone) and where[f"ready:{job.lane}"] > 0)
    faults = _mend_moved(model, job_id, _in_lanes(where) - own)
    tombstones = _lanes_in(where) if is_moved or is_tombstone else set()
    wrong = [place for place in where if place != home and place not in tombstones and where[place]]
    for place in wrong:
        take_out(model, place, job_id)
    faults += ["elsewhere" for _ in wrong]
    if home and not where[home]:
        faults.append(HOMELESS[job.status])
        _bring_home(model, job_id, job)
    elif where[home] > 1 and home not in tombstones:
        ids = ids_at(model, home)
        first = ids.index(job_id)
        ids[:] = [other for n, other in enumerate(ids) if other != job_id or n == first]
        faults.append("twice")
    return faults


def _bring_home(model: Model, job_id: str, job: Record) -> None:
    match job.status:
        case "pending":
            model.to_back(job_id)
        case "processing" if job.cancel:
            model.end_as_cancelled(job_id)
        case "processing" if job.guarded_run == job.run:
            model.bury_guarded(job_id, "nobody holds its run, which must not be repeated")
        case "processing":
            model.to_front(job_id)
        case "scheduled":
            model.schedule(job_id, job.due)
        case "failed":
            model.dead.add(job_id)
