"""What the tests of the store share: a namespace to seed, to call and to look at.

Instants are set against the server's own clock, directly in its keys, so that no test waits.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bananasd import JobRequest
from bananasd.schedule import Schedule
from bananasd.store.calls import run_calls
from bananasd.store.claims import Claim
from bananasd.store.connection import HeldConnection, Server, Transport
from bananasd.store.keys import lanes_of
from bananasd.store.mending import Mender
from bananasd.store.orders import read, reading
from bananasd.store.outcomes import Buried, Completed, Released, Retried
from bananasd.store.schedules import ScheduleStore, Slot
from bananasd.store.store import MAX_IDS, Charge, Store
from tests.proxy import Proxy

# These hold asserts of a test, which shall tell what they compared.
pytest.register_assert_rewrite(
    "tests.store.machine", "tests.store.scheduler_rules", "tests.store.sight", "tests.store.surrounding_rules"
)

NODE, OTHER_NODE = "n1", "n2"
HOLDER, OTHER = "n1/1.1", "n2/1.1"
LEASE_MS = 15_000
LANE = "default:normal"


class World:
    """The namespace "test" of a server: seeds on top, then what a test looks at."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.store = Store(transport, "test")
        self.keys = self.store.keys
        self.schedules = ScheduleStore(transport, "test")

    def submit(
        self,
        count: int = 1,
        priority: str = "normal",
        queue: str = "default",
        payload: Any = None,
        **options: Any,
    ) -> list[str]:
        requests = [JobRequest("greet", payload, priority, queue=queue, **options) for _ in range(count)]
        for start in range(0, count, MAX_IDS):
            few = requests[start : start + MAX_IDS]
            assert self.store.submit(few).new == len(few)
        return [request.job_id for request in requests]

    def schedule(self, *dues_ms: int) -> list[str]:
        """Jobs that are due so many milliseconds from now, or were (negative)."""
        ids = self.submit(len(dues_ms), scheduled_for=timedelta(hours=1))
        now = self.now()
        for job_id, due_ms in zip(ids, dues_ms, strict=True):
            self.call("ZADD", self.keys.scheduled, now + due_ms, job_id)
            self.mark(job_id, due_at=now + due_ms)
        return ids

    def plan(self, *slots_ms: int, name: str = "hourly", **settings: Any) -> Slot:
        """A schedule that was last fired so long ago that its slots, so many milliseconds from now, are ahead; the last."""
        schedule = Schedule(**{"name": name, "job": "greet", "every": "1h", **settings})
        self.schedules.put("client", {name: schedule.encode()})
        self.call("HSET", self.keys.fired, name, self.now() + min(slots_ms) - 1)
        return self.slot(schedule, self.now() + slots_ms[-1])

    def slot(self, schedule: Schedule, slot_ms: int) -> Slot:
        job_id, spec = schedule.job_id("test", slot_ms), schedule.spec(slot_ms, slot_ms)
        return Slot(schedule.name, slot_ms, schedule.encode(), job_id, spec, schedule.lane)

    def fire(self, *slots: Slot) -> list[str]:
        """What came of each."""
        return [what for what, _ in self.schedules.fire(slots)]

    def orders(self, *done: str, node: str = NODE) -> list[str]:
        """Those of a node, without those that are done."""
        return [order.words for order in read(run_calls(self.transport, [reading(self.keys, node, done)])[0])]

    def last(self, name: str = "hourly") -> int | None:
        """The last slot of a schedule."""
        word = self.call("HGET", self.keys.fired, name)
        return None if word is None else int(word)

    def enter(self, holder: str = HOLDER) -> str:
        self.store.enter(holder, _node(holder), LEASE_MS, {})
        return holder

    def claim(self, want: int = 1, holder: str = HOLDER, queues: tuple[str, ...] = ("default",)) -> Claim:
        return self.store.settle_and_claim([], holder, _node(holder), lanes_of(queues), want)[1]

    def start(self, count: int = 1, holder: str = HOLDER, **options: Any) -> list[str]:
        """Jobs that this holder runs."""
        ids = self.submit(count, **options)
        self.enter(holder)
        assert [job.job_id for job in self.claim(count, holder).jobs] == ids
        return ids

    def kill(self, count: int = 1) -> list[str]:
        """Jobs in the dead letters."""
        ids = self.start(count)
        assert self.store.settle([Buried(HOLDER, job_id, 1, "it broke") for job_id in ids]) == []
        return ids

    def age(self, *ms_by_job: tuple[str, int]) -> None:
        """Let dead jobs have died so many milliseconds ago."""
        now = self.now()
        for job_id, ms in ms_by_job:
            self.call("ZADD", self.keys.dead, now - ms, job_id)
            self.mark(job_id, finished_at=now - ms)

    def mark(self, job_id: str, **fields: object) -> None:
        """Set fields of a record."""
        self.call("HSET", self.keys.job(job_id), *(word for pair in fields.items() for word in pair))

    def lease(self, node: str, ms: int) -> None:
        """Let a node's lease end so many milliseconds from now."""
        self.call("ZADD", self.keys.nodes, self.now() + ms, node)

    def beaten(self, node: str, *, ms_ago: int, alive_for_ms: int) -> None:
        self.call(
            "HSET",
            self.keys.node(node),
            "beat_at",
            self.now() - ms_ago,
            "alive_since",
            self.now() - alive_for_ms,
        )

    # What stands in the keys

    def call(self, *command: object) -> Any:
        (reply,) = self.transport.trip([command])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def now(self) -> int:
        seconds, micros = self.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def record(self, job_id: str) -> dict[str, str]:
        words = [word.decode("utf-8", "replace") for word in self.call("HGETALL", self.keys.job(job_id))]
        return dict(zip(words[::2], words[1::2], strict=True))

    def status(self, job_id: str) -> str:
        return self.record(job_id).get("status", "")

    def ttl(self, job_id: str) -> int:
        """Milliseconds that a record has left; -1: it stays, -2: there is none."""
        return self.call("PTTL", self.keys.job(job_id))

    def ready(self, lane: str = LANE) -> list[str]:
        return _texts(self.call("LRANGE", self.keys.ready(lane), 0, -1))

    def held(self, holder: str = HOLDER) -> list[str]:
        return _texts(self.call("LRANGE", self.keys.held(holder), 0, -1))

    def scheduled(self) -> list[str]:
        return _texts(self.call("ZRANGE", self.keys.scheduled, 0, -1))

    def dead(self) -> list[str]:
        return _texts(self.call("ZRANGE", self.keys.dead, 0, -1))

    def mail(self, box: str = "b") -> list[str]:
        """What a mailbox was told, which is taken."""
        return _texts(self.call("LPOP", self.keys.mail(box), 1000) or [])

    def kept(self, job_id: str) -> str | None:
        """What is kept beside a record: a result, or after "!" and a time a failure."""
        text = self.call("GET", self.keys.result(job_id))
        return text and text.decode()

    def tokens(self, lane: str = LANE) -> int:
        return self.call("LLEN", self.keys.wake(lane))

    def take_tokens(self) -> None:
        """As idle workers and the scheduler do."""
        for key in self.call("KEYS", f"{self.keys.prefix}wake:*"):
            self.call("DEL", key)

    def counter(self, name: str) -> int:
        return int(self.call("HGET", self.keys.stats, name) or 0)

    def dump(self) -> dict[bytes, Any]:
        """Everything there is, to prove that a call changed nothing."""
        return {key: (self._read(key), self.call("PTTL", key) < 0) for key in self.call("KEYS", "*")}

    def _read(self, key: bytes) -> Any:
        match self.call("TYPE", key):
            case b"hash":
                words = self.call("HGETALL", key)
                return dict(zip(words[::2], words[1::2], strict=True))
            case b"list":
                return self.call("LRANGE", key, 0, -1)
            case b"zset":
                return self.call("ZRANGE", key, 0, -1, "WITHSCORES")
            case b"set":
                return set(self.call("SMEMBERS", key))
        return self.call("GET", key)


