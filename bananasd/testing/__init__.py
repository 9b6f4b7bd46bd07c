"""For tests of programs that submit and handle jobs: `inline` runs them at submit, `fake` keeps them until told.

No server is needed, and every client of this process is meant, wherever and whenever it was made.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..client import Client
from ..errors import BananasError
from ..job import Job, Status
from ..limits import check_max_retries
from ..retry import Retry, RetryPolicy
from ..store import detour
from ..store.scripts import Command
from . import transitions
from .found import Handlers, finder
from .memory import Memory, MemoryServer
from .promotion import promote
from .runs import Run, Runner

__all__ = ["FakeQueue", "InlineFailure", "fake", "inline"]

MAX_RUNS = 10_000
MAX_DEPTH = 20
"""How deep jobs may submit each other where each runs within its submit. At about 45 Python itself would end it, with a
RecursionError that each of the handlers takes for its own, and tries again."""


class InlineFailure(BananasError):
    """A job that was run inline is not done, though its handler raised nothing: there is none, or its result is no JSON."""


class FakeQueue:
    """What was submitted, and the way to run it. ``client`` is a client of the default namespace."""

    def __init__(self, memory: Memory, runner: Runner) -> None:
        """@private: `fake` and `inline` make it."""
        self._memory = memory
        self._runner = runner
        self.client = Client("redis://bananasd.testing")

    @property
    def jobs(self) -> list[Job]:
        """Every job as it is now, in the order of submission."""
        with self._memory.lock:
            return list(transitions.jobs(self._memory))

    @property
    def dead(self) -> list[Job]:
        """The dead letters, in the order of submission."""
        return [job for job in self.jobs if job.status is Status.FAILED]

    def submitted(self, name: str) -> list[Job]:
        """The jobs that were submitted under a name, as they are now, in the order of submission."""
        return [job for job in self.jobs if job.name == name]

    def drain(self, *, scheduled: bool = False) -> list[Job]:
        """Run what is pending until nothing is, and return the jobs that have ended, in the order of their ends.

        High before Normal before Low, and what handlers submit meanwhile too, and jobs for later whose time has come. When nothing is pending, jobs that have
        failed and have tries left run again without waiting; with ``scheduled`` so do those that were submitted for
        later. Nothing that a handler raises is raised here: the job's ``error`` tells it. Time limits do not hold.

        Raises ``RuntimeError`` after 10,000 runs, for jobs that submit each other for ever.
        """
        ended: dict[str, Job] = {}
        for _ in range(MAX_RUNS):
            if run := self._runner.run_next():
                ended |= {run.job.id: run.job} if run.job.status.is_final else {}
            elif not self._promote(scheduled):
                return list(ended.values())
        raise RuntimeError(f"after {MAX_RUNS:,} runs there are still jobs to run: do they submit each other?")

    def _promote(self, scheduled: bool) -> int:
        with self._memory.lock:
            return promote(self._memory, all_of_them=scheduled)


@contextmanager
def fake(handlers: Handlers | None = None, *, max_retries: int = 5) -> Iterator[FakeQueue]:
    """Keep every job that is submitted meanwhile in a `FakeQueue`; nothing runs until its `FakeQueue.drain`.

    ``handlers`` is a handlers directory, a ``bananasd.handlers.Registry`` or a list of handler functions; without it they are those that
    imported modules declare. ``max_retries`` takes the place of the configuration's.
    """
    memory = Memory()
    with detour.enter(MemoryServer(memory, transitions.SCRIPTS)):
        yield FakeQueue(memory, _runner(memory, handlers, max_retries))


@contextmanager
def inline(
    handlers: Handlers | None = None, *, raises: bool = True, max_retries: int = 5
) -> Iterator[FakeQueue]:
    """Run every job that is submitted meanwhile at once, before the submit returns; also those for later, or paused.

    What the handler raises at its first try is raised by the submit (`InlineFailure` where it raised nothing); the
    jobs behind it in a ``submit_many`` have not run then. ``RuntimeError`` is raised for handlers that submit jobs within jobs
    more than 20 deep. Where the caller runs in an event loop, handlers are called in another thread. With ``raises=False`` nothing is: the job is tried again without
    waiting until it has completed or is dead, and the submit returns. ``handlers`` and ``max_retries`` as in `fake`.
    """
    memory = Memory()
    runner = _runner(memory, handlers, max_retries)
    with detour.enter(_InlineServer(MemoryServer(memory, transitions.SCRIPTS), runner, raises)):
        yield FakeQueue(memory, runner)


def _runner(memory: Memory, handlers: Handlers | None, max_retries: int) -> Runner:
    return Runner(memory, finder(handlers), RetryPolicy(check_max_retries(max_retries), Retry()))


class _TooDeep(BaseException):
    """Meant for the test: no handler's failure, which would be tried again."""


_DEPTH = ContextVar("bananasd_inline_depth", default=0)
"""Within how many runs this is."""


class _InlineServer:
    """A `MemoryServer` that runs what has arrived before it answers."""

    def __init__(self, server: MemoryServer, runner: Runner, raises: bool) -> None:
        self._server = server
        self._runner = runner
        self._raises = raises

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        """See `Detour`."""
        memory = self._server.memory
        with memory.lock:
            replies = self._server.trip(commands)
            arrivals, memory.arrivals = memory.arrivals, []
        if arrivals:
            self._run_all(arrivals)
        return replies

    def block(self, command: Command, seconds: float) -> Any:
        """See `Detour`."""
        return self._server.block(command, seconds)

    def _run_all(self, arrivals: Sequence[tuple[str, str]]) -> None:
        depth = _DEPTH.get()
        if depth >= MAX_DEPTH:
            raise _TooDeep
        token = _DEPTH.set(depth + 1)
        try:
            for prefix, job_id in arrivals:
                self._run_to_end(prefix, job_id)
        except _TooDeep:
            if depth:
                raise
            raise RuntimeError(
                f"jobs submit jobs within jobs, {MAX_DEPTH} deep: do they submit each other for ever? fake() runs them one by one"
            ) from None
        finally:
            _DEPTH.reset(token)

    def _run_to_end(self, prefix: str, job_id: str) -> None:
        run = self._runner.run(prefix, job_id)
        if self._raises and not run.is_completed:
            raise run.error or InlineFailure(_told(run))
        while run.is_to_be_retried:
            run = self._runner.run(prefix, job_id)


def _told(run: Run) -> str:
    error = getattr(run.outcome, "error", run.job.status)
    return f"job {run.job.id} ({run.job.name}): {error}; handlers are found in modules that have been imported, or in inline(handlers=…)"
