"""What commands print, and how they read and show times."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from bananasd import Job
from bananasd.cli.output import (
    compact,
    count,
    echo_fields,
    echo_table,
    one_line,
    printable,
    shorten,
    size,
    table,
    tries,
    width,
)
from bananasd.cli.times import duration, instant
from bananasd.durations import brief


def test_a_table_has_text_to_the_left_and_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("NAME", "COUNT", "AGE"), [("a", 1, "2s"), ("long name", 12345, None)])
    assert capsys.readouterr().out.splitlines() == [
        "NAME        COUNT  AGE",
        "a               1  2s",
        "long name  12,345  -",
    ]


def test_a_name_in_a_table_makes_up_no_line_of_its_own() -> None:
    assert one_line("a\nb\r\x1b[2J\u2028") == r"a\nb\r\x1b[2J\u2028"
    assert table(("NAME", "X"), [("a\nb", 1)]) == ["NAME  X", r"a\nb  1"]


def test_an_empty_table_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("A", "B"), [])
    assert capsys.readouterr().out == "A  B\n"


def test_fields_leave_out_what_is_not_known_and_indent_further_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    echo_fields([("id", "x"), ("nothing", None), ("error", "one\ntwo\n")])
    assert capsys.readouterr().out == "id     x\nerror  one\n       two\n"


def test_no_text_of_a_job_can_drive_the_terminal() -> None:
    assert printable("a\x1b[31mb\x9bc\n\td é") == "a\\x1b[31mb\\x9bc\n\\td é"


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\ud800", "\U000e0041"])
def test_what_turns_a_text_round_or_cannot_be_seen_is_shown(mark: str) -> None:
    assert printable(f"a{mark}b") == f"a{mark.encode('unicode_escape').decode()}b"


def test_letters_of_all_languages_are_shown_as_they_are() -> None:
    text = "Zoë, 10\xa0%, 香蕉\u3000🍌, 👩\u200d🍳"
    assert printable(text) == text


def test_shortened_text_is_one_line_that_fits() -> None:
    assert shorten("a  b\nc", 10) == "a b c"
    assert shorten("abcdefgh", 5) == "abcd…"


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本語", 6), ("e\u0301", 1), ("🍌", 2), ("añb", 3), ("", 0)]
)
def test_the_width_of_text_is_that_on_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("room", "text"), [(1, "…"), (2, "…"), (3, "日…"), (4, "日…"), (5, "日本…"), (6, "日本語")]
)
def test_wide_text_is_shortened_by_columns(room: int, text: str) -> None:
    assert shorten("日本語", room) == text


def test_a_table_keeps_its_columns_under_wide_text_and_has_to_the_right_what_is_named() -> None:
    lines = table(("NAME", "AGE"), [("日本語", "2s"), ("a", "10m00s")], frozenset({"AGE"}))
    assert lines == ["NAME       AGE", "日本語      2s", "a       10m00s"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (99_999, "99,999"), (100_000, "100k"), (999_499, "999k"), (999_500, "1.00M"), (12_345_678, "12.3M"),
     (1_234_567_890, "1.23G"), (10**15, "1000T")],
)  # fmt: skip
def test_large_counts_are_compact(number: int, text: str) -> None:
    assert compact(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0.00K"),
        (831_488, "812K"),
        (1023 * 1024, "1.00M"),
        (24_536_678, "23.4M"),
        (1_299_227_607, "1.21G"),
    ],
)
def test_sizes_are_compact(number: int, text: str) -> None:
    assert size(number) == text


def test_counts_agree_with_their_noun() -> None:
    assert [count(n, "job") for n in (0, 1, 1000)] == ["0 jobs", "1 job", "1,000 jobs"]
    assert [count(n, "crash", "crashes") for n in (1, 2)] == ["1 crash", "2 crashes"]


@pytest.mark.parametrize(
    ("attempts", "recoveries", "told"),
    [
        (1, 0, "1 attempt"),
        (6, 0, "6 attempts"),
        (0, 3, "0 attempts and 3 lost runs"),
        (2, 1, "2 attempts and 1 lost run"),
    ],
)
def test_runs_that_were_lost_count_among_the_tries(attempts: int, recoveries: int, told: str) -> None:
    record = {b"attempts": str(attempts).encode(), b"recoveries": str(recoveries).encode()}
    assert tries(Job.from_record("x", record)) == told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.97, "10s"), (59.4, "59s"), (59.9, "1m00s"), (187, "3m07s"), (18120, "5h02m"), (1047600, "12d03h"), (31557600, "365d")],
)  # fmt: skip
def test_durations_are_brief(seconds: float, text: str) -> None:
    assert brief(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), (" 1 d ", 86400), ("0", 0)]
)
def test_durations_as_people_type_them(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "5x", "1h30", "nan", "inf", "99999999999d", "1e9"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        duration(text)


def test_instants_carry_their_zone() -> None:
    assert instant("2030-01-31T09:00:00Z") == datetime(2030, 1, 31, 9, tzinfo=UTC)
    assert instant("2030-01-31 09:00+01:00").utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "why"), [("tomorrow", "not a date"), ("2030-01-31T09:00:00", "no time zone")]
)
def test_what_is_no_instant(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter, match=why):
        instant(text)
