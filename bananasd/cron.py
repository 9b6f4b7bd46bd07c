"""When a schedule fires: its slots, instants in milliseconds since the epoch. Pure: time comes as an argument."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from . import clock
from .durations import seconds_of
from .errors import InvalidJob
from .limits import MAX_SECONDS, shown

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31",
    "month": "1 to 12 or jan to dec",
    "day-of-week": "0 to 7 or sun to sat",
}
"""The fields of cron in their order, and what may stand in each."""

ZERO = timedelta(0)
FIRST_LOOK_MS = 60_000
NO_DAY = "there is no such day"
WIDEN = 8


class Timetable(Protocol):
    """A row of slots without end."""

    @property
    def period_ms(self) -> int:
        """The shortest time between two of them."""

    def slots_after(self, ms: int) -> Iterator[int]:
        """The slots later than an instant, each later than the one before."""


@dataclass(frozen=True, slots=True)
class Every:
    """Every so often, counted from the epoch, so that all nodes agree."""

    period_ms: int

    def slots_after(self, ms: int) -> Iterator[int]:
        """See `Timetable`."""
        slot = ms - ms % self.period_ms
        while True:
            slot += self.period_ms
            yield slot


@dataclass(frozen=True, slots=True)
class Cron:
    """By the wall clock of a time zone, whose gaps and overlaps are taken as Debian's cron takes them.

    A fixed time of day that a gap leaves out comes at the gap's end, and one that an overlap brings twice comes the first time.
    Where minute or hour begins with ``*`` the slots go by what the clock shows: none in a gap, both in an overlap.
    """

    fields: str
    zone: tzinfo

    @property
    def period_ms(self) -> int:
        """See `Timetable`."""
        return 60_000

    def slots_after(self, ms: int) -> Iterator[int]:
        """See `Timetable`."""
        # Not at the top: a client that has nothing to do with schedules need not load it.
        from cronsim import CronSim  # noqa: PLC0415

        last = ms
        # Without a zone: its own way with them misses slots where clocks are moved by half an hour.
        for slot in self._in_order(CronSim(self.fields, self._wall_at(ms))):
            if slot > last:
                last = slot
                yield slot

    def _wall_at(self, ms: int) -> datetime:
        """What the clock shows, or will show once more, so that all that comes later shows more than that."""
        shown = clock.to_datetime(ms).astimezone(self.zone)
        overlap = (shown.utcoffset() or ZERO) - (shown.replace(fold=1).utcoffset() or ZERO)
        return (shown - max(overlap, ZERO)).replace(tzinfo=None)

    def _in_order(self, walls: Iterable[datetime]) -> Iterator[int]:
        """The instants at which the clock shows these; in an overlap all second ones come after the first ones."""
        second: deque[int] = deque()
        for wall in walls:
            instants = self._instants(wall)
            for first in instants[:1]:
                while second and second[0] < first:
                    yield second.popleft()
                yield first
            second.extend(instants[1:])

    def _instants(self, wall: datetime) -> list[int]:
        first, second = (clock.to_ms(wall.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1))
        if first == second:
            return [first]
        if first < second:
            return [first] if self._is_fixed else [first, second]
        return [self._end_of_gap(second, first)] if self._is_fixed else []

    @property
    def _is_fixed(self) -> bool:
        """Whether it means times of day."""
        minute, hour, *_ = self.fields.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def _end_of_gap(self, before_ms: int, after_ms: int) -> int:
        """When clocks were set forward, between two instants of whole seconds."""
        offset = self._offset(before_ms)
        while after_ms - before_ms > 1000:
            middle_ms = (before_ms + after_ms) // 2000 * 1000
            if self._offset(middle_ms) == offset:
                before_ms = middle_ms
            else:
                after_ms = middle_ms
        return after_ms

    def _offset(self, ms: int) -> timedelta | None:
        return clock.to_datetime(ms).astimezone(self.zone).utcoffset()


def timetable(cron: Any, every: Any, timezone: Any) -> Timetable:
    """The slots of a schedule; exactly one of ``cron`` and ``every`` is given. Raises `InvalidJob`."""
    if cron is not None and every is not None:
        raise InvalidJob(f"both cron ({shown(cron)}) and every ({shown(every)}) are given: want one of them")
    if cron is None and every is None:
        raise InvalidJob('want either cron (such as "30 3 * * *") or every (such as "90s")')
    zone = zone_of(timezone)
    if cron is not None:
        return _cron(cron, zone)
    if zone is not UTC:
        raise InvalidJob(
            f"timezone {shown(timezone)}: goes with cron; every counts from the epoch everywhere"
        )
    return _every(every)


def latest_slots(table: Timetable, after_ms: int, until_ms: int, limit: int) -> list[int]:
    """The slots later than one instant and up to another; of more than ``limit`` the latest."""
    look_ms = FIRST_LOOK_MS
    while until_ms > after_ms:
        # From behind in steps that grow: from the front it might be millions.
        start_ms = max(after_ms, until_ms - look_ms)
        slots = list(takewhile(lambda slot: slot <= until_ms, table.slots_after(start_ms)))
        if len(slots) >= limit or start_ms == after_ms:
            return slots[-limit:]
        look_ms *= WIDEN
    return []


def _every(every: Any) -> Every:
    seconds = seconds_of(every) if isinstance(every, str) else None
    if seconds is None or not 1 <= seconds <= MAX_SECONDS:
        raise InvalidJob(
            f'every {shown(every)}: want a duration of 1 s or more, such as "90s", "5m" or "1h30m"'
        )
    return Every(round(seconds * 1000))


def _cron(cron: Any, zone: tzinfo) -> Cron:
    from cronsim import CronSimError  # noqa: PLC0415

    fields = NICKNAMES.get(cron.strip().lower(), cron) if isinstance(cron, str) else ""
    if len(fields.split()) != 5:
        raise InvalidJob(
            f"cron {shown(cron)}: want five fields, {' '.join(FIELDS)}, or one of {', '.join(NICKNAMES)}"
        )
    table = Cron(fields, zone)
    try:
        first = next(table.slots_after(0), None)
    except CronSimError as error:
        raise InvalidJob(f"cron {shown(cron)}: {_wrong_field(str(error), fields)}") from None
    if first is None:
        raise InvalidJob(f"cron {shown(cron)}: {NO_DAY}")
    return table


def _wrong_field(told: str, fields: str) -> str:
    """What cronsim means by ``Bad minute``."""
    name = told.removeprefix("Bad ")
    given = dict(zip(FIELDS, fields.split(), strict=True)).get(name, "")
    if name == "day-of-month" and _is_day(given):
        return NO_DAY
    return f"{told.lower()} {shown(given)}: want {FIELDS.get(name)}, or *, in lists (1,2), ranges (1-5) and steps (*/2)"


def _is_day(field: str) -> bool:
    """Whether it may stand there: cronsim has the same words for a day that the given months do not have."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        CronSim(f"0 0 {field} * *", datetime(1970, 1, 1))  # noqa: DTZ001 - of no zone
    except CronSimError:
        return False
    return True


def zone_of(name: Any) -> tzinfo:
    """A time zone by its IANA name. Raises `InvalidJob`."""
    # Without a look at the system's zones, which a small container may not have.
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (TypeError, ValueError, LookupError, OSError):
        raise InvalidJob(
            f'timezone {shown(name)}: no such zone is known here; want a name such as "Europe/Berlin" '
            "(where a system has none of them, the package tzdata has)"
        ) from None
