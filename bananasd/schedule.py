"""What a schedule is: which job is made when, its form in Redis, and which of its slots are due."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, NamedTuple

import orjson

from . import clock
from .cron import Timetable, latest_slots, timetable, zone_of
from .encoding import encode
from .errors import InvalidJob
from .job import Priority, check_priority
from .limits import check_description, check_name, check_queue, shown
from .record import SPEC_VERSION

VERSION = 1
MAX_BYTES = 64 * 1024
"""Of a definition, its payload included: all of a namespace are read at once."""

MISSED_AFTER_MS = 60_000
"""How late a slot may be: one that is older when it is first looked at has been missed. So has one that the next has
followed by then, else those of a minute would come all at once."""

MAX_CATCH_UP = 100
"""How many missed slots of a schedule are made up for at most, the latest."""

MISFIRES = ("skip", "once", "all")
_SPACE = uuid.UUID("f4d4f5a3-9d0c-4a1e-8f0b-0c6a3a1b7f52")


class Due(NamedTuple):
    """Slots to fire, the earliest first; how many before them were missed and are given up (counted to `MAX_CATCH_UP`).

    ``passed_ms``: the last one of those that are given up, if it is not followed by one that is made up for.
    """

    slots: list[int]
    given_up: int = 0
    passed_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Makes a job for the handler ``job`` at each of its slots; anything that could never be right raises `InvalidJob`.

    - ``name``: 1 to 200 characters; one schedule of a namespace has it.
    - ``cron`` (five fields, or @hourly, @daily, @weekly, @monthly, @yearly) in a ``timezone`` such as "Europe/Berlin", or
      ``every``, a duration such as "90s" or "1h30m" or a timedelta, counted from the epoch.
    - ``payload``, ``priority``, ``queue``, ``description``: of the job, as for `JobRequest`; 64 KiB altogether.
    - ``misfire``: what becomes of slots that nobody could fire within a minute, or until the next one. "skip": nothing.
      "once": one job for all of them. "all": a job for each, for the latest 100.
    - ``enabled``: False for a schedule that rests.

    As `Client.schedules` returns it, ``source`` says who put it: "config", "handler" or "client"; ``last_at`` is the last
    slot that made a job or was given up (at first, when it was put), ``next_at`` the next one (None if it rests).
    """

    name: str
    job: str
    cron: str | None = None
    every: str | timedelta | None = None
    timezone: str = "UTC"
    payload: Any = None
    priority: Priority = Priority.NORMAL
    queue: str = "default"
    description: str = ""
    misfire: str = "skip"
    enabled: bool = True
    source: str = "client"
    last_at: datetime | None = None
    next_at: datetime | None = None

    def __post_init__(self) -> None:
        if isinstance(self.every, timedelta):
            object.__setattr__(self, "every", f"{self.every.total_seconds():f}".rstrip("0").rstrip(".") + "s")
        for field, problem in faults_of(vars(self)):
            raise InvalidJob(problem if field == "name" else f"{_intro(self.name)}{problem}")
        object.__setattr__(self, "priority", Priority(self.priority))

    @cached_property
    def timetable(self) -> Timetable:
        """Its slots. @private"""
        return timetable(self.cron, self.every, self.timezone)

    def to_dict(self) -> dict[str, Any]:
        """Everything that is known, ready for JSON; instants in ISO 8601."""
        instants = {name: getattr(self, name) for name in ("last_at", "next_at")}
        return {name: getattr(self, name) for name in (*SETTINGS, "source")} | {
            name: instant and instant.isoformat(timespec="milliseconds") for name, instant in instants.items()
        }

    @property
    def when(self) -> str:
        """``every 90s``, or the fields of cron."""
        return f"every {self.every}" if self.cron is None else self.cron

    def local(self, instant: datetime) -> str:
        """An instant as the clock of its zone shows it, to the second."""
        return f"{instant.astimezone(zone_of(self.timezone)):%Y-%m-%d %H:%M:%S}"

    def encode(self) -> bytes:
        """The definition as Redis keeps it; the same for the same schedule."""
        return _encode(vars(self))

    def at(self, last_ms: int, now_ms: int) -> "Schedule":
        """The same with its last slot, and the next one."""
        next_ms = next(self.timetable.slots_after(max(last_ms, now_ms)), None) if self.enabled else None
        return replace(
            self,
            last_at=clock.to_datetime(last_ms),
            next_at=None if next_ms is None else clock.to_datetime(next_ms),
        )

    def due(self, after_ms: int, now_ms: int) -> Due:
        """What is to be fired now if everything up to ``after_ms`` is done with. @private"""
        limit_ms = max(after_ms, now_ms - min(MISSED_AFTER_MS, self.timetable.period_ms))
        missed = latest_slots(self.timetable, after_ms, limit_ms, MAX_CATCH_UP)
        late = latest_slots(self.timetable, limit_ms, now_ms, MAX_CATCH_UP)
        made_up = {"skip": [], "once": missed[-1:], "all": missed}[self.misfire]
        passed_ms = missed[-1] if missed and not made_up else None
        return Due([*made_up, *late], len(missed) - len(made_up), passed_ms)

    def job_id(self, namespace: str, slot_ms: int) -> str:
        """The id of the job of a slot: always the same, so whoever fires it again makes no second one."""
        return str(uuid.uuid5(_SPACE, f"{namespace}:{slot_ms}:{self.name}"))

    def spec(self, slot_ms: int, now_ms: int) -> bytes:
        """The spec of that job."""
        spec = {
            "v": SPEC_VERSION,
            "name": self.job,
            "created_at": now_ms,
            "payload": self.payload,
            "schedule": {"name": self.name, "slot": slot_ms},
        }
        return orjson.dumps(spec | ({"description": self.description} if self.description else {}))

    @property
    def lane(self) -> str:
        """The lane of its jobs."""
        return f"{self.queue}:{self.priority}"


