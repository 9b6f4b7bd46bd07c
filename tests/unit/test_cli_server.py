"""Where a command finds the daemon of a configuration that cannot be loaded."""

import os
from pathlib import Path

import pytest

from bananasd import directories
from bananasd.cli.server import find_run_dir

DEFAULT = directories.run_dir(os.environ)


@pytest.mark.parametrize(
    ("text", "run_dir"),
    [
        ('run_dir = "run"', "run"),
        ('namespace = [\n  run_dir = "run"  # here\nnonsense', "run"),
        ("run_dir='/srv/run'\n[workers]\ncuont = 1", Path("/srv/run")),
        ('namespace = "x', DEFAULT),
        ('run_dir = ""', DEFAULT),
        ("run_dir = 7", DEFAULT),
        ('#run_dir = "run"', DEFAULT),
        ('[workers]\nrun_dir = "run"', DEFAULT),
        ('run_dir = "run', DEFAULT),
        ("", DEFAULT),
    ],
)
def test_it_is_where_the_line_with_run_dir_says_or_the_default(tmp_path, text, run_dir):
    path = tmp_path / "bananas.toml"
    path.write_text(text)
    assert find_run_dir(path) == tmp_path / run_dir


def test_bytes_that_are_no_text_hide_nothing(tmp_path):
    path = tmp_path / "bananas.toml"
    path.write_bytes(b'\xff\xfe\nrun_dir = "run"\n')
    assert find_run_dir(path) == tmp_path / "run"


def test_without_a_file_it_is_the_default(tmp_path):
    assert find_run_dir(tmp_path / "missing.toml") == DEFAULT
