"""Figures for people: one table."""

from collections.abc import Sequence

from .figure import Figure

HEAD = ("figure", "", "", "yardstick", "", "share")
HEAD_AGAINST = ("against", "this/that", "least to most")


def table(figures: Sequence[Figure]) -> str:
    """Columns in line; those of the other tree only if there is one."""
    is_compared = any(figure.against_value is not None for figure in figures)
    rows = [(*HEAD, *HEAD_AGAINST)] + [_row(figure) for figure in figures]
    if not is_compared:
        rows = [row[: len(HEAD)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def number(value: float | None) -> str:
    """Three digits that matter, thousands apart."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name, number(figure.value), figure.unit, figure.yardstick, number(figure.yardstick_value),
        _share(figure.ratio), number(figure.against_value), _share(figure.against_ratio), _range(figure.against_range),
    )  # fmt: skip


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _range(ratios: tuple[float, float] | None) -> str:
    return "" if ratios is None else f"{ratios[0]:.2f} to {ratios[1]:.2f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    words = {0, 2, 3}
    cells = [
        cell.ljust(width) if n in words else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
