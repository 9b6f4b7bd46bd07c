"""What the same server gives when almost nothing stands around it: the two hot scripts with every guard, no more.

Submit, claim and complete as bananasd has them (holder, lease and status checked, run tokens, held lists, wake tokens, a
complete and the next claim in one trip), but no handlers, timeouts, logs, retries, reconnects. The distance to it is
the price of all those, and of doing them well or badly.
"""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from .forks import in_children, start_child
from .server import Connection, Server, trip

PREFIX = "{bench}:"
LANES, WAKES = (
    [f"{PREFIX}{kind}:{name}" for name in ("high", "normal", "low")] for kind in ("ready", "wake")
)
NORMAL = 1
JOB, HOLDERS, LEASES, STATS = (f"{PREFIX}{key}" for key in ("job:", "holders", "leases", "stats"))
NODE = "node"
KEEP_SECONDS, LEASE_SECONDS = 86_400, 3600
WORKERS, PIPELINE = 2, 500
BATCH = 32
FIELDS = 5
"""What a claim returns of each job."""
PAD = "x" * 140
Run = Callable[[Any], None]


class Submitter:
    """Submits over a held connection, as many jobs a trip as it is told."""

    def __init__(self, server: Server) -> None:
        self._connection = server.connect()
        self._digest = _load(self._connection, "submit")

    def submit(self, jobs: int, together: int = 1) -> float:
        """So many jobs, in trips of so many; how many a second."""
        together = min(together, jobs)
        begin = time.perf_counter()
        for _ in range(jobs // together):
            self.send([{"i": 1, "t": time.time(), "pad": PAD} for _ in range(together)])
        return jobs // together * together / (time.perf_counter() - begin)

    def send(self, payloads: list[dict[str, Any]]) -> None:
        """One trip."""
        trip(self._connection, map(self.command, payloads))

    def command(self, payload: dict[str, Any]) -> tuple[Any, ...]:
        """What submits one job."""
        job_id = str(uuid.uuid4())
        spec = {"name": "noop", "payload": payload, "created_at": 1, "queue": "default", "max_retries": 5}
        keys = (LANES[NORMAL], WAKES[NORMAL], JOB + job_id)
        return ("EVALSHA", self._digest, len(keys), *keys, job_id, orjson.dumps(spec))


class Worker:
    """Claims, runs and completes."""

    def __init__(self, server: Server, name: str, batch: int) -> None:
        self._connection = server.connect()
        self._claim, self._complete = (_load(self._connection, script) for script in ("claim", "complete"))
        self._name, self._batch, self.held = name, batch, f"{PREFIX}held:{name}"
        self._done: list[Any] = []
        until = (time.time() + LEASE_SECONDS) * 1000
        trip(self._connection, [("SADD", HOLDERS, name), ("ZADD", LEASES, until, NODE)])

    def drain(self, run: Run) -> int:
        """Run what is there, until there is nothing; how many."""
        ran = 0
        while jobs := self.step(run):
            ran += jobs
        return ran

    def serve(self, run: Run) -> None:
        """Run what is there, and what comes, for ever."""
        while True:
            self.drain(run)
            trip(self._connection, [("BLPOP", *WAKES, 1)])

    def step(self, run: Run) -> int:
        """Complete what was done, claim, run; how many."""
        commands, self._done = [*self._completion(), self._claiming()], []
        claimed = trip(self._connection, commands)[-1]
        for first in range(0, len(claimed), FIELDS):
            run(orjson.loads(claimed[first + 2])["payload"])
            self._done += claimed[first : first + 2]
        return len(claimed) // FIELDS

    def _claiming(self) -> tuple[Any, ...]:
        keys = (self.held, HOLDERS, LEASES, *LANES, *WAKES)
        return ("EVALSHA", self._claim, len(keys), *keys, JOB, self._name, NODE, self._batch)

    def _completion(self) -> list[tuple[Any, ...]]:
        words = (2, self.held, STATS, JOB, KEEP_SECONDS, self._name, *self._done)
        return [("EVALSHA", self._complete, *words)] if self._done else []


def drain(server: Server, batch: int, stamps: Path) -> None:
    """Run all jobs that are there, by two workers; each leaves the stamp that a handler would."""
    descriptor = _open(stamps)

    def note(_payload: Any) -> None:
        os.write(descriptor, b"%019d\n" % time.monotonic_ns())

    in_children(WORKERS, lambda number: Worker(server, f"w{number}", batch).drain(note))
    os.close(descriptor)


@contextmanager
def serving(server: Server, stamps: Path) -> Iterator[None]:
    """Two workers that wait for jobs of one at a time, and note them as `Timed`."""
    descriptor = _open(stamps)

    def note(payload: Any) -> None:
        began = time.monotonic_ns()
        os.write(descriptor, f"normal {payload['sent']} {began} {began}\n".encode())

    def work(name: str) -> Callable[[], None]:
        return lambda: Worker(server, name, 1).serve(note)

    pids = [start_child(work(f"w{number}")) for number in range(WORKERS)]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(descriptor)


def _load(connection: Connection, script: str) -> Any:
    text = (Path(__file__).parent / "lua" / f"{script}.lua").read_text()
    return trip(connection, [("SCRIPT", "LOAD", text)])[0]


def _open(stamps: Path) -> int:
    return os.open(stamps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
