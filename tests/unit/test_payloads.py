"""A handler's second parameter: what becomes of a payload, and what is said of one that does not fit."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pytest

from bananasd import Job
from bananasd.errors import BadPayload
from bananasd.payloads import payload_parameter, payload_reader


@dataclass
class Item:
    name: str
    price: float = 1.0


@dataclass
class Order:
    number: int
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.number == 13:
            raise ValueError("Number 13 brings `bad` luck")
        if self.number == 14:
            raise LookupError("no such order")
        if self.number == 15:
            raise ValueError("Number 15 is not sold - at `moon`")


class Address(TypedDict):
    city: str
    street: NotRequired[str]


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: int
    y: int = 0


class Colour(Enum):
    RED = "red"


class Fault(ValueError):
    """As pydantic's ValidationError."""

    def __init__(self, faults: list[tuple[tuple[str | int, ...], str]]) -> None:
        self._faults = faults

    def errors(self) -> list[dict[str, Any]]:
        return [{"loc": loc, "msg": msg, "type": "x"} for loc, msg in self._faults]


class Model:
    """As a model of pydantic."""

    def __init__(self, payload: Any) -> None:
        self.payload = payload

    @classmethod
    def model_validate_json(cls, text: bytes) -> "Model":
        match payload := json.loads(text):
            case {"faults": count}:
                raise Fault([(("items", n, "price"), "Input should be a valid number") for n in range(count)])
            case {"raises": text}:
                raise ValueError(text)
        return cls(payload)


def handler_of(kind: Any) -> Callable[..., Any]:
    def handle(job: Job, payload: Any) -> None: ...

    handle.__annotations__["payload"] = kind
    return handle


def read(kind: Any, payload: Any) -> Any:
    reader = payload_reader(handler_of(kind))
    assert reader is not None
    return reader(json.loads(json.dumps(payload)))


def fault(kind: Any, payload: Any) -> str:
    with pytest.raises(BadPayload) as caught:
        read(kind, payload)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "payload", "value"),
    [
        (Order, {"number": 1, "items": [{"name": "pen", "price": 2}]}, Order(1, [Item("pen", 2.0)])),
        ("Order", {"number": 1, "more": None}, Order(1)),
        ("list[Order] | None", [{"number": 1}], [Order(1)]),
        ("list[Order] | None", None, None),
        (Address, {"city": "Rome", "zip": 1}, {"city": "Rome"}),
        (Point, {"x": 1}, Point(1)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (dict[int, str], {"1": "a"}, {1: "a"}),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Annotated[int, msgspec.Meta(ge=1)], 5, 5),
        (datetime, "2030-01-31T09:00:00+00:00", datetime.fromisoformat("2030-01-31T09:00:00+00:00")),
        (UUID, "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55", UUID("0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55")),
        (Decimal, "1.10", Decimal("1.10")),
        (Colour, "red", Colour.RED),
        (Any, {"a": [1]}, {"a": [1]}),
        (str, "text", "text"),
    ],
)
def test_a_payload_becomes_what_the_handler_takes(kind: Any, payload: Any, value: Any) -> None:
    got = read(kind, payload)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        (Order, {"number": 1, "items": [{"name": "a"}, {"name": "b"}, {"name": "c", "price": "x"}]},
         "$.items[2].price: expected float, got str"),
        (Order, {"number": "1"}, "$.number: expected int, got str"),
        (Order, {}, "$: object missing required field number"),
        (Order, {"number": 1, "items": [{}]}, "$.items[0]: object missing required field name"),
        (Order, [1], "$: expected object, got array"),
        (Order, None, "$: expected object, got null"),
        (Order, {"number": 13}, "$: Number 13 brings `bad` luck"),
        (list[Order], [{"number": 1}, {"number": 13}], "$[1]: Number 13 brings `bad` luck"),
        (Order, {"number": 15}, "$: Number 15 is not sold - at `moon`"),
        (list[Order], [{"number": 15}], "$[0]: Number 15 is not sold - at `moon`"),
        (Address, {"street": "x"}, "$: object missing required field city"),
        (Point, {"x": 1, "z": 2}, "$: object contains unknown field z"),
        (dict[str, int], {"a": "b"}, "$[...]: expected int, got str"),
        (dict[int, int], {"a": 1}, "a key of $: expected int, got str"),
        (dict[str, dict[int, int]], {"a": {"b": 1}}, "a key of $[...]: expected int, got str"),
        (Annotated[int, msgspec.Meta(ge=1)], 0, "$: expected int >= 1"),
        (Colour, "blue", "$: invalid enum value 'blue'"),
        (bool, 1, "$: expected bool, got int"),
    ],
)  # fmt: skip
def test_a_payload_that_does_not_fit_is_told_with_the_path_of_the_fault(
    kind: Any, payload: Any, told: str
) -> None:
    assert fault(kind, payload) == told


def test_what_the_code_of_a_type_raises_beside_that_is_no_fault_of_the_payload() -> None:
    with pytest.raises(LookupError, match="no such order"):
        read(Order, {"number": 14})


def test_a_model_validates_its_payload_itself() -> None:
    assert read(Model, {"a": 1}).payload == {"a": 1}
    assert fault(Model, {"faults": 1}) == "$.items[0].price: Input should be a valid number"
    with pytest.raises(ValueError, match="its own"):
        read(Model, {"raises": "its own"})


def test_of_many_faults_of_a_model_the_first_are_told() -> None:
    told = fault(Model, {"faults": 7}).split("; ")
    assert (len(told), told[4], told[5]) == (
        6,
        "$.items[4].price: Input should be a valid number",
        "and 2 more",
    )


