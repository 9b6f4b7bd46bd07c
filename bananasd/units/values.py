"""What the values of a unit's settings mean: spans of time, sizes, words in quotes."""

import re
import shlex
from math import inf

_PART = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµμ]*)\s*")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = {
    1e-6: "us usec µs μs",
    1e-3: "ms msec",
    1: "s sec second seconds",
    _MINUTE: "m min minute minutes",
    _HOUR: "h hr hour hours",
    _DAY: "d day days",
    7 * _DAY: "w week weeks",
    30.4375 * _DAY: "M month months",
    365.25 * _DAY: "y year years",
}
_SECONDS = {"": 1.0} | {word: seconds for seconds, words in _UNITS.items() for word in words.split()}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTPE]?)B?")

_YES = ("yes", "true", "1", "on", "y", "t")
_NO = ("no", "false", "0", "off", "n", "f")
_SIGNALS = {"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM"}


def is_yes(value: str) -> bool:
    """Whether it is one of systemd's words for that, in small letters or capitals; a setting may have other values beside."""
    return value.lower() in _YES


def is_no(value: str) -> bool:
    """The same for the words against it."""
    return value.lower() in _NO


def seconds_in(span: str) -> float | None:
    """Seconds from systemd's words, ``40``, ``1min 30s``, ``500ms``, ``infinity``; None for what it does not take for a span."""
    rest = span.strip()
    if rest == "infinity":
        return inf
    if not rest:
        return None
    total = 0.0
    while rest:
        part = _PART.match(rest)
        if part is None or part[2] not in _SECONDS:
            return None
        total += float(part[1]) * _SECONDS[part[2]]
        rest = rest[part.end() :]
    return total


def timeout_in(span: str) -> float | None:
    """The same for the time that a start or a stop may take, where 0 stands for no limit."""
    seconds = seconds_in(span)
    return inf if seconds == 0 else seconds


def limit_in(value: str) -> float:
    """A number of tasks, files or bytes; infinity where there is no limit, or one that another machine would tell (``15%``)."""
    size = _SIZE.fullmatch(value)
    return float(size[1]) * 1024.0 ** " KMGTPE".index(size[2] or " ") if size else inf


def signal_in(value: str) -> str:
    """The name of a signal from that, with or without its SIG; from its number, as systemd shows it, if it is one that ends programs."""
    name = _SIGNALS.get(value, value)
    return name if name.startswith("SIG") or name.isdecimal() else f"SIG{name}"


def words_in(value: str) -> list[str]:
    """A command or a list, with the quotes taken off; none where one is left open."""
    try:
        # Systemd's other way to write a space is none of a shell's.
        return shlex.split(re.sub(r"\\(?:x20|s)", r"\\ ", value))
    except ValueError:
        return []
