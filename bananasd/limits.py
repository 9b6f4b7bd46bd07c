"""What a job may be: each check returns the value as it is used from there on, or raises `InvalidJob`."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from math import ceil, inf
from reprlib import Repr
from typing import Any

from . import clock
from .encoding import encode
from .errors import InvalidJob
from .retry import Delays, Pauses, Retry

MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_NOTE_CHARACTERS = 1_000
MAX_HEADERS_BYTES = 16 * 1024
"""As JSON, all of a job together: twice what W3C's ``baggage`` may have."""
MAX_RETRIES = 1_000_000
MAX_DELAYS = 1_000
MAX_FACTOR = 1_000
ON_LOST = ("retry", "dead")
UNIQUE_UNTIL = ("end", "start")
ON_DUPLICATE = ("return", "raise", "replace")
MAX_OFFSET = 1_000_000_000_000
MAX_SECONDS = 100 * 365 * 86400
"""A century: beyond it a number of seconds is a mistake, and a date may not be one any more."""

# A lone surrogate is no text: it cannot be written as UTF-8.
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,64}")
# uuid.UUID takes more than its forms: underscores between the digits, signs, digits of other scripts.
_ID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_CANONICAL_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_PAUSES = frozenset(field.name for field in fields(Retry))

_brief = Repr()
_brief.maxstring = _brief.maxlong = _brief.maxother = 80


def check_name(name: Any, what: str = "name") -> str:
    """A handler's name, or ``what`` else is named so: 1 to 200 characters, none of them a control character."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidJob(f"{what} {shown(name)}: want 1 to 200 characters, without control characters")
    return name


def check_queue(queue: Any, what: str = "queue") -> str:
    """The name of a queue, or of ``what`` else follows the same rule."""
    if not isinstance(queue, str) or not _QUEUE.fullmatch(queue):
        raise InvalidJob(f"{what} {shown(queue)}: want 1 to 64 letters, digits, '_' or '-'")
    return queue


def check_id(job_id: Any) -> str:
    """A job's id, a UUID, in its canonical form: lower case, with dashes."""
    text = str(job_id) if isinstance(job_id, uuid.UUID) else job_id
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise InvalidJob(f"job id {shown(job_id)}: want a UUID such as {uuid.uuid4()}")
    return str(uuid.UUID(text))


def is_any_id(text: str) -> bool:
    """Whether this is a UUID, in whatever form."""
    return _ID.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether a record can have this id: others may have written anything."""
    return _CANONICAL_ID.fullmatch(text) is not None


def check_description(description: Any) -> str:
    """A few words for people."""
    if not isinstance(description, str):
        raise InvalidJob(f"description {shown(description)}: want text")
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise InvalidJob(
            f"the description has {len(description):,} characters, at most {MAX_DESCRIPTION_CHARACTERS:,} are taken"
        )
    return description


def check_max_retries(value: Any) -> int:
    """A number of tries after the first."""
    if not _is_whole(value) or not 0 <= value <= MAX_RETRIES:
        raise InvalidJob(f"max_retries {shown(value)}: want a whole number from 0 to {MAX_RETRIES:,}")
    return int(value)


def check_retry(value: Any) -> Pauses:
    """Pauses between tries: a `Retry`, a list of seconds, or what either is in a spec."""
    if isinstance(value, Delays):
        return value
    if isinstance(value, (list, tuple)):
        if not 1 <= len(value) <= MAX_DELAYS:
            raise InvalidJob(
                f"retry {shown(value)}: want 1 to {MAX_DELAYS:,} delays; max_retries=0: no retries"
            )
        return Delays(tuple(_check_pause(seconds, "retry, delay") for seconds in value))
    if isinstance(value, Retry):
        return _check_growing(value)
    if not isinstance(value, dict) or not value.keys() <= _PAUSES:
        raise InvalidJob(f"retry {shown(value)}: want Retry(…) or a list of delays in seconds")
    return _check_growing(Retry(**value))


def check_choice(value: Any, what: str, choices: Sequence[str]) -> str:
    """One of some words."""
    if value not in choices:
        raise InvalidJob(f"{what} {shown(value)}: want {' or '.join(choices)}")
    return str(value)


def check_cancel(running: Any) -> str:
    """How to end a job that runs; "": not at all."""
    if running is not None and running not in ("soft", "hard"):
        raise InvalidJob(
            f"running {shown(running)}: want 'soft' or 'hard', or None to leave a running job alone"
        )
    return running or ""


def check_headers(headers: Any) -> dict[str, str]:
    """Text by name, for those who carry something from a submit to its run: a trace, a tenant."""
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        # Not the headers themselves: some carry tokens.
        raise InvalidJob(f"headers of type {type(headers).__name__}: want a dict of text by name")
    for name in headers:
        check_name(name, "headers, name")
    size = len(encode_valid(headers, "headers"))
    if size > MAX_HEADERS_BYTES:
        raise InvalidJob(
            f"the headers have {size:,} bytes, at most {MAX_HEADERS_BYTES:,} are taken; what is longer belongs in the payload"
        )
    return headers


def check_on_lost(value: Any) -> str:
    """What becomes of a job whose run was lost with its worker."""
    if value not in ON_LOST:
        raise InvalidJob(f'on_lost {shown(value)}: want "retry", or "dead" for what must not run twice')
    return str(value)


def check_timeout(value: Any) -> float:
    """A limit of run time in seconds, 0 for none."""
    if not _is_number(value) or not 0 <= value <= MAX_SECONDS:
        raise InvalidJob(
            f"timeout_seconds {shown(value)}: want seconds, at most a century of them; 0: no limit"
        )
    return float(value)


def check_time_limit(value: Any, what: str) -> float:
    """A time in seconds that something may take: more than none, at most a century."""
    if not _is_number(value) or not 0 < value <= MAX_SECONDS:
        raise InvalidJob(f"{what} {shown(value)}: want seconds, more than 0 and at most a century of them")
    return float(value)


def check_wait(timeout: Any) -> float:
    """How long to wait, as seconds: at most a century, or infinity. What is over already means one look."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not _is_number(seconds) or not (seconds <= MAX_SECONDS or seconds == inf):
        raise InvalidJob(
            f"timeout {shown(timeout)}: want seconds or a timedelta, at most a century, or math.inf"
        )
    return max(0.0, seconds)


