"""What a client asks for: a job to be submitted, and the options that every way to submit takes."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

import orjson

from . import clock
from .errors import InvalidJob
from .job import Priority, check_priority
from .limits import (
    ON_DUPLICATE,
    UNIQUE_UNTIL,
    check_choice,
    check_description,
    check_duration,
    check_headers,
    check_id,
    check_max_retries,
    check_name,
    check_on_lost,
    check_queue,
    check_retry,
    check_schedule,
    check_timeout,
    encode_payload,
    encode_valid,
)
from .record import SPEC_VERSION
from .retry import Retry


class JobOptions(TypedDict, total=False):
    """What may be said of a job by keyword, however it is submitted.

    - ``queue``: where it waits, "default" if it is not said.
    - ``max_retries`` (tries after the first) and ``timeout_seconds`` (0: none): instead of the handler's.
    - ``retry``: the pauses between tries, instead of the handler's: `Retry`, or a list of delays in seconds, of which
      the last repeats. Without ``max_retries`` a list says how many tries there are after the first: one a delay.
    - ``on_lost``: "retry" or "dead", instead of the handler's: what becomes of the job if a run of it is lost with its
      worker. See `handler`.
    - ``job_id``: a UUID of your own, so that whoever repeats the request, another process too, makes no second job.
    - ``expires_in``: seconds or a timedelta, from the moment the server accepts the job or, for one that is scheduled, from
      when it is due. No run begins later, neither the first nor another try: the job has then expired.
    - ``unique_key``: as long as a job with this key lives there is no other: one that is submitted meanwhile is not
      accepted. The key (1 to 200 characters; one for all names and queues) is free again when that job has ended in any way,
      for good; with ``unique_until="start"`` as soon as it begins to run, and after ``unique_seconds`` (seconds or
      a timedelta, from its acceptance) at the latest.
    - ``on_duplicate``: what a submit does if the key is taken. "return", as without it: the id of the job that is there
      is returned. "raise": `JobExists`, with that id. "replace": if that job waits, for another try too, it is cancelled and
      this one accepted; if it runs, as "return".
    - ``headers``: a dict of text by name, 16 KiB at most, which the run finds as ``job.headers``: for a trace, a tenant, and
      whatever else is about the job and no part of its payload. See docs/hooks.md.
    """

    queue: str
    max_retries: int | None
    timeout_seconds: float | None
    retry: Retry | Sequence[float] | None
    on_lost: str | None
    job_id: str | None
    expires_in: float | timedelta | None
    unique_key: str | None
    unique_seconds: float | timedelta | None
    unique_until: str
    on_duplicate: str
    headers: dict[str, str] | None


_OPTIONS = frozenset(JobOptions.__annotations__)


class JobRequest:
    """A job to be submitted, checked and encoded here. Anything that could never be right raises `InvalidJob`.

    It has its id from its construction, so submitting it twice makes one job. What each argument may be:

    - ``name``: the handler's, 1 to 200 characters.
    - ``payload``: any JSON value up to 1 MiB. Later changes of the object do not reach the job.
    - ``description``: a few words for people.
    - ``scheduled_for``: an aware datetime, or a timedelta from the moment the server accepts the job. A time that
      has passed means at once.
    - ``queue``, ``max_retries``, ``timeout_seconds``, ``retry``, ``on_lost``, ``job_id``, ``expires_in``, ``unique_key``,
      ``unique_seconds``, ``unique_until``, ``on_duplicate``, ``headers``: see `JobOptions`. Another one is a TypeError.

    ``lane``, ``due``, ``extra`` and ``spec`` are what of it goes to the server, encoded as docs/protocol.md says.
    """

    __slots__ = ("due", "extra", "job_id", "lane", "on_duplicate", "spec", "unique_key")

    def __init__(
        self,
        name: str,
        payload: Any,
        priority: Priority = Priority.NORMAL,
        description: str = "",
        *,
        scheduled_for: datetime | timedelta | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        check_options(options)
        job_id = options.get("job_id")
        self.job_id = new_id() if job_id is None else check_id(job_id)
        self.lane = f"{check_queue(options.get('queue', 'default'))}:{check_priority(priority)}"
        self.due = "" if scheduled_for is None else wire_due(check_schedule(scheduled_for))
        self.unique_key = options.get("unique_key")
        self.on_duplicate = options.get("on_duplicate", "return")
        self.extra = _extra(options) if options else b""
        spec: dict[str, Any] = {
            "v": SPEC_VERSION,
            "name": check_name(name),
            "created_at": clock.now_ms(),
            "payload": orjson.Fragment(encode_payload(payload)),
        }
        if check_description(description):
            spec["description"] = orjson.Fragment(encode_valid(description, "description"))
        if options:
            spec |= _own_members(options)
        # Each part has been checked.
        self.spec = orjson.dumps(spec)

    def __repr__(self) -> str:
        return f"<JobRequest {self.job_id} {self.lane}>"


def new_id() -> str:
    """A random UUID as text. Python's own makes an object of it first, which takes three times as long."""
    random = os.urandom(16)
    digits, variant = random.hex(), "89ab"[random[8] >> 6]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def check_options(options: JobOptions) -> JobOptions:
    """These options. Raises TypeError for one that there is not, as Python does for an argument."""
    if options and not _OPTIONS.issuperset(options):
        raise _unknown_option(min(options.keys() - _OPTIONS))
    return options


