"""Values as JSON: what is taken reads back as it was, what would not is refused with its place."""

import enum
import math
import sys
import uuid
from collections import deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd.encoding import encode

NAN, INFINITY = math.nan, math.inf

# Lone surrogates are no text.
texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


@dataclass
class Point:
    x: Any
    _private: Any = None


@dataclass(slots=True)
class Slotted:
    x: Any
    never_set: int = field(init=False)


class Level(enum.Enum):
    LOW = 1
    NOWHERE = NAN
    PAIR = (1, NAN)


class Scale(float, enum.Enum):
    BROKEN = NAN


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - one without types


@given(values)
def test_a_value_reads_back_as_it_was(value):
    assert orjson.loads(encode(value, "payload")) == value


@pytest.mark.parametrize(
    "number", [-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e16, 2**64 - 1, -(2**63)]
)
def test_numbers_keep_their_value_type_and_sign(number):
    (back,) = orjson.loads(encode([number], "payload"))
    assert (repr(back), type(back)) == (repr(number), type(number))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((1, "a"), [1, "a"]),
        (Point(3, NAN), {"x": 3}),
        (Slotted([None]), {"x": [None]}),
        (Level.LOW, 1),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ({"rows": [None, {"a": None}, Point(None)]}, {"rows": [None, {"a": None}, {"x": None}]}),
    ],
)
def test_what_json_has_no_type_for_becomes_the_nearest(value, written):
    assert orjson.loads(encode(value, "payload")) == written


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (NAN, "infinity"),
        ([1, None, -INFINITY], "[2]"),
        ({"a": {"b": NAN}}, "['a']['b']"),
        ({"a": (1, (NAN,))}, "['a'][1][0]"),
        ({"a": Point([NAN])}, "['a']['x'][0]"),
        (Slotted({"y": INFINITY}), "['x']['y']"),
        ([Level.NOWHERE], "[0]['value']"),
        ([Level.PAIR], "[0]['value'][1]"),
        ([Scale.BROKEN], "[0]"),
        ([[None] * 10_000, {"deep": [[[NAN]]]}], "[1]['deep'][0][0][0]"),
    ],
)
def test_nan_and_infinity_are_refused_wherever_they_hide(value, place):
    with pytest.raises(
        ValueError, match="the result cannot be written as JSON: JSON has no NaN or infinity"
    ) as caught:
        encode(value, "result")
    assert str(caught.value).endswith(place)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({1, 2}, "Type is not JSON serializable: set"),
        ({"a": [0, {"b": b"raw"}]}, "Type is not JSON serializable: bytes at ['a'][1]['b']"),
        ([Decimal(1)], "Type is not JSON serializable: decimal.Decimal at [0]"),
        ([deque([1])], "Type is not JSON serializable: collections.deque at [0]"),
        ([Pair(1, 2)], "Type is not JSON serializable: Pair at [0]"),
        ([Point], "Type is not JSON serializable: type at [0]"),
        (Point({"y": object()}), "Type is not JSON serializable: object at ['x']['y']"),
        ([2**64], "Integer exceeds 64-bit range at [0]"),
        ({"n": -(2**63) - 1}, "Integer exceeds 64-bit range at ['n']"),
        ([10**5000], "Integer exceeds 64-bit range at [0]"),
        ({"a": {1: 2}}, "Dict key must be str at ['a']"),
        ({"a": "\ud800"}, "str is not valid UTF-8: surrogates not allowed at ['a']"),
        ([{"\udfff": 1}], "str is not valid UTF-8: surrogates not allowed at [0]"),
        ({"k" * 500: {1}}, f"Type is not JSON serializable: set at ['{'k' * 12}...{'k' * 13}']"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_place(value, reason):
    with pytest.raises(ValueError, match="the payload cannot be written as JSON") as caught:
        encode(value, "payload")
    assert str(caught.value) == f"the payload cannot be written as JSON: {reason}"


def nested(levels: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = make(value)
    return value


def a_list_in_itself() -> list[Any]:
    value: list[Any] = [None]
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        nested(251, lambda inner: [inner]),
        nested(100_000, lambda inner: {"a": inner}),
        nested(300, Point),
        a_list_in_itself(),
    ],
    ids=["lists", "dicts", "dataclasses", "itself"],
)
def test_too_deep_a_value_is_refused(value):
    with pytest.raises(ValueError, match="it is nested too deeply, or holds itself"):
        encode(value, "payload")


def test_as_deep_a_value_as_promised_is_taken_and_can_be_shown_in_a_listing():
    value = nested(250, lambda inner: [inner])
    assert orjson.loads(encode(value, "payload")) == value
    assert orjson.dumps({"jobs": [{"payload": value}]})


def test_the_search_needs_no_stack_of_its_own():
    """It works, too, where little of Python's stack is left."""
    value = nested(250, lambda inner: [inner, None])
    value[0][0].append(NAN)

    def at_depth(frames: int) -> None:
        if frames:
            at_depth(frames - 1)
        else:
            encode(value, "payload")

    frame: Any = sys._getframe()
    used = 0
    while frame := frame.f_back:
        used += 1
    with pytest.raises(ValueError, match="NaN"):
        at_depth(sys.getrecursionlimit() - used - 40)


def test_shared_parts_are_searched_once():
    value: Any = [None]
    for _ in range(16):
        value = [value, value]
    encode(value, "payload")
    with pytest.raises(ValueError, match=r"set at \[1\]"):
        encode([value, {1}], "payload")
