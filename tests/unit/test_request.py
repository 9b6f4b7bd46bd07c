"""Requests: what a client asks for, and what it sends of it."""

import inspect
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import orjson
import pytest

from bananasd import Client, InvalidJob, JobOptions, JobRequest, Priority, clock, limits
from bananasd.declaration import Handler
from bananasd.job import read_spec

ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"


def spec_of(*args: Any, **options: Any) -> dict[str, Any]:
    return orjson.loads(JobRequest(*args, **options).spec)


def test_a_request_has_its_id_from_the_start():
    first, second = JobRequest("greet", 1), JobRequest("greet", 1)
    assert uuid.UUID(first.job_id).version == 4
    assert first.job_id != second.job_id
    assert uuid.UUID(first.job_id).variant == uuid.RFC_4122
    assert str(uuid.UUID(first.job_id)) == first.job_id


def test_no_two_ids_are_alike_and_each_of_their_free_digits_takes_every_value():
    ids = [JobRequest("any", 1).job_id for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [len(set(digits)) for digits in zip(*ids, strict=True)] == [
        1 if at in (8, 13, 14, 18, 23) else 4 if at == 19 else 16 for at in range(36)
    ]


def test_an_id_of_ones_own_gets_its_canonical_form():
    assert JobRequest("greet", 1, job_id=ID.upper()).job_id == ID


def test_a_request_writes_only_what_was_said():
    before = clock.now_ms()
    spec = spec_of("greet", {"to": "you"})
    assert before <= spec.pop("created_at") <= clock.now_ms()
    assert spec == {"v": 1, "name": "greet", "payload": {"to": "you"}}


def test_a_request_writes_all_that_was_said():
    request = JobRequest(
        "greet", [1], Priority.HIGH, "a greeting", queue="mail", max_retries=0, timeout_seconds=0,
        retry=[1, 2.5], on_lost="dead", job_id=ID, scheduled_for=timedelta(seconds=1.5), headers={"tenant": "7"},
    )  # fmt: skip
    spec = orjson.loads(request.spec)
    del spec["created_at"]
    assert spec == {
        "v": 1, "name": "greet", "payload": [1], "description": "a greeting", "max_retries": 0, "timeout_seconds": 0,
        "retry": [1, 2.5], "on_lost": "dead", "headers": {"tenant": "7"},
    }  # fmt: skip
    assert (request.lane, request.due) == ("mail:high", "+1500")


def test_a_request_takes_the_parameters_of_submit_job_in_their_order():
    submit_job = list(inspect.signature(Client.submit_job).parameters.values())[1:]
    request = inspect.signature(JobRequest).parameters
    assert [taken for name, taken in request.items() if name != "scheduled_for"] == submit_job


@pytest.mark.parametrize(
    "call",
    [JobRequest, Client.submit_job, Client.submit_job_scheduled, Client.submit_and_wait, Handler.submit],
)
def test_a_type_checker_knows_the_options_of_every_way_to_submit(call):
    assert inspect.signature(call).parameters["options"].annotation == Unpack[JobOptions]


@pytest.mark.parametrize("told", [JobOptions, JobRequest, Client.submit_job])
@pytest.mark.parametrize("name", JobOptions.__annotations__)
def test_every_option_is_told_where_one_looks_for_it(name, told):
    assert re.search(rf"``{name}\b", told.__doc__)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_retry", "did you mean 'max_retries'?"),
        ("on_duplicates", "did you mean 'on_duplicate'?"),
        ("colour", "there are queue, max_retries, .*, on_duplicate"),
    ],
)
def test_an_option_that_there_is_not_is_refused_by_its_name(name, hint):
    with pytest.raises(TypeError, match=f"no option '{name}'; {hint}"):
        JobRequest("greet", 1, **{name: 1})


@pytest.mark.parametrize("headers", [None, {}])
def test_no_headers_take_no_room(headers):
    assert "headers" not in spec_of("greet", 1, headers=headers)


def test_a_later_change_of_the_payload_does_not_reach_the_request():
    payload = {"to": "you"}
    request = JobRequest("greet", payload)
    payload["to"] = "them"
    assert read_spec(request.spec)["payload"] == {"to": "you"}


@pytest.mark.parametrize("priority", ["high", Priority.HIGH])
def test_a_priority_may_be_given_as_its_word(priority):
    assert JobRequest("greet", 1, priority).lane == "default:high"


