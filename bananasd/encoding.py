"""Values as JSON: payloads, results and progress, written only if they read back as they were."""

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from reprlib import repr as brief
from typing import Any

import orjson

_Path = tuple[Any, Any] | None
"""The way to a value inside another: the way to what holds it, and its key there."""

_SCALARS = frozenset({type(None), bool, int, float, str})


def encode(value: Any, what: str) -> bytes:
    """The value as JSON; ``ValueError`` names ``what`` it is, why it cannot be written, and the place.

    Taken are None, booleans, integers of 64 bits, finite floats, text, lists, and dicts with text for keys,
    nested 250 levels deep at most. Tuples, dataclasses, enums, dates and UUIDs become the nearest of these.
    """
    try:
        encoded = _dump(value)
    except TypeError as error:
        raise ValueError(_complaint(value, what, _reason(error), _cannot_be_written)) from None
    # orjson writes NaN and infinity as null, so only a text with a null in it can hide one.
    if b"null" in encoded and _place(value, _is_nonfinite) is not None:
        raise ValueError(_complaint(value, what, "JSON has no NaN or infinity", _is_nonfinite))
    return encoded


def _dump(value: Any) -> bytes:
    # orjson writes 254 levels; four of them are left for what a value is shown in, such as a listing of jobs.
    # By itself it crashes (3.13) over a dataclass with a slot that was never set.
    return orjson.dumps([[[[value]]]], _as_dict, orjson.OPT_PASSTHROUGH_DATACLASS)[4:-4]


def _as_dict(value: Any) -> dict[str, Any]:
    """The public fields of a dataclass that are set; TypeError for everything else that orjson does not know."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError
    names = (field.name for field in fields(value))
    return {name: getattr(value, name) for name in names if name[0] != "_" and hasattr(value, name)}


def _reason(error: TypeError) -> str:
    return (
        "it is nested too deeply, or holds itself" if "recursion limit" in str(error).lower() else str(error)
    )


def _complaint(value: Any, what: str, reason: str, is_faulty: Callable[[Any], bool]) -> str:
    return f"the {what} cannot be written as JSON: {reason}{_place(value, is_faulty) or ''}"


def _is_nonfinite(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _cannot_be_written(value: Any) -> bool:
    """Whether the fault lies in the value itself, not in what it holds."""
    own: Any = dict.fromkeys(value) if isinstance(value, dict) else value
    if own is value and _children(value):
        return False
    try:
        _dump(own)
    except TypeError:
        return True
    return False


def _place(root: Any, is_faulty: Callable[[Any], bool]) -> str | None:
    """Where in ``root`` a faulty value is, as `` at ['key'][3]``; "" for the root itself, None if there is none.

    It does not recurse: a value may be nested more deeply than the stack has room for, or hold itself.
    """
    if is_faulty(root):
        return ""
    pending: list[tuple[_Path, Any]] = [(None, root)]
    seen: set[int] = set()
    while pending:
        path, holder = pending.pop()
        for key, value in _children(holder):
            if is_faulty(value):
                return _written((path, key))
            if type(value) not in _SCALARS and id(value) not in seen:
                seen.add(id(value))
                pending.append(((path, key), value))
    return None


def _written(path: _Path) -> str:
    keys = []
    while path:
        path, key = path
        keys.append(f"[{brief(key)}]")
    return f" at {''.join(reversed(keys))}"


def _children(value: Any) -> Collection[tuple[Any, Any]]:
    """What a value holds, each with its key there."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, list) or type(value) is tuple:  # orjson takes no tuples of other types
        return list(enumerate(value))
    if isinstance(value, Enum):
        return [("value", value.value)]
    if is_dataclass(value) and not isinstance(value, type):
        return _as_dict(value).items()
    return ()
