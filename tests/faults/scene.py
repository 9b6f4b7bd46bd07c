"""Where a fault is made: a server, daemons on it, the jobs that were accepted, and the ledger of their runs."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bananasd import Client, Job, JobRequest, Priority
from bananasd.processes import procfs
from tests.conftest import RedisServer, wait_until
from tests.daemon import Daemon
from tests.invariants import KEYS, Look
from tests.proxy import Proxy

from .form import DRAIN_SECONDS, LATE_SECONDS, LEASE_SECONDS, PATIENCE_SECONDS, SETTINGS
from .ledger import Ledger

HANDLERS = Path(__file__).parent / "handlers"
ENDED_SECONDS = DRAIN_SECONDS + 1 + LATE_SECONDS
"""So long after a TERM there is no daemon any more."""


class Scene:
    """What a case works with. The checker looks at it when the case is over.

    ``may_overlap``, ``may_end_again``: jobs of which two runs may be under way at a time, or both come to an end.
    ``may_run_anew``: jobs of which the server may have forgotten a run, and so give its number to another one.
    ``lost_nodes``: how many daemons ended without a word and did not come back.
    """

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.proxy = Proxy(server.socket)
        # Short: the path of a socket may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
        self.ledger = Ledger(self.directory / "ledger")
        self.ledger.path.touch()
        self.daemons: list[Daemon] = []
        self.descriptors: dict[int, int] = {}
        self.job_ids: list[str] = []
        self.may_overlap: set[str] = set()
        self.may_end_again: set[str] = set()
        self.may_run_anew: set[str] = set()
        self.unrecorded = 0  # jobs of which the ledger knows nothing
        self.is_embedded = False  # whether the server ends with the daemon
        self.lost_nodes = 0
        self._client: Client | None = None

    def has_unbroken_leases(self, nodes: int, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Whether so many nodes have beaten for a lease without a gap: each may take the jobs of the others now."""
        look = self.look
        seconds, micros = look.call("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        since = [int(look.call("HGET", KEYS.node(node), "alive_since") or now) for node in look.nodes()]
        return sum(now - instant > lease_seconds * 1000 for instant in since) >= nodes

    def node(
        self,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        fail_point: str = "",
        is_proxied: bool = False,
        url: str = "",
        is_embedded: bool = False,
        has_fixed_batches: bool = False,
        is_started: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> Daemon:
        """A daemon that is up, unless it is not to be started yet.

        ``url``: the way to the server that it takes, if it is neither of the two. With an embedded server: the scene's
        is that. ``has_fixed_batches``: see `in_one_batch`.
        """
        sections = {name: {**SETTINGS.get(name, {}), **(settings or {}).get(name, {})}
                    for name in {*SETTINGS, *(settings or {})}}  # fmt: skip
        url = url or (self.proxy.url if is_proxied else self.server.url)
        daemon = Daemon(
            redis_url="embedded" if is_embedded else url,
            directory=self.server.directory.parent
            if is_embedded
            else Path(tempfile.mkdtemp(dir=self.directory, prefix="node-")),
            settings=sections,
            environ=environ,
        )
        shutil.rmtree(daemon.directory / "handlers")
        shutil.copytree(HANDLERS, daemon.directory / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
        words = {
            "LEDGER": str(self.ledger.path),
            "FAIL_POINT": fail_point,
            "HAS_FIXED_BATCHES": has_fixed_batches,
        }
        scene = "".join(f"{name} = {word!r}\n" for name, word in words.items())
        (daemon.directory / "handlers" / "_scene.py").write_text(scene)
        self.daemons.append(daemon)
        self.is_embedded = is_embedded
        if is_started:
            self.start(daemon)
        return daemon

    def start(self, daemon: Daemon) -> None:
        """Start it, again perhaps, and note what its master has open once all is up."""
        daemon.start(wait=False)
        self.wait_until_up(daemon)

    def wait_until_up(self, daemon: Daemon) -> None:
        """After a start that was not waited for."""
        self.wait_until(daemon.is_up)
        self.descriptors[daemon.pid] = descriptors(daemon.pid)

    def stop(self, daemon: Daemon) -> float:
        """TERM to its master, and wait for the end of a clean drain; how many seconds that took."""
        began = time.monotonic()
        daemon.terminate()
        assert daemon.wait(ENDED_SECONDS) == 0
        return time.monotonic() - began

    @property
    def look(self) -> Look:
        """What the server holds; not by the proxy either."""
        return Look(self.server.url)

    @property
    def client(self) -> Client:
        """A client that does not go by the proxy."""
        self._client = self._client or Client(self.server.url)
        return self._client

    def submit(
        self, name: str, payload: Any = None, priority: Priority = Priority.NORMAL, **options: Any
    ) -> str:
        """Submit a job; once this has returned the promise holds for it."""
        self.job_ids.append(self.client.submit_job(name, payload or {}, priority, **options))
        return self.job_ids[-1]

    def submit_many(self, number: int, seconds: float) -> list[str]:
        """Submit brief jobs."""
        ids = self.client.submit_many([JobRequest("brief", {"seconds": seconds}) for _ in range(number)])
        self.job_ids += ids
        return ids

    def hold(self, number: int = 1, name: str = "hold") -> list[str]:
        """Submit jobs that run until they are let go, and wait until they do."""
        ids = [self.submit(name, {"until": str(self.until)}) for _ in range(number)]
        self.wait_until(lambda: all(self.ledger.starts(job_id) for job_id in ids))
        return ids

    def in_one_batch(
        self, daemon: Daemon, requests: Sequence[JobRequest], meanwhile: Callable[[], None] = lambda: None
    ) -> list[str]:
        """Have the one worker of a daemon with fixed batches claim these jobs at once: they come while it takes none."""
        os.kill(daemon.pid, signal.SIGTSTP)
        self.wait_until(lambda: "[resting]" in titles(daemon))
        ids = self.client.submit_many(requests)
        self.job_ids += ids
        meanwhile()
        os.kill(daemon.pid, signal.SIGCONT)
        return ids

    @property
    def until(self) -> Path:
        return self.directory / "until"

    def let_go(self) -> None:
        """Let all jobs end that are held."""
        self.until.touch()

    def count(self, ids: Iterable[str]) -> int:
        """How many of these have come to their end."""
        return len({line.job_id for line in self.ledger.ends()} & set(ids))

    def wait(self, job_id: str) -> Job:
        """The job after its end."""
        return self.client.wait(job_id, PATIENCE_SECONDS)

    def are_final(self, ids: Iterable[str]) -> bool:
        return all(self.client.get_job(job_id).status.is_final for job_id in ids)

    def wait_until(self, condition, seconds: float = PATIENCE_SECONDS) -> None:
        wait_until(condition, seconds)

    def close(self) -> None:
        """End everything that is left, whatever happened."""
        if self._client is not None:
            self._client.close()
        for daemon in self.daemons:
            daemon.close()
        self.proxy.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def titles(daemon: Daemon) -> str:
    """What its workers say that they do."""
    return "".join(procfs.command_line(child.pid).decode() for child in daemon.children("worker"))


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
