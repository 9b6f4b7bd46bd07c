"""``[[schedules]]`` of a configuration: tables to schedules, and everything that is wrong with them."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from .schedule import SETTINGS, Schedule, faults_of
from .schema import did_you_mean, shown

WANTED = 'must be sections: write [[schedules]] for each, and its keys in the lines below; or "schedules = []" for none'


def read_schedules(tables: Any) -> tuple[tuple[Schedule, ...] | None, list[str]]:
    """The good ones, None if the file says nothing of them; and the problems, each with its place."""
    if tables is None:
        return None, []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return None, [f"schedules: {shown(tables)}: {WANTED}"]
    problems, schedules = [], []
    places: dict[Any, str] = {}
    for place, table in ((f"schedules[{number}]", table) for number, table in enumerate(tables, start=1)):
        faults = [f"{place}.{fault}" for fault in _faults(table)]
        name = str(table.get("name"))
        if not faults and places.setdefault(name, place) != place:
            faults = [f"{place}.name: {shown(name)}: is the name of {places[name]} already"]
        problems += faults
        if not faults:
            schedules.append(Schedule(**table, source="config"))
    return tuple(schedules), problems


def _faults(table: Mapping[str, Any]) -> Iterator[str]:
    for key in table:
        if key not in SETTINGS:
            yield f"{key}: unknown key{did_you_mean(difflib.get_close_matches(key, SETTINGS, n=1))}"
    for field, problem in faults_of({key: value for key, value in table.items() if key in SETTINGS}):
        if field in ("name", "job") and field not in table:
            yield f"{field}: is missing"
        else:
            yield f"{field}: {problem.removeprefix(f'{field} ')}"
