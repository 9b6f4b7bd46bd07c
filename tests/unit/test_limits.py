"""What a job may be: each check lets the right values through and says what is wrong with the others."""

import math
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from bananasd import BananasError, InvalidJob, clock, limits

CENTURY = 100 * 365 * 86400


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


def kind(value: Any) -> str:
    """A name for a value that may have none."""
    return type(value).__name__


NEVER_RIGHT = [None, 5, b"bytes", [], {}, object(), Unprintable(), 10**5000, [10**5000]]


@pytest.mark.parametrize(
    "name", ["a", "x" * 200, "send mail", "größe", "名前", "a/b.c:d-e_f", "💌", " "], ids=kind
)
def test_a_name_is_any_text_without_control_characters(name):
    assert limits.check_name(name) == name


@pytest.mark.parametrize(
    "name", [*NEVER_RIGHT, "", "x" * 201, "a\nb", "a\0", "\x1b[31m", "\x7f", "\x85", "\ud800"], ids=kind
)
def test_no_other_name_is_taken(name):
    with pytest.raises(InvalidJob, match="^name .*: want 1 to 200 characters, without control characters$"):
        limits.check_name(name)


@pytest.mark.parametrize("queue", ["default", "a", "GPU-1_b", "x" * 64], ids=kind)
def test_a_queue_has_a_simple_name(queue):
    assert limits.check_queue(queue) == queue


@pytest.mark.parametrize(
    "queue", [*NEVER_RIGHT, "", "x" * 65, "a b", "a:b", "a\n", "größe", "{a}", "a*", "٣"], ids=kind
)
def test_no_other_queue_is_taken(queue):
    with pytest.raises(InvalidJob, match="^queue .*: want 1 to 64 letters, digits, '_' or '-'$"):
        limits.check_queue(queue)


def test_what_follows_the_rule_of_queues_is_called_by_its_own_name():
    with pytest.raises(InvalidJob, match="^namespace 'a b': want"):
        limits.check_queue("a b", "namespace")


ID = "0b52f5b2-2f5c-4f4c-9d43-3a0f3f4f9a55"


@pytest.mark.parametrize("job_id", [ID, ID.upper(), ID.replace("-", ""), uuid.UUID(ID)], ids=kind)
def test_an_id_is_a_uuid_and_gets_its_canonical_form(job_id):
    assert limits.check_id(job_id) == ID


@pytest.mark.parametrize(
    "job_id",
    [
        *NEVER_RIGHT, "", "nonsense", ID[:-1], ID + "0", f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", f"{ID}\n", "0" * 31 + "g",
        "1_" * 16, "+" + "1" * 31, "٣" * 32, ID.replace("-", "", 1),
    ],
    ids=kind,
)  # fmt: skip
def test_no_other_id_is_taken(job_id):
    with pytest.raises(InvalidJob, match="^job id .*: want a UUID such as [0-9a-f]{8}-"):
        limits.check_id(job_id)


def test_a_description_is_text_of_bounded_length():
    assert limits.check_description("ä" * 10_000) == "ä" * 10_000
    assert limits.check_description("") == ""
    with pytest.raises(InvalidJob, match="the description has 10,001 characters, at most 10,000 are taken"):
        limits.check_description("x" * 10_001)


@pytest.mark.parametrize("description", NEVER_RIGHT, ids=kind)
def test_no_other_description_is_taken(description):
    with pytest.raises(InvalidJob, match="^description .*: want text$"):
        limits.check_description(description)


@pytest.mark.parametrize("value", [0, 1, 1_000_000], ids=kind)
def test_max_retries_is_a_whole_number(value):
    assert limits.check_max_retries(value) == value


@pytest.mark.parametrize(
    "value", [None, "5", 5.0, True, -1, 1_000_001, 10**5000, math.nan, [], Unprintable()], ids=kind
)
def test_no_other_max_retries_is_taken(value):
    with pytest.raises(InvalidJob, match="^max_retries .*: want a whole number from 0 to 1,000,000$"):
        limits.check_max_retries(value)


@pytest.mark.parametrize("value", [0, 0.001, 60, 1.5, CENTURY], ids=kind)
def test_a_timeout_is_a_number_of_seconds(value):
    timeout = limits.check_timeout(value)
    assert (timeout, type(timeout)) == (value, float)


WRONG_SECONDS = [
    None,
    "5",
    True,
    -1,
    -0.001,
    math.nan,
    math.inf,
    10**400,
    10**5000,
    CENTURY + 1,
    timedelta(1),
    1j,
]


@pytest.mark.parametrize("value", WRONG_SECONDS, ids=kind)
def test_no_other_timeout_is_taken(value):
    with pytest.raises(InvalidJob, match="^timeout_seconds .*: want seconds, .* 0: no limit$"):
        limits.check_timeout(value)


@pytest.mark.parametrize("value", [*WRONG_SECONDS, 0], ids=kind)
def test_a_time_limit_is_more_than_no_time(value):
    assert limits.check_time_limit(0.5, "patience") == 0.5
    with pytest.raises(
        InvalidJob, match="^patience .*: want seconds, more than 0 and at most a century of them$"
    ):
        limits.check_time_limit(value, "patience")


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(5, 5), (0.5, 0.5), (-3, 0), (math.inf, math.inf), (timedelta(minutes=1), 60)]
)
def test_a_wait_is_seconds_or_a_timedelta_or_without_end(timeout, seconds):
    assert limits.check_wait(timeout) == seconds


