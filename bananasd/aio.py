"""The client for programs that run in an event loop: the calls of `Client`, to be awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from functools import partial, wraps
from inspect import isawaitable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from .client import Client, OnProgress
from .job import Job
from .store.greenlets import run, wait_for
from .store.stream_wire import AWAITING

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _awaited(
    method: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    """The same call of an `AsyncClient`."""

    @wraps(method)
    async def call(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._run(method, *args, **kwargs)  # noqa: SLF001 - it is its method

    call.__module__, call.__qualname__ = __name__, f"AsyncClient.{method.__name__}"
    return call


def _documented_as(method: Callable[..., Any]) -> Callable[[F], F]:
    """The same for a call that has a body of its own."""

    def document(call: F) -> F:
        call.__doc__ = method.__doc__
        return call

    return document


class AsyncClient:
    """`Client` for asyncio: the same calls, to be awaited, from any number of tasks at once.

    ``async with AsyncClient(url) as client`` tries the server, as making a `Client` does, and closes the connections
    in the end. Without it nothing is sent before the first call, and `close` is yours to await. All arguments, times and
    errors are those of `Client`; a wrong argument is `InvalidJob` or `BadAddress` here already.

    A task that is cancelled in a call leaves the client as good as new; whether the server did what was under way
    nobody knows then. A client belongs to the event loop of its first call. When that is closed it may be used in
    another; a call from a second one beside it raises ``RuntimeError``.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str = "default",
        timeout_seconds: float = 10,
        password: str | None = None,
    ) -> None:
        self._make_core = partial(
            Client._unasked, url, namespace, timeout_seconds, password, AWAITING  # noqa: SLF001 - one client in two forms
        )  # fmt: skip
        self._core = self._make_core()
        self._loop: asyncio.AbstractEventLoop | None = None

    submit_job = _awaited(Client.submit_job)
    submit_job_scheduled = _awaited(Client.submit_job_scheduled)
    submit_many = _awaited(Client.submit_many)
    get_job = _awaited(Client.get_job)
    get_result = _awaited(Client.get_result)
    explain = _awaited(Client.explain)
    submit_and_wait = _awaited(Client.submit_and_wait)

    @overload
    async def wait(
        self,
        job_id: str,
        timeout: float | timedelta,  # noqa: ASYNC109 - as with `Client`
        on_progress: OnProgress | None = None,
    ) -> Job: ...

    @overload
    async def wait(
        self,
        job_id: list[str],
        timeout: float | timedelta,  # noqa: ASYNC109 - as with `Client`
        on_progress: OnProgress | None = None,
    ) -> list[Job]: ...

    @_documented_as(Client.wait)
    async def wait(
        self,
        job_id: str | list[str],
        timeout: float | timedelta,  # noqa: ASYNC109 - as with `Client`
        on_progress: OnProgress | None = None,
    ) -> Job | list[Job]:
        tell = None if on_progress is None else partial(_tell, on_progress)
        return await self._run(Client.wait, job_id, timeout, tell)

    @_documented_as(Client.watch)
    def watch(self, job_id: str) -> AsyncIterator[Job]:
        return self._each(self._core_here().watch(job_id))

    cancel = _awaited(Client.cancel)
    reprioritise = _awaited(Client.reprioritise)
    reschedule = _awaited(Client.reschedule)
    pause = _awaited(Client.pause)
    resume = _awaited(Client.resume)
    paused = _awaited(Client.paused)
    queue_stats = _awaited(Client.queue_stats)
    dead_jobs = _awaited(Client.dead_jobs)
    retry_dead = _awaited(Client.retry_dead)
    purge_dead = _awaited(Client.purge_dead)
    put_schedule = _awaited(Client.put_schedule)
    remove_schedule = _awaited(Client.remove_schedule)
    schedules = _awaited(Client.schedules)
    close = _awaited(Client.close)

    async def __aenter__(self) -> Self:
        await self._run(Client._ping)  # noqa: SLF001 - one client in two forms
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, method: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await run(method, self._core_here(), *args, **kwargs)

    async def _each(self, jobs: Iterator[Job]) -> AsyncIterator[Job]:
        while (job := await run(next, jobs, None)) is not None:
            yield job

    def _core_here(self) -> Client:
        """The client whose connections are of the loop that runs."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                if not self._loop.is_closed():
                    raise RuntimeError(
                        "this AsyncClient belongs to another event loop, which is still open: make one for each"
                    )
                self._core.close()
                self._core = self._make_core()
            self._loop = loop
        return self._core


def _tell(on_progress: OnProgress, job: Job) -> None:
    told = on_progress(job)
    if isawaitable(told):
        wait_for(told)
