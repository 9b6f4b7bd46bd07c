"""``bananasd init``: what it makes works as it stands."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from bananasd import config
from tests.command_line import bananasd


def test_what_it_makes_passes_the_check_and_runs(tmp_path: Path) -> None:
    result = bananasd("init", tmp_path / "my jobs")
    assert (result.exit_code, result.stderr) == (0, "")
    path = tmp_path / "my jobs" / "bananas.toml"
    assert bananasd("check", "--config", path).exit_code == 0
    greeted = bananasd("run", "hello", "--payload", '{"name": "Ada"}', "--config", path)
    assert json.loads(greeted.stdout) == {"greeting": "Hello, Ada!"}
    assert bananasd("run", "hello", "--config", path).exit_code == 1


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    shown = bananasd("init", tmp_path / "my jobs").stdout
    assert f"  cd '{tmp_path}/my jobs'\n" in shown
    assert "  bananasd start\n" in shown
    assert "bananasd submit hello" in shown


def test_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = bananasd("init", ".").stdout
    assert "made handlers/hello.py" in shown
    assert "cd " not in shown


def test_its_configuration_is_the_defaults_with_the_comments_taken_away_too(tmp_path: Path) -> None:
    bananasd("init", tmp_path)
    path = tmp_path / "bananas.toml"
    made = config.load(path, os.environ)
    lines = [line.removeprefix("#") if line[:2] != "# " else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    assert len(tomllib.loads(path.read_text())) >= 5
    assert config.load(path, os.environ) == made


def test_its_configuration_shows_how_to_have_a_dashboard(tmp_path: Path) -> None:
    bananasd("init", tmp_path)
    path = tmp_path / "bananas.toml"
    path.write_text(path.read_text().replace('#listen = ""', 'listen = "127.0.0.1:8580"'))
    assert config.load(path, os.environ).http.port == 8580


@pytest.mark.parametrize("existing", ["bananas.toml", "handlers/hello.py"])
def test_it_overwrites_nothing(tmp_path: Path, existing: str) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / existing).write_text("mine")
    result = bananasd("init", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"bananasd: {tmp_path / existing}: already there; nothing was written\n"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(existing).name]
    assert (tmp_path / existing).read_text() == "mine"


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = bananasd("init", tmp_path / "file" / "below")
    assert result.exit_code == 1
    assert result.stderr.startswith("bananasd: ")
    assert "Traceback" not in result.stderr
