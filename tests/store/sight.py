"""The namespace on the server in the words of the model, to be compared with it."""

import re
from collections.abc import Sequence

from tests.store.conftest import World
from tests.store.machine import ALIVE, BEATS, HOLDERS, KEYS, LANES, LEASE_ENDS, NODES
from tests.store.model import RANK_MS, Model, Node, Record


class Sight:
    """What stands on the server; ``ids`` are those that jobs may have."""

    def __init__(self, world: World, ids: Sequence[str]) -> None:
        self.world = world
        self.ids = ids

    def agree_with(self, model: Model) -> None:
        """Fail if anything stands there otherwise."""
        world, keys = self.world, self.world.keys
        commands = [
            *(("LRANGE", f"{keys.prefix}ready:{lane}", 0, -1) for lane in LANES),
            *(("LRANGE", keys.held(holder), 0, -1) for holder in HOLDERS),
            *(("LLEN", f"{keys.prefix}wake:{lane}") for lane in (*LANES, "scheduled")),
            ("ZRANGE", keys.scheduled, 0, -1, "WITHSCORES"), ("ZRANGE", keys.dead, 0, -1, "WITHSCORES"),
            *(("HGET", keys.job(job_id), "finished_at") for job_id in sorted(model.dead)),
            ("SMEMBERS", keys.holders), ("SMEMBERS", keys.queues), ("HGETALL", keys.moved),
            ("ZRANGE", keys.paused, 0, -1, "WITHSCORES"), ("ZRANGE", keys.nodes, 0, -1),
            ("HGETALL", keys.stats), *(("LRANGE", keys.mail(box), 0, -1) for box in ("a", "b")),
            *(("LRANGE", keys.orders(node), 0, -1) for node in NODES), *(("LLEN", keys.bell(node)) for node in NODES),
        ]  # fmt: skip
        replies = iter(world.transport.trip(commands))
        assert {lane: texts(next(replies)) for lane in LANES} == {
            lane: model.lanes.get(lane, []) for lane in LANES
        }
        assert {holder: texts(next(replies)) for holder in HOLDERS} == {
            h: model.held.get(h, []) for h in HOLDERS
        }
        assert {lane: next(replies) for lane in (*LANES, "scheduled")} == {
            lane: int(lane in model.tokens) for lane in (*LANES, "scheduled")
        }
        now = world.now()
        scheduled = {job_id: rank_of(due, now) for job_id, due in scores(next(replies)).items()}
        assert scheduled == model.scheduled
        assert scores(next(replies)) == {job_id: int(next(replies)) for job_id in sorted(model.dead)}
        assert set(texts(next(replies))) == model.holders
        assert set(texts(next(replies))) == model.queues
        left = texts(next(replies))
        assert dict(zip(left[::2], map(int, left[1::2]), strict=True)) == +model.moved
        paused = texts(next(replies))
        assert dict(zip(paused[::2], map(pause_of, paused[1::2]), strict=True)) == model.paused
        assert set(texts(next(replies))) == set(model.nodes)
        assert {name: self.read_node(name) for name in model.nodes} == model.nodes
        counted = texts(next(replies))
        assert dict(zip(counted[::2], map(int, counted[1::2]), strict=True)) == +model.counters
        assert {box: told for box in ("a", "b") if (told := texts(next(replies)))} == model.mail
        orders = {node: list(map(order_of, texts(next(replies)))) for node in NODES}
        assert orders == {node: model.orders.get(node, []) for node in NODES}
        assert {node for node in NODES if next(replies)} == model.bells
        assert self.read_owners() == model.owners
        assert self.read_jobs() == model.jobs
        assert self.read_results() == model.results

    def read_node(self, name: str) -> Node:
        keys, now = self.world.keys, self.world.now()
        score, (beat_at, alive_since) = self.world.transport.trip(
            [("ZSCORE", keys.nodes, name), ("HMGET", keys.node(name), "beat_at", "alive_since")]
        )
        lease = word_for(LEASE_ENDS, int(float(score)) - now)
        if beat_at is None:
            return Node(lease)
        return Node(lease, word_for(BEATS, now - int(beat_at)), word_for(ALIVE, now - int(alive_since)))

    def read_jobs(self) -> dict[str, Record]:
        keys, now = map(self.world.keys.job, self.ids), self.world.now()
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("HGETALL", "PTTL")])
        records = zip(self.ids, replies[::2], replies[1::2], strict=True)
        return {job_id: read_record(texts(words), ttl, now) for job_id, words, ttl in records if words}

    def read_owners(self) -> dict[str, tuple[str, bool]]:
        keys = map(self.world.keys.unique, KEYS)
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("GET", "PTTL")])
        found = zip(KEYS, replies[::2], replies[1::2], strict=True)
        return {key: (job_id.decode(), ttl > 0) for key, job_id, ttl in found if job_id}

    def read_results(self) -> dict[str, str]:
        """A failure without its time. None of them stays for good."""
        keys = [self.world.keys.result(job_id) for job_id in self.ids]
        replies = self.world.transport.trip([(name, key) for key in keys for name in ("GET", "PTTL")])
        found = {job_id: text for job_id, text in zip(self.ids, replies[::2], strict=True) if text}
        assert sum(ttl > 0 for ttl in replies[1::2]) == len(found)
        return {job_id: re.sub(r"^!\d+ ", "!", text.decode()) for job_id, text in found.items()}


def read_record(words: list[str], ttl: int, now: int) -> Record:
    fields = dict(zip(words[::2], words[1::2], strict=True))
    # What there is not has no field.
    assert "" not in fields.values()
    numbers = {name: int(fields.get(name, 0)) for name in ("run", "attempts", "recoveries", "guarded_run")}
    texts = {name: fields.get(name, "") for name in ("holder", "error", "progress", "cancel")}
    expires_at = int(fields.get("expires_at", 0))
    return Record(
        fields["lane"], fields["status"], **numbers, **texts,
        due=rank_of(int(fields.get("due_at", 0)), now),
        expiry="" if not expires_at else "later" if expires_at > now else "over",
        waiters=fields.get("waiters", "").split(),
        unique=fields.get("unique", ""), is_unique_for_a_time="unique_ms" in fields, has_spec="spec" in fields, has_result="has_result" in fields,
        is_finished="finished_at" in fields, is_expiring=ttl > 0,
    )  # fmt: skip


def rank_of(due_at: int, now: int) -> int:
    return due_at if due_at < RANK_MS else round((due_at - now) / RANK_MS)


def pause_of(score: str) -> str:
    return {"inf": "for good", "1": "over"}.get(score, "for a time")


def order_of(words: str) -> tuple[str, str, int, str]:
    """As the model has it."""
    holder, job_id, run, how = words.split(" ")
    return holder, job_id, int(run), how


def word_for(words: dict[str, int], ms: int) -> str:
    """The nearest."""
    return min(words, key=lambda word: abs(words[word] - ms))


def scores(words: list[bytes]) -> dict[str, int]:
    return dict(zip(texts(words[::2]), map(int, words[1::2]), strict=True))


def texts(words: list[bytes]) -> list[str]:
    return [word.decode() for word in words]