@pytest.mark.parametrize("timeout", [None, "5", True, math.nan, 10**400, CENTURY + 1, timedelta.max])
def test_no_other_wait_is_taken(timeout):
    with pytest.raises(InvalidJob, match="^timeout .*: want seconds or a timedelta"):
        limits.check_wait(timeout)


@pytest.mark.parametrize(
    ("value", "ms"),
    [(5, 5000), (0.5, 500), (1e-9, 1), (timedelta(minutes=1), 60_000), (CENTURY, 1000 * CENTURY)],
)
def test_a_time_for_something_is_seconds_or_a_timedelta(value, ms):
    assert limits.check_duration(value, "expires_in") == ms


@pytest.mark.parametrize(
    "value", [0, -1, "5", True, math.nan, math.inf, 10**400, CENTURY + 1, timedelta(0), timedelta.max]
)
def test_no_other_time_for_something_is_taken(value):
    with pytest.raises(InvalidJob, match="^expires_in .*: want seconds or a timedelta"):
        limits.check_duration(value, "expires_in")


@pytest.mark.parametrize("password", [5, b"secret", True, ["secret"], "secret\udcff"])
def test_a_password_that_cannot_be_sent_is_refused_and_not_shown(password):
    with pytest.raises(InvalidJob, match="^the password") as caught:
        limits.check_password(password)
    assert "secret" not in str(caught.value)
    assert limits.check_password("pässword") == "pässword"
    assert limits.check_password(None) is None


def test_a_page_is_a_part_of_a_list():
    limits.check_page(0, 1, 1000)
    limits.check_page(5_000, 1000, 1000)


@pytest.mark.parametrize(
    ("offset", "limit"),
    [
        (-1, 1),
        (10**30, 1),
        (10**400, 1),
        (0, 0),
        (0, 1001),
        ("0", 1),
        (0, "1"),
        (0, None),
        (0.0, 1),
        (True, 1),
    ],
)
def test_no_other_page_is_taken(offset, limit):
    with pytest.raises(InvalidJob, match="want 0 to 1,000,000,000,000, and 1 to 1,000$"):
        limits.check_page(offset, limit, 1000)


@pytest.mark.parametrize(
    "due",
    [
        timedelta(0), timedelta(days=-3), timedelta.min, timedelta(seconds=CENTURY),
        datetime(1969, 1, 1, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=timezone(timedelta(hours=-11))),
        datetime.min.replace(tzinfo=UTC),
    ],
)  # fmt: skip
def test_a_schedule_is_an_aware_datetime_or_a_timedelta(due):
    assert limits.check_schedule(due) is due


@pytest.mark.parametrize(
    "due", [None, 5, "2030-01-01", date(2030, 1, 1), 1795510633823, Unprintable()], ids=kind
)
def test_no_other_schedule_is_taken(due):
    with pytest.raises(InvalidJob, match="^scheduled_for .*: want an aware datetime or a timedelta$"):
        limits.check_schedule(due)


def test_a_naive_datetime_is_refused_with_what_to_say_instead():
    with pytest.raises(InvalidJob, match=r"2030-01-01T09:00:00 has no time zone; say datetime.now\(UTC\)"):
        limits.check_schedule(datetime(2030, 1, 1, 9))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "due",
    [
        timedelta.max,
        timedelta(seconds=CENTURY + 1),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        clock.to_datetime(clock.now_ms()) + timedelta(days=36_501),
    ],
)
def test_a_schedule_over_a_century_ahead_is_a_mistake(due):
    with pytest.raises(InvalidJob, match="more than a century ahead"):
        limits.check_schedule(due)


def test_progress_is_two_numbers_and_a_note():
    assert limits.check_progress(1, 5.5, "half") == {"done": 1, "total": 5.5, "note": "half"}
    assert limits.check_progress(0, None, "") == {"done": 0, "total": None, "note": ""}


def test_a_long_note_is_cut():
    assert limits.check_progress(1, 2, "x" * 5000)["note"] == "x" * 1000


@pytest.mark.parametrize(
    "progress", [("1", 2, ""), (True, 2, ""), (None, 2, ""), (1, "2", ""), (1, 2, None), (1, 2, 3)]
)
def test_no_other_progress_is_taken(progress):
    with pytest.raises(InvalidJob, match="^progress "):
        limits.check_progress(*progress)


def test_a_payload_may_have_a_mebibyte():
    assert len(limits.encode_payload("x" * (1024 * 1024 - 2))) == 1024 * 1024
    with pytest.raises(
        InvalidJob, match="the payload has 1,048,577 bytes, at most 1,048,576 are taken; store the data else"
    ):
        limits.encode_payload("x" * (1024 * 1024 - 1))


def test_a_payload_that_is_no_json_is_an_invalid_job():
    with pytest.raises(InvalidJob, match=r"the payload cannot be written as JSON: .* set at \['a'\]"):
        limits.encode_payload({"a": {1}})


def test_a_long_value_is_shown_in_part():
    with pytest.raises(InvalidJob) as caught:
        limits.check_queue("secret" * 1000)
    assert len(str(caught.value)) < 200


def test_an_invalid_job_is_a_value_error_and_one_of_ours():
    assert issubclass(InvalidJob, ValueError)
    assert issubclass(InvalidJob, BananasError)
