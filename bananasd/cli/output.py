"""How commands print: JSON for programs, aligned text for people."""

import json
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import click

MIN_COLUMNS = 80

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs to read.")


def echo_json(value: Any) -> None:
    """Print a value as JSON, in plain ASCII so that any terminal and any reader can take it."""
    click.echo(json.dumps(value, indent=2))


def compact_json(value: Any) -> str:
    """A value as JSON in one line, for people."""
    return json.dumps(value, ensure_ascii=False)


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns: numbers to the right, everything else to the left."""
    lines = [header, *([_cell(value) for value in row] for row in rows)]
    table = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in table]
    numeric = [all(map(_is_number, column[1:])) for column in table]
    for row in lines:
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, numeric, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def echo_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values; what is None is left out, further lines of a value stand below its first."""
    shown = [(name, str(value)) for name, value in fields if value is not None]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        indented = printable(value.rstrip()).replace("\n", "\n" + " " * (width + 2))
        click.echo(f"{name:<{width}}  {indented}")


def columns() -> int:
    """How wide the output may be: the terminal's width, at least 80."""
    return max(MIN_COLUMNS, shutil.get_terminal_size((MIN_COLUMNS, 24)).columns)


def shorten(text: str, width: int) -> str:
    """The text in one line of at most so many characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"


def printable(text: str) -> str:
    """The text with control characters escaped: what a job holds must not be able to drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def count(number: int, noun: str) -> str:
    """``1 job``, ``3 jobs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").isdigit()
