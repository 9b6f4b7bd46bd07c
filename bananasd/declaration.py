"""Declaring a handler: what `handler` makes of a function, and how jobs are submitted through it."""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Unpack, cast

from .errors import JobTimeout
from .job import Job, Priority
from .limits import check_retry
from .request import JobOptions
from .retry import Retry, RetryPolicy

if TYPE_CHECKING:
    from .client import Client

DECLARED = "__bananasd_handlers__"
"""Where a module keeps what it has declared, so that a handler made in a loop, bound to no name, is found too."""

Result_co = TypeVar("Result_co", covariant=True)
More = ParamSpec("More")
"""What a handler takes beside the job: nothing, or the payload as a type of its own."""

Errors = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True)
class HandlerSpec:
    """A handler as it was declared, ``function`` included, and where: its ``file``, and its ``line`` there.

    ``name``, ``max_retries``, ``timeout_seconds``, ``retry``, ``retry_on``, ``dead_on``, ``on_lost``, ``cron``, ``every`` and ``timezone``
    are what was said to `handler`; None stands for what the configuration says. ``is_async``: a call returns something to be
    awaited.
    """

    name: str
    function: Callable[..., Any]
    max_retries: int | None
    timeout_seconds: float | None
    file: str
    line: int
    is_async: bool
    retry: Retry | Sequence[float] | None = None
    retry_on: Errors | None = None
    dead_on: Errors = ()
    on_lost: str = "retry"
    cron: str | None = None
    every: str | timedelta | None = None
    timezone: str = "UTC"

    @cached_property
    def policy(self) -> RetryPolicy:
        """What it says of retries. Raises `InvalidJob` for pauses that cannot be."""
        return RetryPolicy(self.max_retries, None if self.retry is None else check_retry(self.retry))

    @cached_property
    def read_payload(self) -> Callable[[Any], Any] | None:
        """What makes the function's second argument of a payload; None if it takes the job alone.

        Raises TypeError for a type that cannot be used.
        """
        # Not at the top: whoever only declares and submits needs no msgspec.
        from .payloads import payload_reader  # noqa: PLC0415

        return payload_reader(self.function)

    def is_worth_a_retry(self, error: BaseException) -> bool:
        """Whether a failure of this kind may pass, by ``dead_on``, which wins, and ``retry_on``."""
        if _is_one_of(error, self.dead_on):
            return False
        return self.retry_on is None or _is_one_of(error, self.retry_on)

    @cached_property
    def is_retried_after_a_timeout(self) -> bool:
        """The same of a job that is out of time. Each run asks that before it begins."""
        return self.is_worth_a_retry(JobTimeout())


class Handler(Protocol[More, Result_co]):
    """What `handler` makes of a function: still that function, with its ``spec``, and a way to submit jobs for it."""

    spec: HandlerSpec

    def __call__(self, job: Job, /, *args: More.args, **kwargs: More.kwargs) -> Result_co: ...

    def submit(
        self,
        payload: Any,
        priority: Priority = Priority.NORMAL,
        description: str = "",
        **options: Unpack[JobOptions],
    ) -> str:
        """Submit a job for this handler; return its id. Takes the options of `Client.submit_job`.

        Of a dataclass, fields whose names begin with ``_`` are left out.
        """


def handler(
    name: str,
    *,
    max_retries: int | None = None,
    timeout_seconds: float | None = None,
    retry: Retry | Sequence[float] | None = None,
    retry_on: Errors | None = None,
    dead_on: Errors = (),
    on_lost: str = "retry",
    cron: str | None = None,
    every: str | timedelta | None = None,
    timezone: str = "UTC",
) -> Callable[[Callable[Concatenate[Job, More], Result_co]], Handler[More, Result_co]]:
    """Declare that a function runs the jobs of this name; it stays a plain function, to be called in tests.

    It takes the job, and may take the payload as a second argument. That one's annotation (a dataclass, TypedDict,
    msgspec.Struct, pydantic model or dataclass, or a type made of such, as ``dict[str, int]``) says what the payload is
    made into; a payload that does not fit sends the job to the dead letters at once, with the path of the fault.

    These hold for jobs that do not say it themselves:

    - ``max_retries`` (tries after the first) and ``timeout_seconds`` (0: none).
    - ``retry``: the pauses between tries: `Retry`, or a list of delays in seconds, of which the last repeats. Without
      ``max_retries`` a list says how many tries there are after the first: one a delay.
    - ``on_lost="dead"``: the handler must not run twice. A job whose run is lost (its worker or host died or was
      killed, or the daemon broke into it to stop) goes to the dead letters with the cause, at the first loss.

    And these for what the handler raises: an exception of ``dead_on`` ends the job at once; with ``retry_on`` given,
    so does every one that is not of these. A class stands in one of them only. Both hold for the job's time limit, too, as
    `JobTimeout`, whatever the handler raises when it is interrupted for it. `GiveUp` and `RetryLater` mean what they always do.

    With ``cron`` (by the clock of ``timezone``) or ``every`` there is a schedule of the same name that makes such jobs, with
    None for their payload; see `Schedule`.

    Whether the values are possible is checked where all faults are told at once: when a daemon, or ``bananasd check``, loads the directory.
    """
    if callable(name):
        raise TypeError('@handler needs the name of the jobs: write @handler("send_mail")')
    caller = sys._getframe(1)  # noqa: SLF001 - the one way to learn who declares, and where
    here, declared = (caller.f_code.co_filename, caller.f_lineno), caller.f_globals.setdefault(DECLARED, [])

    def declare(function: Callable[Concatenate[Job, More], Result_co]) -> Handler[More, Result_co]:
        file, line = _place(function) or here
        spec = HandlerSpec(
            name, function, max_retries, timeout_seconds, file, line, is_async(function),
            retry, retry_on, dead_on, on_lost, cron, every, timezone,
        )  # fmt: skip
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


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        # As it will be called: what a decorator wraps may well take more than its wrapper.
        inspect.signature(function, follow_wrapped=False).bind(*[None] * count)
    except ValueError:
        return True  # something written in C that does not tell
    except TypeError:
        return False
    return True


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of it returns something to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _place(function: Callable[..., Any]) -> tuple[str, int] | None:
    """File and line of a function's own code; a class or a partial has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code and (code.co_filename, code.co_firstlineno)


def _is_one_of(error: BaseException, kinds: Errors) -> bool:
    """As ``except`` sees it: isinstance would ask the classes, which may have code of their own."""
    wanted = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(base is kind for base in type(error).__mro__ for kind in wanted)


def _mark(
    function: Callable[Concatenate[Job, More], Result_co], spec: HandlerSpec
) -> Handler[More, Result_co]:
    """Give the function its spec and its ``submit``."""

    def submit(
        payload: Any,
        priority: Priority = Priority.NORMAL,
        description: str = "",
        **options: Unpack[JobOptions],
    ) -> str:
        return _shared_client.get().submit_job(spec.name, payload, priority, description, **options)

    marked = cast("Any", function)
    try:
        marked.spec, marked.submit = spec, submit
    except (AttributeError, TypeError):
        raise TypeError(
            f"@handler({spec.name!r}): {function!r} takes no attributes; wrap it in a function"
        ) from None
    return cast("Handler[More, Result_co]", marked)


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
