"""How commands print: JSON for programs, aligned text for people."""

import json
import shutil
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import click

from ..escapes import escape
from ..job import Job
from ..masking import mask_error

MIN_COLUMNS = 80

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs to read.")


def echo_json(value: Any) -> None:
    """Print a value as JSON, in plain ASCII so that any terminal and any reader can take it."""
    click.echo(json.dumps(value, indent=2))


def compact_json(value: Any) -> str:
    """A value as JSON in one line, for people."""
    return json.dumps(value, ensure_ascii=False)


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns."""
    for line in table(header, rows):
        click.echo(line)


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], to_right: frozenset[str] = frozenset()
) -> list[str]:
    """Rows in columns under their header, as lines: numbers and what is named to the right, else to the left."""
    cells = [tuple(header), *(tuple(map(_cell, row)) for row in rows)]
    columns_ = list(zip(*cells, strict=True))
    widths = [max(map(width, column)) for column in columns_]
    is_right = [column[0] in to_right or all(map(_is_number, column[1:])) for column in columns_]
    return ["  ".join(map(_pad, row, widths, is_right)).rstrip() for row in cells]


def told_of(job: Job) -> dict[str, Any]:
    """Everything that is known of a job; of its error all but the secrets of URLs, which the log does not show, either."""
    return job.to_dict() | {"error": job.error and mask_error(job.error)}


def echo_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values; what is None is left out, further lines of a value stand below its first."""
    shown = [(name, str(value)) for name, value in fields if value is not None]
    room = max(len(name) for name, _ in shown)
    for name, value in shown:
        indented = printable(value.rstrip()).replace("\n", "\n" + " " * (room + 2))
        click.echo(f"{name:<{room}}  {indented}")


def columns() -> int:
    """How wide the output may be: the terminal's width, at least 80."""
    return max(MIN_COLUMNS, shutil.get_terminal_size((MIN_COLUMNS, 24)).columns)


def shorten(text: str, room: int) -> str:
    """The text in one line that takes at most so many columns."""
    line = printable(" ".join(text.split()))
    if width(line) <= room:
        return line
    taken = list(accumulate(map(_width_of, line)))
    return line[: bisect_right(taken, room - 1)] + "…"


def width(text: str) -> int:
    """How many columns of a terminal the text takes: East Asian characters and most pictures take two."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def compact(number: int) -> str:
    """A count in at most six characters: ``99,999``, ``123k``, ``4.57M``, ``1.23G``."""
    if number < 100_000:
        return f"{number:,}"
    return _scale(number, 1000, "kMGT")


def size(number: int) -> str:
    """Bytes in at most five characters: ``812K``, ``23.4M``, ``1.21G``."""
    return _scale(number, 1024, "KMGT")


def printable(text: str) -> str:
    """The text escaped, tabs too: what a job holds must not be able to drive a terminal, or look like something else."""
    return escape(text).replace("\t", "\\t")


def one_line(text: str) -> str:
    """The same with the ends of lines escaped, too: a name must not be able to make up lines of its own."""
    return printable(text).replace("\n", "\\n")


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``3 jobs``; ``plural`` is for nouns that have another one."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def tries(job: Job) -> str:
    """How often a job was tried: ``1 attempt``, ``0 attempts and 3 lost runs``."""
    lost = f" and {count(job.recoveries, 'lost run')}" if job.recoveries else ""
    return f"{count(job.attempts, 'attempt')}{lost}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else one_line(str(value))


def _pad(cell: str, room: int, is_right: bool) -> str:
    space = " " * (room - width(cell))
    return space + cell if is_right else cell + space


def _width_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _scale(number: int, step: int, units: str) -> str:
    """In three digits and a unit."""
    steps = 1
    while number >= 999.5 * step**steps and steps < len(units):
        steps += 1
    scaled = number / step**steps
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f}{units[steps - 1]}"


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").isdigit()