def test_a_model_of_pydantic_itself_is_known() -> None:
    pydantic = pytest.importorskip("pydantic")
    order = pydantic.create_model("PydanticOrder", number=(int, ...))
    assert read(order, {"number": 5}).number == 5
    assert fault(order, {"number": "x"}).startswith("$.number: Input should be a valid integer")


def test_a_model_of_pydantic_is_known_wherever_it_stands_in_a_type() -> None:
    pydantic = pytest.importorskip("pydantic")
    order = pydantic.create_model("PydanticOrder", number=(int, ...))
    page = pytest.importorskip("typing_extensions").TypedDict("Page", {"order": order})
    cart = make_dataclass("Cart", [("orders", list[order])])

    class Pair(NamedTuple):
        first: order  # type: ignore[valid-type]
        second: int

    one, bad = {"number": 5}, {"number": "x"}
    for kind, fits, does_not, place in [
        (list[order], [one], [one, bad], "$[1].number"),
        (order | None, one, bad, "$.number"),
        (int | order, one, bad, "$.PydanticOrder.number"),
        (dict[str, order], {"a": one}, {"a": bad}, "$.a.number"),
        (cart, {"orders": [one]}, {"orders": [bad]}, "$.orders[0].number"),
        (page, {"order": one}, {"order": bad}, "$.order.number"),
        (Pair, [one, 1], [bad, 1], "$[0].number"),
    ]:
        assert read(kind, fits)
        assert f"{place}: Input should be a valid integer" in fault(kind, does_not)
    assert read(list[order], [one])[0].number == read(dict[str, order], {"a": one})["a"].number == 5
    assert read(order | None, None) is None
    assert type(read(cart, {"orders": [one]}).orders[0]) is order


def test_a_dataclass_of_pydantic_and_what_it_annotates_are_validated() -> None:
    pydantic = pytest.importorskip("pydantic")

    def check(_cls: type, name: str) -> str:
        if name == "nobody":
            raise ValueError("nobody is nobody")
        return name.title()

    names = {"__annotations__": {"name": str}, "check": pydantic.field_validator("name")(classmethod(check))}
    person = pydantic.dataclasses.dataclass(type("Person", (), names))
    assert read(person, {"name": "ada"}).name == "Ada"
    assert read(list[person], [{"name": "ada"}])[0].name == "Ada"
    assert fault(person, {"name": "nobody"}) == "$.name: Value error, nobody is nobody"
    positive = Annotated[int, pydantic.Field(gt=0)]
    assert read(positive, 1) == 1
    assert fault(list[positive], [0]) == "$[0]: Input should be greater than 0"
    assert fault(pydantic.PositiveInt, 0) == "$: Input should be greater than 0"


def test_a_strict_model_gets_what_json_has_no_form_of_its_own_for() -> None:
    pydantic = pytest.importorskip("pydantic")
    fields = {
        "at": (datetime, ...),
        "id": (UUID, ...),
        "colour": (Colour, ...),
        "pair": (tuple[int, int], ...),
    }
    strict = pydantic.create_model("Strict", __config__=pydantic.ConfigDict(strict=True), **fields)
    told = {"at": "2030-01-31T09:00:00Z", "id": str(UUID(int=5)), "colour": "red", "pair": [1, 2]}
    for kind, payload in [(strict, told), (list[strict], [told])]:
        got = read(kind, payload)
        got = got[0] if isinstance(got, list) else got
        assert (got.at.year, got.id, got.colour, got.pair) == (2030, UUID(int=5), Colour.RED, (1, 2))
    assert fault(strict, told | {"pair": ["1", 2]}).startswith("$.pair[0]: Input should be a valid integer")


def test_a_type_that_pydantic_cannot_use_either_is_refused_with_its_words() -> None:
    pydantic = pytest.importorskip("pydantic")
    order = pydantic.create_model("PydanticOrder", number=(int, ...))
    with pytest.raises(TypeError, match="whose type cannot be used: .*Point"):
        payload_reader(handler_of(dict[str, order | Point]))


# Which parameter is the payload's


def plain(job: Job) -> None: ...


def typed(job: Job, order: Order) -> None: ...


def typed_with_more(job: Job, order: Order, /, more: int = 1) -> None: ...


def optional(job: Job, more: int = 1) -> None: ...


class Called:
    def __call__(self, job: Job, order: "Order") -> None: ...


class Made:
    def __init__(self, job: Job, order: "Order") -> None: ...


@functools.wraps(typed)
def passes_on(*args: Any, **kwargs: Any) -> None: ...


@functools.wraps(typed)
def brings_its_own(job: Job) -> None: ...


@pytest.mark.parametrize(
    ("function", "is_typed"),
    [
        (plain, False), (optional, False), (brings_its_own, False), (lambda *args: 1, False), (5, False),
        (typed, True), (typed_with_more, True), (passes_on, True), (Called(), True), (Made, True),
        (functools.partial(typed_with_more, more=2), True), (functools.partial(typed, Job), False),
    ],
)  # fmt: skip
def test_the_second_that_must_be_given_is_the_payloads(function: Any, is_typed: bool) -> None:
    reader = payload_reader(function)
    assert (payload_parameter(function) is not None) is (reader is not None) is is_typed
    if reader:
        assert reader({"number": 3}) == Order(3)


def test_other_parameters_may_name_what_only_type_checkers_know() -> None:
    def handle(job: "NotImported", order: "Order") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    reader = payload_reader(handle)
    assert reader is not None
    assert reader({"number": 3}) == Order(3)
