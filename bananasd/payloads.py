"""Payloads of a declared type: what a handler's second parameter says, and making that of what a client has sent."""

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
from msgspec.inspect import CustomType, type_info

from .errors import BadPayload

MAX_FAULTS = 5

# Only what begins with $ is msgspec's: the text of a type's own error may end in the same way.
_PLACE = re.compile(r"(?P<what>.*) - at (?P<key>`key` in )?`(?P<path>\$[^`]*)`", re.DOTALL)
_OF_PYDANTIC = ("model_validate_json", "__pydantic_validator__", "__get_pydantic_core_schema__")
_WITH_FIELDS = ("__total__", "_fields")
"""What a TypedDict has, be it that of typing_extensions, and a NamedTuple."""
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
        if any(map(_is_of_pydantic, _parts_of(wanted))):
            return partial(_validated, _json_validator(wanted))
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


def _parts_of(wanted: Any) -> Iterator[Any]:
    """A type with all that it names: its arguments, what annotates them, and the fields of those that have fields."""
    pending, seen = [wanted], list[Any]()
    while pending:
        part = pending.pop()
        # Not a set: what annotates a type need not have a hash.
        if any(part is other for other in seen):
            continue
        seen.append(part)
        yield part
        pending += [typing.get_origin(part), *typing.get_args(part), *getattr(part, "__metadata__", ())]
        if is_dataclass(part) or any(hasattr(part, name) for name in _WITH_FIELDS):
            pending += typing.get_type_hints(part, include_extras=True).values()


def _is_of_pydantic(part: Any) -> bool:
    """Whether pydantic alone knows what fits: its models, dataclasses and types, and what it annotates others with."""
    if isinstance(part, type):
        return any(hasattr(part, name) for name in _OF_PYDANTIC)
    return type(part).__module__.partition(".")[0] in ("pydantic", "annotated_types")


def _json_validator(wanted: Any) -> Any:
    """What reads JSON as this type. Pydantic itself is the user's to install: it is there if such a type is."""
    validate = getattr(wanted, "model_validate_json", None)
    return validate or import_module("pydantic").TypeAdapter(wanted).validate_json


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


def _validated(validate: Callable[[bytes], Any], payload: Any) -> Any:
    """What pydantic makes of it, as of JSON: a type that is strict would take no text for a datetime otherwise."""
    try:
        return validate(orjson.dumps(payload))
    except ValueError as error:
        faults = getattr(error, "errors", None)
        if not callable(faults):
            raise
        told = [f"{_path(fault['loc'])}: {fault['msg']}" for fault in faults()]
        more = [f"and {len(told) - MAX_FAULTS} more"] if len(told) > MAX_FAULTS else []
        raise BadPayload("; ".join([*told[:MAX_FAULTS], *more])) from None


def _path(steps: Any) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
