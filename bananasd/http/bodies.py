"""What the body of an action may say. What it leaves out, or misspells, never means "all". Pure."""

from typing import Any, NamedTuple

from ..chunks import check_dead_ids
from ..errors import InvalidJob
from ..limits import shown

MAX_IDS = 1000


class DeadChoice(NamedTuple):
    """Which dead jobs are meant: those with these ids, or, if that is None, those that match, from a mark on."""

    ids: list[str] | None = None
    name: str = ""
    text: str = ""
    mark: str = ""


def check_fields(given: dict[str, Any], *known: str) -> None:
    """Raise `InvalidJob` for a field that is none of these."""
    if unknown := [field for field in given if field not in known]:
        raise InvalidJob(f"field {shown(unknown[0])}: there is no such one here, only {', '.join(known)}")


def queue_in(given: dict[str, Any]) -> Any:
    """The queue that is named, None for all of them: that has to be said."""
    if "queue" not in given:
        raise InvalidJob('queue is missing: name one, or say "queue": null for all of them')
    return given["queue"]


def dead_choice(given: dict[str, Any]) -> DeadChoice:
    """By "ids" alone; or by "name" and "text", of which one is not ""; or "all": true."""
    if "ids" in given:
        check_fields(given, "ids")
        return DeadChoice(_ids(given["ids"]))
    check_fields(given, "ids", "name", "text", "all", "mark")
    name, text, mark = (_text(given, field) for field in ("name", "text", "mark"))
    is_all = given.get("all", False)
    if not isinstance(is_all, bool):
        raise InvalidJob(f"all {shown(is_all)}: want true or false")
    if is_all == bool(name or text):
        raise InvalidJob(
            'say which dead jobs: "all": true goes without name and text'
            if is_all
            else 'say which dead jobs: "ids", a "name" or "text" to be found in them, or "all": true'
        )
    return DeadChoice(None, name, text, mark)


def _ids(given: Any) -> list[str]:
    if not isinstance(given, list) or len(given) > MAX_IDS:
        raise InvalidJob(f"ids: want a list of up to {MAX_IDS:,} ids")
    check_dead_ids(given)
    return given


def _text(given: dict[str, Any], field: str) -> str:
    value = given.get(field, "")
    if not isinstance(value, str):
        raise InvalidJob(f"{field} {shown(value)}: want text")
    return value