@pytest.fixture
def world(server: Any) -> Iterator[World]:
    connection = HeldConnection(Server(server.url, 5))
    yield World(connection)
    connection.close()


@pytest.fixture
def proxy(server: Any) -> Iterator[Proxy]:
    """A way to the server that may lose replies."""
    proxy = Proxy(server.socket)
    yield proxy
    proxy.close()


def _run_again(world: World, job_id: str) -> None:
    world.store.settle([Released(HOLDER, job_id, 1)])
    assert world.claim().jobs[0].run == 2


def _give_to_other(world: World, job_id: str) -> None:
    world.store.recover(HOLDER)
    world.enter(OTHER)
    assert world.claim(holder=OTHER).jobs[0].job_id == job_id


def _die_and_run_again(world: World, job_id: str) -> None:
    world.store.settle([Buried(HOLDER, job_id, 1, "")])
    world.store.requeue_dead([job_id])
    assert world.claim().jobs[0].run == 2


# What can have happened to a run before its worker reports how it ended; then the report changes nothing.
STALE = {
    "run again": _run_again,
    "given to another holder": _give_to_other,
    "died and ran again": _die_and_run_again,
    "held by another": lambda world, job_id: world.mark(job_id, holder=OTHER),
    "recovered": lambda world, job_id: world.store.recover(HOLDER),
    "recovered as lost": lambda world, job_id: world.store.recover(HOLDER, Charge.lost(job_id, "killed")),
    "completed": lambda world, job_id: world.store.settle([Completed(HOLDER, job_id, 1, b"1")]),
    "retried": lambda world, job_id: world.store.settle([Retried(HOLDER, job_id, 1, 60_000, "")]),
    "buried": lambda world, job_id: world.store.settle([Buried(HOLDER, job_id, 1, "")]),
    "released": lambda world, job_id: world.store.settle([Released(HOLDER, job_id, 1)]),
    "without a record": lambda world, job_id: world.call("DEL", world.keys.job(job_id)),
    "with a record of another type": lambda world, job_id: world.call("SET", world.keys.job(job_id), "x"),
    "not on the held list": lambda world, job_id: world.call("DEL", world.keys.held(HOLDER)),
}  # fmt: skip


@pytest.fixture(params=STALE)
def stale(world: World, request: pytest.FixtureRequest) -> tuple[str, str, int]:
    """Holder, id and run of a run that is over, or no longer this holder's."""
    (job_id,) = world.start()
    STALE[request.param](world, job_id)
    return HOLDER, job_id, 1


def _node(holder: str) -> str:
    return holder.partition("/")[0]


def _texts(words: list[bytes]) -> list[str]:
    return [word.decode() for word in words]


@pytest.fixture
def mender(world: World) -> Mender:
    """What mends the world."""
    return Mender(world.transport, world.keys, is_mending=True)
