"""Payloads of a declared type: what a handler's second parameter says, and making that of what a client has sent."""

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
from msgspec.inspect import CustomType, type_info

from .errors import BadPayload

MAX_FAULTS = 5

# Only what begins with $ is msgspec's: the text of a type's own error may end in the same way.
_PLACE = re.compile(r"(?P<what>.*) - at (?P<key>`key` in )?`(?P<path>\$[^`]*)`", re.DOTALL)
_OWN_WORDS = ("Expected ", "Object ", "Invalid ")
"""How msgspec's own sentences begin; others come from the code of the type."""


def payload_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """The second parameter that a handler must be called with, which is the payload's; None if it has none."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return None  # something written in C that does not tell, or nothing to be called
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [parameter for parameter in parameters if parameter.kind in plain]
    takes_more = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    if len(positional) > 1:
        return positional[1] if positional[1].default is inspect.Parameter.empty else None
    # A decorator's wrapper that passes on whatever it gets: what it wraps says what that must be.
    wrapped = getattr(function, "__wrapped__", None)
    return payload_parameter(wrapped) if takes_more and wrapped is not None else None


def payload_reader(function: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """What makes a handler's second argument of a payload; None if the handler takes the job alone.

    It raises `BadPayload` with the path of the fault. Raises TypeError for a type that no payload can be made into.
    """
    parameter = payload_parameter(function)
    if parameter is None:
        return None
    what = f"its second parameter {parameter.name!r} is the payload's"
    if parameter.annotation is inspect.Parameter.empty:
        raise TypeError(f"{what} and needs a type, as in {parameter.name}: dict[str, str]")
    try:
        wanted = _resolved(parameter.annotation, function)
        if hasattr(wanted, "model_validate"):
            return partial(_validated, wanted)
        strange = sorted({kind.cls.__qualname__ for kind in _customs_in(type_info(wanted))})
    except Exception as error:  # noqa: BLE001 - an annotation is code of the user's
        raise TypeError(f"{what}, whose type cannot be used: {type(error).__name__}: {error}") from None
    if strange:
        raise TypeError(f"{what}, whose type holds what JSON cannot be made into: {', '.join(strange)}")
    return partial(_converted, wanted)


def _resolved(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type that an annotation means, be it text."""
    while isinstance(function, partial):
        function = function.func
    names = vars(sys.modules[function.__module__])
    # Of this parameter alone: the others may name what is imported for type checkers only.
    holder = SimpleNamespace(__annotations__={"payload": annotation})
    return typing.get_type_hints(holder, names, include_extras=True)["payload"]


def _customs_in(info: Any) -> Iterator[CustomType]:
    """The types inside a type that msgspec knows nothing of."""
    pending, seen = [info], set()
    while pending:
        kind = pending.pop()
        if isinstance(kind, tuple):
            pending += kind
        elif isinstance(kind, msgspec.Struct) and id(kind) not in seen:
            seen.add(id(kind))
            pending += [getattr(kind, name) for name in kind.__struct_fields__]
            if isinstance(kind, CustomType):
                yield kind


def _converted(wanted: Any, payload: Any) -> Any:
    """A dataclass, TypedDict, msgspec.Struct or any type of the standard library that JSON can stand for."""
    try:
        return msgspec.convert(payload, wanted, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadPayload(_placed(str(error))) from None


def _placed(text: str) -> str:
    """Msgspec's words with the place in front: ``$.items[2].price: expected float, got str``.

    Of a dict it tells no keys: ``$.prices[...]: expected float, got str``, ``a key of $.prices: expected int, got str``.
    """
    found = _PLACE.fullmatch(text)
    path, what = (found["path"], found["what"]) if found else ("$", text)
    if found and found["key"]:
        path = f"a key of {path}"
    if what.startswith(_OWN_WORDS):
        what = what[0].lower() + what[1:].replace("`", "")
    return f"{path}: {what}"


def _validated(model: Any, payload: Any) -> Any:
    """A pydantic model, which is known by its method: pydantic itself is the user's to install."""
    try:
        return model.model_validate(payload)
    except ValueError as error:
        faults = getattr(error, "errors", None)
        if not callable(faults):
            raise
        told = [f"{_path(fault['loc'])}: {fault['msg']}" for fault in faults()]
        more = [f"and {len(told) - MAX_FAULTS} more"] if len(told) > MAX_FAULTS else []
        raise BadPayload("; ".join([*told[:MAX_FAULTS], *more])) from None


def _path(steps: Any) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