def check_duration(value: Any, what: str) -> int:
    """A time for something, as whole milliseconds: more than none, at most a century."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_number(seconds) or not 0 < seconds <= MAX_SECONDS:
        raise InvalidJob(
            f"{what} {shown(value)}: want seconds or a timedelta, more than 0 and at most a century"
        )
    return ceil(1000 * seconds)


def check_password(password: Any) -> str | None:
    """A password, which is text that can be sent; it is not shown."""
    if password is not None and not isinstance(password, str):
        raise InvalidJob(f"the password is no text but of type {type(password).__name__}")
    if password and _LONE_SURROGATE.search(password):
        raise InvalidJob("the password is no text that can be written as UTF-8")
    return password


def check_page(offset: Any, limit: Any, most: int) -> None:
    """Which part of a list: ``limit`` entries after the first ``offset``."""
    if not (_is_whole(offset) and _is_whole(limit) and 0 <= offset <= MAX_OFFSET and 1 <= limit <= most):
        raise InvalidJob(
            f"offset {shown(offset)}, limit {shown(limit)}: want 0 to {MAX_OFFSET:,}, and 1 to {most:,}"
        )


def check_schedule(scheduled_for: Any, what: str = "scheduled_for") -> datetime | timedelta:
    """When a job is due: an aware datetime, or a timedelta from its submission; at most a century ahead."""
    due: datetime | timedelta = scheduled_for
    if isinstance(due, datetime):
        ahead = _time_until(due, what)
    elif isinstance(due, timedelta):
        ahead = due
    else:
        raise InvalidJob(f"{what} {shown(scheduled_for)}: want an aware datetime or a timedelta")
    if ahead > timedelta(seconds=MAX_SECONDS):
        raise InvalidJob(f"{what} {due}: more than a century ahead")
    return due


def check_progress(done: Any, total: Any, note: Any) -> dict[str, Any]:
    """How far a job is; a long note is cut, for it is no reason to fail a job that runs."""
    if not _is_number(done) or not (total is None or _is_number(total)) or not isinstance(note, str):
        raise InvalidJob(
            f"progress {shown((done, total, note))}: want two numbers, or one and None, and text"
        )
    return {"done": done, "total": total, "note": note[:MAX_NOTE_CHARACTERS]}


def encode_payload(payload: Any) -> bytes:
    """A payload as JSON."""
    encoded = encode_valid(payload, "payload")
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise InvalidJob(
            f"the payload has {len(encoded):,} bytes, at most {MAX_PAYLOAD_BYTES:,} are taken; "
            "store the data elsewhere and submit where it is"
        )
    return encoded


def encode_valid(value: Any, what: str) -> bytes:
    """Any part of a job as JSON."""
    try:
        return encode(value, what)
    except ValueError as error:
        raise InvalidJob(str(error)) from None


def shown(value: Any) -> str:
    """A wrong value in a message: shortened, and whatever it is."""
    try:
        return _brief.repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return f"of type {type(value).__name__}"


def _time_until(instant: datetime, what: str) -> timedelta:
    if instant.utcoffset() is None:
        raise InvalidJob(
            f"{what} {instant.isoformat()} has no time zone; "
            "say datetime.now(UTC) + …, or give a timedelta from now"
        )
    return timedelta(milliseconds=clock.to_ms(instant) - clock.now_ms())


def _check_growing(retry: Retry) -> Retry:
    """One of pauses that grow, as the configuration takes them."""
    base = _check_pause(retry.base_seconds, "retry, base_seconds")
    cap = _check_pause(retry.cap_seconds, "retry, cap_seconds")
    if cap < base:
        raise InvalidJob(
            f"retry, cap_seconds {cap:g}: must not be below base_seconds ({base:g}), the first delay"
        )
    if not _is_number(retry.factor) or not 1 <= retry.factor <= MAX_FACTOR:
        raise InvalidJob(f"retry, factor {shown(retry.factor)}: want a number from 1 to {MAX_FACTOR:,}")
    if not _is_number(retry.jitter) or not 0 <= retry.jitter <= 1:
        raise InvalidJob(f"retry, jitter {shown(retry.jitter)}: want a number from 0 to 1")
    return Retry(base, float(retry.factor), cap, float(retry.jitter))


def _check_pause(value: Any, what: str) -> float:
    if not _is_number(value) or not 0 <= value <= MAX_SECONDS:
        raise InvalidJob(f"{what} {shown(value)}: want seconds, at most a century of them")
    return float(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
