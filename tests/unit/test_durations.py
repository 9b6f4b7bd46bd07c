"""Durations as people write them."""

import pytest

from bananasd.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), (" 1.5 m ", 90), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("1d 2h 3m 4s", 93784)],
)  # fmt: skip
def test_a_duration_is_a_number_with_a_unit_or_several(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "s", "-1s", "1w", "1h30", "30m1h", "1h1h", "1e3", "nan", "1 2", "٣s s"]
)
def test_what_is_no_duration(text: str) -> None:
    assert seconds_of(text) is None
