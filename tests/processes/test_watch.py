"""The watch over files: told once, when they are at rest, whatever comes and goes meanwhile."""

import os

import pytest

from bananasd.processes import watch
from bananasd.processes.watch import Watch


@pytest.fixture
def looks(monkeypatch):
    """Looks that need no time between them."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0)


def test_a_change_is_told_once_and_when_it_is_at_rest(tmp_path, looks):
    file = tmp_path / "part" / "mail.py"
    file.parent.mkdir()
    file.write_text("1")
    watching, paths = Watch(), [tmp_path]
    assert [watching.has_changed(paths) for _ in range(3)] == [False] * 3
    file.write_text("22")
    assert [watching.has_changed(paths) for _ in range(4)] == [False, True, False, False]
    file.unlink()
    assert [watching.has_changed(paths) for _ in range(3)] == [False, True, False]


def test_what_is_no_module_and_what_was_not_watched_before_is_no_change(tmp_path, looks):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "mail.py").touch()
    watching = Watch()
    watching.has_changed([first])
    (first / "notes.txt").touch()
    assert not any(watching.has_changed([first]) for _ in range(3))
    assert not any(watching.has_changed([second]) for _ in range(3))


def test_nothing_to_watch_never_changes():
    assert not Watch().has_changed([])


def test_a_directory_that_goes_away_during_the_look_breaks_nothing(tmp_path, looks, monkeypatch):
    (tmp_path / "parts").mkdir()
    (tmp_path / "mail.py").touch()
    scan = os.scandir

    def scan_too_late(path):
        if str(path).endswith("parts"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_too_late)
    watching, paths = Watch(), [tmp_path]
    watching.has_changed(paths)
    (tmp_path / "mail.py").write_text("2")
    assert [watching.has_changed(paths) for _ in range(3)] == [False, True, False]
