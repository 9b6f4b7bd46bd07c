"""What stands in the record of a job, read as it is: by whoever it was written, nothing in it is certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananasd import JobRequest
from bananasd.record import encode_result, json_in, number_of, read_spec, text_of

SPEC = JobRequest("greet", {"to": "you"}).spec

# Texts of other writers: nothing at all, no JSON, JSON of every kind, bytes that are no text.
NO_SPECS = [None, b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b"5", b'"text"', b"[]", b"NaN", b'{"a":\xff}']


def test_the_spec_of_a_request_can_be_run():
    assert read_spec(SPEC)["payload"] == {"to": "you"}


@pytest.mark.parametrize("text", NO_SPECS)
def test_what_is_no_spec_is_refused_with_the_reason(text):
    with pytest.raises(ValueError, match="^its spec is not (JSON|a JSON object)"):
        read_spec(text)


@pytest.mark.parametrize("text", NO_SPECS)
def test_of_what_is_no_spec_nothing_can_be_shown(text):
    assert read_spec(text, strict=False) == {}


def test_a_spec_that_cannot_be_run_is_shown_as_it_is():
    text = b'{"v":9,"name":["x"],"payload":1}'
    assert read_spec(text, strict=False) == {"v": 9, "name": ["x"], "payload": 1}
    with pytest.raises(ValueError, match="version 9"):
        read_spec(text)


@given(st.binary())
def test_no_bytes_break_the_reading(text):
    assert isinstance(read_spec(text, strict=False), dict)
    record = {b"field": text}
    assert isinstance(text_of(record, b"field"), str)
    assert isinstance(number_of(record, b"field"), int | None)
    json_in(text)


def test_fields_read_as_what_they_are():
    record = {b"text": "größe".encode(), b"number": b"-12", b"json": b'{"a":[1]}'}
    assert text_of(record, b"text") == "größe"
    assert number_of(record, b"number") == -12
    assert json_in(record[b"json"]) == {"a": [1]}


def test_a_missing_field_reads_as_none():
    assert text_of({}, b"x") is None
    assert number_of({}, b"x") is None
    assert json_in(None) is None


def test_an_odd_field_reads_as_none_or_as_much_as_is_text():
    record = {b"text": b"a\xffb", b"number": b"1.5", b"long": b"9" * 5000, b"json": b"{"}
    assert text_of(record, b"text") == "a\N{REPLACEMENT CHARACTER}b"
    assert number_of(record, b"number") is None
    assert number_of(record, b"long") is None
    assert json_in(record[b"json"]) is None


def test_a_result_is_json():
    assert encode_result({"rows": 5}, 100) == b'{"rows":5}'
    assert encode_result(0, 100) == b"0"


def test_no_result_is_nothing():
    assert encode_result(None, 0) == b""


def test_a_result_that_is_no_json_or_too_long_is_refused():
    with pytest.raises(
        ValueError, match=r"the result cannot be written as JSON: Type is not JSON serializable: set"
    ):
        encode_result({1}, 100)
    assert encode_result("x" * 8, 10)
    with pytest.raises(ValueError, match="the result has 11 bytes, at most 10 are kept"):
        encode_result("x" * 9, 10)