SETTINGS = tuple(
    field.name for field in fields(Schedule) if field.name not in ("source", "last_at", "next_at")
)
"""What makes a schedule, in the order of its definition."""


def read_schedule(name: str, definition: bytes) -> Schedule:
    """A definition as `Schedule.encode` wrote it, maybe that of another version. Raises `InvalidJob`."""
    try:
        given = orjson.loads(definition)
    except orjson.JSONDecodeError as error:
        raise InvalidJob(f"its definition is not JSON ({error})") from None
    if not isinstance(given, dict) or given.get("v") != VERSION:
        raise InvalidJob(f"its definition is of a version that this bananasd does not read, {VERSION}")
    known = {field: given[field] for field in (*SETTINGS, "source") if field in given}
    try:
        return Schedule(**({"job": None} | known | {"name": name}))
    except InvalidJob as error:
        # Who reads it tells the name, whatever is wrong.
        raise InvalidJob(str(error).removeprefix(_intro(name))) from None


def readable(name: str, definition: bytes) -> Schedule | None:
    """The same, None for one that cannot be used."""
    try:
        return read_schedule(name, definition)
    except InvalidJob:
        return None


def faults_of(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with the settings of a schedule: which of them, and why. Defaults may be left out."""
    values: dict[str, Any] = {"name": None, "job": None, **_DEFAULTS, **given}
    problems = list(_problems_of(values))
    for field, problem in problems or _problems_of_all(values):
        # Most begin with what they are about.
        first = problem.partition(" ")[0]
        yield (first if first in SETTINGS else field), problem


def _intro(name: str) -> str:
    return f"schedule {shown(name)}: "


def _problems_of(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    checks: list[tuple[str, Callable[[], object]]] = [
        (field, partial(check, values[field])) for field, check in _CHECKS.items()
    ]
    checks.append(("cron", partial(timetable, values["cron"], values["every"], values["timezone"])))
    for field, check in checks:
        try:
            check()
        except InvalidJob as problem:
            yield field, str(problem)


def _problems_of_all(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with what they make together."""
    try:
        size = len(_encode(values))
    except ValueError as problem:
        yield "payload", str(problem)
        return
    if size > MAX_BYTES:
        advice = "store the data elsewhere and give where it is"
        yield "payload", f"the definition has {size:,} bytes, at most {MAX_BYTES:,} are taken; {advice}"


def _encode(values: Mapping[str, Any]) -> bytes:
    definition = {"v": VERSION} | {field: values[field] for field in (*SETTINGS, "source") if field != "name"}
    return encode({name: value for name, value in definition.items() if value is not None}, "payload")


def _check_misfire(misfire: Any) -> None:
    if misfire not in MISFIRES:
        raise InvalidJob(f"misfire {shown(misfire)}: want skip, once or all")


def _check_enabled(enabled: Any) -> None:
    if not isinstance(enabled, bool):
        raise InvalidJob(f"enabled {shown(enabled)}: want true or false")


_CHECKS: dict[str, Callable[[Any], object]] = {
    "name": check_name,
    "job": partial(check_name, what="job"),
    "priority": check_priority,
    "queue": check_queue,
    "description": check_description,
    "misfire": _check_misfire,
    "enabled": _check_enabled,
}
_DEFAULTS: dict[str, Any] = {
    field.name: field.default for field in fields(Schedule) if field.name not in ("name", "job")
}
