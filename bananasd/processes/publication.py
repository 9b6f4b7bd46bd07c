"""A publication: the schedules of a configuration, or of a worker's handlers, are made known to the namespace, once."""

import logging
from collections.abc import Iterable, Sequence

from ..errors import ServerRefused
from ..handlers import HandlerSpec, schedule_of
from ..schedule import Schedule, readable
from ..store.schedules import ScheduleStore

logger = logging.getLogger(__name__)


class Silence:
    """What stands for the publication of a configuration that says nothing of schedules: tells, once, what others leave."""

    def __init__(self) -> None:
        self._is_told = False

    def make(self, store: ScheduleStore) -> None:
        """Name the schedules that a configuration has put, maybe this one before its last were deleted: they go on.

        No warning: another node's file may be the one that has them.
        """
        if self._is_told:
            return
        found = [readable(name, definition) for name, definition, _ in store.read().entries or ()]
        self._is_told = True
        names = [schedule.name for schedule in found if schedule and schedule.source == "config"]
        if names:
            logger.info(
                "schedules left names=%s: a configuration has put them, and this one has no schedules at all; "
                "if they are to end write 'schedules = []' at its top, or use 'bananasd schedules remove NAME'",
                ",".join(sorted(names)),
            )


class Publication:
    """Puts the schedules of one source; b"" for a definition removes one, ``is_all`` all others of the source."""

    def __init__(self, source: str, definitions: dict[str, bytes], *, is_all: bool = False) -> None:
        self._source = source
        self._definitions = definitions
        self._is_all = is_all
        self._is_made = not definitions and not is_all

    @classmethod
    def of_configuration(cls, schedules: Sequence[Schedule]) -> "Publication":
        """All that a configuration has."""
        return cls("config", {schedule.name: schedule.encode() for schedule in schedules}, is_all=True)

    @classmethod
    def of_handlers(cls, specs: Iterable[HandlerSpec]) -> "Publication":
        """Those of these handlers; what a handler had, and has no more, is removed. Of others nothing is known."""
        schedules = {spec.name: schedule_of(spec) for spec in specs}
        definitions = {name: schedule.encode() if schedule else b"" for name, schedule in schedules.items()}
        return cls("handler", definitions)

    def make(self, store: ScheduleStore) -> None:
        """Put them, unless that has been done. What the server refuses is told, and tried again with the next call."""
        if self._is_made:
            return
        try:
            changes = store.put(self._source, self._definitions, is_all=self._is_all)
        except ServerRefused as error:
            # No reason to do nothing else.
            logger.warning("schedules not put source=%s: %s", self._source, error)
            return
        self._is_made = True
        for name, what in changes:
            level = logging.WARNING if what == "full" else logging.INFO
            logger.log(level, "schedule %s name=%s source=%s", what, name, self._source)
