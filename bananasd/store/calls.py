"""Calls of scripts, and what comes back from the server."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

from ..errors import ConnectionFailed, ServerRefused
from .connection import Transport
from .scripts import Script

UNREADABLE = (ConnectionFailed, ValueError)
"""What a question may end with; the latter where somebody has written words for a number."""


class Call(NamedTuple):
    """One call of a script."""

    script: Script
    keys: Sequence[str]
    args: Sequence[Any]


def run_calls(transport: Transport, calls: Sequence[Call]) -> list[Any]:
    """Send them by digest, in one trip, and those in full that the server does not know."""
    if not calls:
        return []
    replies = transport.trip([call.script.by_digest(call.keys, call.args) for call in calls])
    for i, reply in enumerate(replies):
        if isinstance(reply, NoScriptError):
            replies[i] = transport.trip([calls[i].script.in_full(calls[i].keys, calls[i].args)])[0]
    return checked(replies)


def checked(replies: list[Any]) -> list[Any]:
    """The replies, or `ServerRefused` if one of them is an error."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise ServerRefused(f"the server refused: {_refusal(reply)}")
    return replies


def has_answered(error: Exception) -> bool:
    """Whether the server was there, when a question ended with one of these."""
    return isinstance(error, ServerRefused) or not isinstance(error, ConnectionFailed)


def readable(replies: list[Any]) -> list[Any]:
    """The same, but None for a key of a type that it must not have: one that somebody has made hides no others."""
    return checked([None if _is_of_wrong_type(reply) else reply for reply in replies])


def _refusal(reply: ResponseError) -> str:
    if _is_of_wrong_type(reply):
        # The server names the script, and not the key.
        return (
            "WRONGTYPE: a key of this namespace has a type that it must not have; "
            "'bananasd doctor' names it, and with --repair mends that"
        )
    return f"{reply.status_code} {reply}" if reply.status_code else str(reply)


def _is_of_wrong_type(reply: Any) -> bool:
    return isinstance(reply, ResponseError) and "WRONGTYPE" in f"{reply.status_code} {reply}"


def text(word: bytes) -> str:
    """What the server holds, as text. Others may have written what is not UTF-8: it survives the way back, too."""
    return word.decode("utf-8", "surrogateescape")


def as_bytes(word: str) -> bytes:
    """The way back."""
    return word.encode("utf-8", "surrogateescape")


MAX_MS = 10**15 - 1
"""The last instant that anybody takes for one, of 15 digits: 31,000 years away."""


def instant_in(score: bytes) -> int:
    """A score as milliseconds. Anybody may have written it: one beyond all calendars, and infinity, is the furthest that is taken."""
    return int(min(max(float(score), -MAX_MS), MAX_MS))


def as_mapping(reply: list[bytes]) -> dict[bytes, bytes]:
    """A hash, which RESP2 sends as a flat list."""
    return dict(zip(reply[::2], reply[1::2], strict=True))
