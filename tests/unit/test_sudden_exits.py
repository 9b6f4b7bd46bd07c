"""Modules that end their process while they are imported."""

import os
from pathlib import Path

import pytest

from bananasd.handlers import load_directory
from bananasd.sudden_exits import sudden_exits_told

BROKEN = 78
HANDLER = """
from bananasd import handler
@handler("h")
def run(job): ...
"""


class Ended(BaseException):
    """In the place of the end of this process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which status this process would have ended."""
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    return statuses


@pytest.fixture
def told() -> list[str]:
    return []


def load(directory: Path, told: list[str], **modules: str) -> None:
    for name, text in modules.items():
        (directory / f"{name}.py").write_text(text + HANDLER)
    with sudden_exits_told(told.append, BROKEN):
        load_directory(directory)


def test_the_innermost_line_of_a_module_is_told_before_the_end(
    tmp_path: Path, ends: list[int], told: list[str]
) -> None:
    (tmp_path / "_other.py").write_text("import os\n\ndef leave():\n    os._exit(3)\n")
    with pytest.raises(Exception, match="Ended"):
        load(tmp_path, told, a="from bananasd_handlers import _other\n_other.leave()\n")
    assert (ends, told) == ([BROKEN], [f"{tmp_path}/_other.py:4: os._exit(3) while it is imported"])


def test_it_is_as_before_when_the_handlers_are_loaded(tmp_path: Path, told: list[str]) -> None:
    before = os._exit
    load(tmp_path, told, a="")
    assert os._exit is before
    with pytest.raises(Exception, match="RuntimeError"):
        load(tmp_path, told, a="raise RuntimeError\n")
    assert os._exit is before


def test_a_module_that_keeps_the_name_is_not_blamed_later(
    tmp_path: Path, ends: list[int], told: list[str]
) -> None:
    kept: list[object] = []
    with sudden_exits_told(told.append, BROKEN):
        kept.append(os._exit)
    with pytest.raises(Ended):
        exec("kept[0](4)", {"kept": kept, "__name__": "bananasd_handlers.a"})
    assert (ends, told) == ([4], [])


def test_a_process_that_a_module_forks_ends_as_it_likes(tmp_path: Path, told: list[str]) -> None:
    fork = """
import os
pid = os.fork()
if not pid:
    os._exit(5)
status = os.waitpid(pid, 0)[1]
assert os.waitstatus_to_exitcode(status) == 5
"""
    note = tmp_path / "told"
    with sudden_exits_told(note.write_text, BROKEN):
        (tmp_path / "a.py").write_text(fork + HANDLER)
        load_directory(tmp_path)
    assert not note.exists()


def test_an_end_in_which_no_module_has_a_part_is_not_told(ends: list[int], told: list[str]) -> None:
    with sudden_exits_told(told.append, BROKEN), pytest.raises(Ended):
        os._exit(6)
    assert (ends, told) == ([6], [])