@pytest.mark.parametrize(
    ("due", "wire"),
    [
        (None, ""),
        (timedelta(0), "+0"),
        (timedelta(days=-1), "+0"),
        (timedelta(microseconds=1999), "+1"),
        (timedelta(days=2), "+172800000"),
        (datetime(2026, 11, 24, 12, 0, 0, 1500, tzinfo=UTC), "1795521600001"),
        (datetime(1960, 1, 1, tzinfo=UTC), "0"),
    ],
)
def test_a_schedule_travels_as_an_instant_or_as_a_time_from_the_servers_now(due, wire):
    assert JobRequest("greet", 1, scheduled_for=due).due == wire


@pytest.mark.parametrize(
    ("expires_in", "wire"),
    [
        (None, b""),
        (90, b'{"expires_in":90000}'),
        (timedelta(minutes=1), b'{"expires_in":60000}'),
        (0.0001, b'{"expires_in":1}'),
    ],
)
def test_how_long_it_may_wait_travels_beside_the_spec_in_milliseconds(expires_in, wire):
    request = JobRequest("greet", 1, expires_in=expires_in)
    assert request.extra == wire
    assert b"expires" not in request.spec


@pytest.mark.parametrize(
    ("options", "wire"),
    [
        ({}, b'{"unique":"k"}'),
        ({"unique_until": "end", "on_duplicate": "return"}, b'{"unique":"k"}'),
        ({"unique_seconds": 1.5, "unique_until": "start"}, b'{"unique":"k","unique_ms":1500,"unique_until":"start"}'),
        ({"on_duplicate": "replace", "expires_in": 1}, b'{"unique":"k","on_duplicate":"replace","expires_in":1000}'),
    ],
)  # fmt: skip
def test_its_key_travels_beside_the_spec(options, wire):
    request = JobRequest("greet", 1, unique_key="k", **options)
    assert request.extra == wire
    assert b"unique" not in request.spec


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": ""}, "name ''"),
        ({"payload": {1}}, "the payload cannot"),
        ({"payload": float("nan")}, "the payload cannot"),
        ({"priority": "urgent"}, "priority 'urgent': want high, normal or low"),
        ({"priority": None}, "priority None"),
        ({"priority": []}, r"priority \[\]"),
        ({"priority": 1}, "priority 1"),
        ({"description": None}, "description None"),
        ({"description": 0}, "description 0"),
        (
            {"description": "\ud800"},
            "the description cannot be written as JSON: .* surrogates not allowed",
        ),
        ({"queue": "a b"}, "queue 'a b'"),
        ({"queue": None}, "queue None"),
        ({"max_retries": -1}, "max_retries -1"),
        ({"timeout_seconds": "5"}, "timeout_seconds '5'"),
        ({"job_id": "5"}, "job id '5'"),
        ({"expires_in": 0}, "expires_in 0"),
        ({"unique_key": ""}, "unique_key ''"),
        ({"unique_key": 5}, "unique_key 5"),
        ({"unique_key": "a\nb"}, "unique_key"),
        ({"unique_key": "k", "unique_seconds": 0}, "unique_seconds 0"),
        ({"unique_key": "k", "unique_until": "now"}, "unique_until 'now': want end or start"),
        ({"unique_key": "k", "unique_until": []}, "unique_until"),
        (
            {"unique_key": "k", "on_duplicate": "ignore"},
            "on_duplicate 'ignore': want return or raise or replace",
        ),
        ({"unique_seconds": 5}, "need a unique_key"),
        ({"unique_until": "start"}, "need a unique_key"),
        ({"on_duplicate": "raise"}, "need a unique_key"),
        ({"headers": [("a", "b")]}, "headers of type list: want a dict of text by name"),
        ({"headers": {"a": 1}}, "headers of type dict: want a dict of text by name"),
        ({"headers": {1: "a"}}, "headers, name 1"),
        ({"headers": {"": "a"}}, "headers, name ''"),
        ({"headers": {"a": "\ud800"}}, "the headers cannot be written as JSON"),
        ({"headers": {"a": "x" * limits.MAX_HEADERS_BYTES}}, "the headers have 16,392 bytes, at most 16,384"),
        ({"scheduled_for": 5}, "scheduled_for 5"),
        ({"scheduled_for": datetime(2030, 1, 1)}, "no time zone"),  # noqa: DTZ001
    ],
)
def test_what_can_never_be_right_is_refused(wrong, reason):
    with pytest.raises(InvalidJob, match=reason):
        JobRequest(**{"name": "greet", "payload": 1} | wrong)


def test_a_request_shows_what_it_is_but_not_its_payload():
    assert repr(JobRequest("greet", "secret", job_id=ID)) == f"<JobRequest {ID} default:normal>"


def test_headers_that_are_refused_are_not_shown():
    with pytest.raises(InvalidJob) as refused:
        JobRequest("greet", 1, headers={"authorization": 5, "x": "hunter2"})
    assert "hunter2" not in str(refused.value)
