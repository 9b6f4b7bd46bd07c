"""The unit files by themselves; for this no systemd has to run."""

import re
import shutil
import subprocess

import pytest

from bananasd import config
from tests.systemd.machine import ROOT
from tests.systemd.surroundings import require

UNIT = ROOT / "systemd" / "bananasd.service"
TEMPLATE = ROOT / "systemd" / "bananasd@.service"
TENTHS = 20


def settings(path) -> list[str]:
    """Its lines without the comments, examples kept."""
    return [line for line in path.read_text().splitlines() if re.match(r"\[|#?\w+=", line)]


@pytest.mark.parametrize("path", [UNIT, TEMPLATE], ids=lambda path: path.name)
def test_the_exposure_is_at_most_2(path):
    require(
        shutil.which("systemd-analyze") is not None, "systemd-analyze is missing: apt-get install systemd"
    )
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={TENTHS}", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_an_instance_is_the_unit_under_other_names():
    renamed = [
        line.replace("bananasd %i,", "bananasd,")
        .replace("/%i.toml", "/bananas.toml")
        .replace("/%i.redis_", "/redis_")
        .replace("/%i.http_", "/http_")
        .replace("bananasd-%i", "bananasd")
        for line in settings(TEMPLATE)
    ]
    assert renamed == settings(UNIT)


def test_no_setting_of_an_instance_is_that_of_the_unit():
    named = r"(?:RuntimeDirectory|StateDirectory|ExecStart|ExecReload|#LoadCredential)="
    lines = [line for line in settings(TEMPLATE) if re.match(named, line)]
    assert len(lines) == 7
    assert [line for line in lines if "%i" not in line] == []


@pytest.mark.parametrize("path", [UNIT, TEMPLATE], ids=lambda path: path.name)
def test_every_credential_of_the_examples_is_one_that_the_daemon_finds(path, tmp_path):
    names = re.findall(r"^#LoadCredential=(\w+):", path.read_text(), re.MULTILINE)
    for name in names:
        (tmp_path / name).write_text(f"the-secret-of-{name}\n")
    file = tmp_path / "bananas.toml"
    file.write_text('[redis]\nsentinels = ["a"]\nservice = "jobs"\n[http]\nlisten = "0.0.0.0:8580"\n')
    loaded = config.load(file, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    secrets = [loaded.redis.read_password(), loaded.redis.read_sentinel_password(), loaded.http.read_token()]
    assert secrets == [f"the-secret-of-{name}" for name in names]