def _unknown_option(name: str) -> TypeError:
    # Not at the top: it is only for those who err.
    from difflib import get_close_matches  # noqa: PLC0415

    options = list(JobOptions.__annotations__)
    near = get_close_matches(name, options, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(options)}"
    return TypeError(f"a job has no option {name!r}; {hint}")


def wire_due(scheduled_for: datetime | timedelta) -> str:
    """A due time as it is sent: milliseconds since the epoch, or ``+N`` for N milliseconds from the server's now."""
    if isinstance(scheduled_for, timedelta):
        return f"+{max(0, scheduled_for // timedelta(milliseconds=1))}"
    return str(max(0, clock.to_ms(scheduled_for)))


def _own_members(options: JobOptions) -> dict[str, Any]:
    """What the job says of its runs instead of its handler, and what it carries for them."""
    return {
        name: _MEMBERS[name](said)
        for name, said in options.items()
        if name in _MEMBERS and said is not None and said != {}
    }


_MEMBERS: dict[str, Callable[[Any], Any]] = {
    "max_retries": check_max_retries,
    "timeout_seconds": check_timeout,
    "retry": lambda pauses: check_retry(pauses).to_wire(),
    "on_lost": check_on_lost,
    "headers": check_headers,
}


_UNIQUENESS = frozenset(("unique_key", "unique_seconds", "unique_until", "on_duplicate"))


def _extra(options: JobOptions) -> bytes:
    """What the script that accepts the job must know beside its record; b"" for nothing."""
    extra = {} if _UNIQUENESS.isdisjoint(options) else _wire_uniqueness(options)
    if (expires_in := options.get("expires_in")) is not None:
        extra["expires_in"] = check_duration(expires_in, "expires_in")
    return encode_valid(extra, "job") if extra else b""


def _wire_uniqueness(options: JobOptions) -> dict[str, Any]:
    """The same of its key alone; nothing that is as it is without being said."""
    key, seconds = options.get("unique_key"), options.get("unique_seconds")
    given = {
        "unique_ms": None if seconds is None else check_duration(seconds, "unique_seconds"),
        "unique_until": check_choice(options.get("unique_until", "end"), "unique_until", UNIQUE_UNTIL),
        "on_duplicate": check_choice(options.get("on_duplicate", "return"), "on_duplicate", ON_DUPLICATE),
    }
    wire = {name: value for name, value in given.items() if value not in (None, "end", "return")}
    if key is not None:
        return {"unique": check_name(key, "unique_key"), **wire}
    if wire:
        raise InvalidJob("unique_seconds, unique_until and on_duplicate need a unique_key")
    return {}
