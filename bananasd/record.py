"""What stands in the record of a job. Other languages and versions write records too: nothing read is certain."""

from collections.abc import Mapping
from typing import Any

import orjson

from .encoding import encode
from .errors import InvalidJob
from .limits import check_max_retries, check_name, check_on_lost, check_retry, check_timeout, shown
from .retry import OPEN, Pauses, RetryPolicy

SPEC_VERSION = 1
"""What is written. Whatever reads a spec reads all versions from 1 to this one."""
RULES = frozenset(("max_retries", "timeout_seconds", "retry", "on_lost"))
"""What a job may say of its runs instead of its handler."""


def read_spec(text: bytes | None, *, strict: bool = True) -> dict[str, Any]:
    """The immutable part of a record.

    Strict, as a worker reads it: ``ValueError`` tells why it cannot be run. Else what can be shown of it, and be it
    nothing.
    """
    try:
        spec = orjson.loads(text or b"")
    except orjson.JSONDecodeError as error:
        if strict:
            raise ValueError(f"its spec is not JSON ({error})") from None
        return {}
    if strict:
        check_spec(spec)
    return spec if isinstance(spec, dict) else {}


def check_spec(spec: Any) -> None:
    """What a record must say for a worker to run its job, whoever wrote it."""
    if not isinstance(spec, dict):
        raise InvalidJob("its spec is not a JSON object")
    version = spec.get("v")
    if type(version) is not int or not 1 <= version <= SPEC_VERSION:
        raise InvalidJob(_fault_of_version(version))
    if "payload" not in spec:
        raise InvalidJob("its spec has no payload")
    try:
        check_name(spec.get("name"))
        if not RULES.isdisjoint(spec):
            _check_rules(spec)
    except InvalidJob as error:
        raise InvalidJob(f"in its spec: {error}") from None


def _check_rules(spec: dict[str, Any]) -> None:
    if spec.get("max_retries") is not None:
        check_max_retries(spec["max_retries"])
    if spec.get("timeout_seconds") is not None:
        check_timeout(spec["timeout_seconds"])
    if spec.get("retry") is not None:
        check_retry(spec["retry"])
    if spec.get("on_lost") is not None:
        check_on_lost(spec["on_lost"])


def _fault_of_version(version: Any) -> str:
    if type(version) is not int or version < 1:
        return f"its spec has version {shown(version)}: want a number from 1 to {SPEC_VERSION}"
    return (
        f"its spec has version {shown(version)}, this bananasd reads up to {SPEC_VERSION}: "
        "upgrade the daemons, then retry the job"
    )


def pauses_of(members: Mapping[str, Any]) -> Pauses | None:
    """What a spec, or a handler's policy in ``handlers``, says of the pauses between tries."""
    try:
        return None if members.get("retry") is None else check_retry(members["retry"])
    except InvalidJob:
        return None


def policy_of(members: Mapping[str, Any]) -> RetryPolicy:
    """What it says of retries."""
    if "max_retries" not in members and "retry" not in members:
        return OPEN
    max_retries, pauses = members.get("max_retries"), pauses_of(members)
    if type(max_retries) is not int:
        max_retries = None
    return OPEN if max_retries is None and pauses is None else RetryPolicy(max_retries, pauses)


def encode_result(value: Any, limit_bytes: int) -> bytes:
    """A handler's result as JSON, empty for None; ValueError if it is none or longer than the limit."""
    if value is None:
        return b""
    encoded = encode(value, "result")
    if encoded == b"null":  # an Enum may have such a value
        return b""
    if len(encoded) > limit_bytes:
        raise ValueError(f"the result has {len(encoded):,} bytes, at most {limit_bytes:,} are kept")
    return encoded


def text_of(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    value = record.get(field)
    return None if value is None else value.decode("utf-8", "replace")


def number_of(record: Mapping[bytes, bytes], field: bytes) -> int | None:
    try:
        number = int(record[field])
    except (KeyError, ValueError):
        return None
    # Redis counts in 64 bits, and so does JSON as orjson writes it.
    return number if -(2**63) <= number < 2**63 else None


def json_in(text: bytes | None) -> Any:
    """The value; None for what is no JSON."""
    try:
        return orjson.loads(text or b"")
    except orjson.JSONDecodeError:
        return None
