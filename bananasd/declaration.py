"""Declaring a handler: what `handler` makes of a function, and how jobs are submitted through it."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from .job import Job, Priority

if TYPE_CHECKING:
    from .client import Client

DECLARED = "__bananasd_handlers__"
"""Where a module keeps what it has declared, so that a handler made in a loop, bound to no name, is found too."""

Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class HandlerSpec:
    """A handler as it was declared, and where. None stands for what the configuration says."""

    name: str
    function: Callable[[Job], Any]
    max_retries: int | None
    timeout_seconds: float | None
    file: str
    line: int
    is_async: bool
    cron: str | None = None
    every: str | timedelta | None = None
    timezone: str = "UTC"


class Handler(Protocol[Result_co]):
    """What `handler` makes of a function: still that function, with its spec, and a way to submit jobs for it."""

    spec: HandlerSpec

    def __call__(self, job: Job, /) -> Result_co: ...

    def submit(
        self, payload: Any, priority: Priority = Priority.NORMAL, description: str = "", **options: Any
    ) -> str:
        """Submit a job for this handler; return its id. Takes the options of `Client.submit_job`."""


def handler(
    name: str,
    *,
    max_retries: int | None = None,
    timeout_seconds: float | None = None,
    cron: str | None = None,
    every: str | timedelta | None = None,
    timezone: str = "UTC",
) -> Callable[[Callable[[Job], Result_co]], Handler[Result_co]]:
    """Declare that a function runs the jobs of this name; it stays a plain function, to be called in tests.

    ``max_retries`` (tries after the first) and ``timeout_seconds`` (0: none) hold for jobs that do not say it
    themselves. With ``cron`` (by the clock of ``timezone``) or ``every`` there is a schedule of the same name that makes such
    jobs, with None for their payload; see `Schedule`. Whether the values are possible is checked where all faults are told at once: by `load_directory`.
    """
    if callable(name):
        raise TypeError('@handler needs the name of the jobs: write @handler("send_mail")')
    caller = sys._getframe(1)  # noqa: SLF001 - the one way to learn who declares, and where
    here, declared = (caller.f_code.co_filename, caller.f_lineno), caller.f_globals.setdefault(DECLARED, [])

    def declare(function: Callable[[Job], Result_co]) -> Handler[Result_co]:
        file, line = _place(function) or here
        spec = HandlerSpec(
            name,
            function,
            max_retries,
            timeout_seconds,
            file,
            line,
            _is_async(function),
            cron,
            every,
            timezone,
        )
        marked = _mark(function, spec)
        declared.append(spec)
        return marked

    return declare


def submit_through(make_client: Callable[[], "Client"]) -> None:
    """Let every ``.submit`` of this process go through the client that ``make_client`` makes at the first one.

    A worker says so at its start, for its handlers shall submit to the server and namespace that it serves
    itself. Elsewhere it is ``Client()``.
    """
    _shared_client.use(make_client)


def _place(function: Callable[[Job], Any]) -> tuple[str, int] | None:
    """File and line of a function's own code; a class or a partial has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code and (code.co_filename, code.co_firstlineno)


def _is_async(function: Callable[[Job], Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _mark(function: Callable[[Job], Result_co], spec: HandlerSpec) -> Handler[Result_co]:
    """Give the function its spec and its ``submit``."""

    def submit(
        payload: Any, priority: Priority = Priority.NORMAL, description: str = "", **options: Any
    ) -> str:
        return _shared_client.get().submit_job(spec.name, payload, priority, description, **options)

    marked = cast("Any", function)
    try:
        marked.spec, marked.submit = spec, submit
    except (AttributeError, TypeError):
        raise TypeError(
            f"@handler({spec.name!r}): {function!r} takes no attributes; wrap it in a function"
        ) from None
    return cast("Handler[Result_co]", marked)


class _SharedClient:
    """The client behind ``.submit``: one for all handlers, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._client: Client | None = None
        self._make_client: Callable[[], Client] = _default_client

    def use(self, make_client: Callable[[], "Client"]) -> None:
        with self._lock:
            self._make_client, self._client = make_client, None

    def get(self) -> "Client":
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client


def _default_client() -> "Client":
    # Not at the top: declaring handlers needs neither redis-py nor a server.
    from .client import Client  # noqa: PLC0415

    return Client()


_shared_client = _SharedClient()
