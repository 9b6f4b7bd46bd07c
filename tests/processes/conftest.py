"""One daemon for all those tests of a file that only want something run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bananasd import Job
from tests.daemon import Daemon
from tests.store.conftest import world

__all__ = ["world"]

ONE_WORKER = {"workers": {"count": 1}, "retry": {"base_seconds": 0.01}}
HANDLERS = '''
    import asyncio, textwrap
    from bananasd import JobTimeout

    def run(job):
        """The payload is the body of a handler, but for its return: that is what it leaves as ``result``."""
        names = {**globals(), "job": job}
        exec(textwrap.dedent(job.payload), names)
        return names.get("result")

    @handler("tested")
    def run_tested(job):
        return run(job)

    @handler("tested_once", retry=[0], max_retries=3, dead_on=(JobTimeout,))
    def run_tested_once(job):
        return run(job)

    @handler("tested_async")
    async def run_tested_async(job):
        names = {**globals(), "job": job}
        exec("async def body():\\n" + textwrap.indent(textwrap.dedent(job.payload), "    "), names)
        return await names["body"]()
'''


def lend(daemon: Daemon) -> Iterator[Daemon]:
    """A started daemon to all tests of a file; then it is stopped in peace: what a killed process ran is not measured."""
    yield daemon
    status = daemon.stop()
    daemon.close()
    assert status == 0


def runner(daemon: Daemon) -> Callable[..., Job]:
    """Has this code run as a handler of this daemon; the job after its end."""

    def run(code: str, name: str = "tested", **options: Any) -> Job:
        with daemon.client() as client:
            return client.wait(client.submit_job(name, code, **options), 30)

    return run


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A daemon of one worker, with a server of its own."""
    yield from lend(Daemon(HANDLERS, settings=ONE_WORKER).start())


@pytest.fixture
def run(daemon: Daemon) -> Callable[..., Job]:
    """Has this code run as a handler; the job after its end."""
    return runner(daemon)


@pytest.fixture
def restarts(daemon: Daemon, run: Callable[..., Job]) -> Callable[[], int]:
    """How often the worker has been restarted since the test began."""
    # One that is about to leave, after an interrupt in the test before, would not run this.
    run("pass")

    def count() -> int:
        return max((child.restarts for child in daemon.children("worker")), default=-1)

    before = count()
    return lambda: count() - before
