"""The command line as tests call it, and hands that do what a worker would."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result

from bananasd.cli import main
from bananasd.processes import offspring
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import lanes_of
from bananasd.store.outcomes import Buried, Completed, Outcome
from bananasd.store.store import Store

from .conftest import RedisServer, wait_until

HOLDER, NODE = "n1/1.1", "n1"


def bananasd(*args: object, stdin: str | None = None, **environ: str | None) -> Result:
    """Run a command in this process; what no one foresaw raises here."""
    runner = CliRunner(env={"BANANAS_REDIS_URL": None, offspring.VARIABLE: None, "COLUMNS": "80", **environ})
    main_module = sys.modules["__main__"]
    try:
        return runner.invoke(main, [str(arg) for arg in args], input=stdin, catch_exceptions=False)
    finally:
        sys.modules["__main__"] = main_module  # `run` puts another there


def on(server: RedisServer) -> tuple[str, ...]:
    """The options that lead to a server and need no configuration."""
    return "--url", server.url, "--namespace", "default"


def complete(server: RedisServer, result: bytes = b"") -> str:
    """Wait for a job, claim it and complete it; return its id."""
    return _settle(server, lambda job: Completed(HOLDER, job.job_id, job.run, result))


def bury(server: RedisServer, error: str) -> str:
    """The same, but it fails for good."""
    return _settle(server, lambda job: Buried(HOLDER, job.job_id, job.run, error))


@contextmanager
def meanwhile(work, *args) -> Iterator[None]:
    """Do something in a thread while the block runs."""
    thread = threading.Thread(target=work, args=args)
    thread.start()
    try:
        yield
    finally:
        # Whatever the block found: it would take the jobs of the next test.
        thread.join()


def _settle(server: RedisServer, outcome) -> str:
    connection = HeldConnection(Server(server.url, 5))
    store = Store(connection, "default")
    store.enter(HOLDER, NODE, 60_000, {})
    claimed = []

    def has_claimed() -> bool:
        claimed.extend(store.settle_and_claim([], HOLDER, NODE, lanes_of(("default",)), 1)[1].jobs)
        return bool(claimed)

    wait_until(has_claimed)
    settled: Outcome = outcome(claimed[0])
    assert store.settle([settled]) == []
    connection.close()
    return claimed[0].job_id
