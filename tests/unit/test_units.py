"""What systemd is told of a daemon, against its configuration."""

from math import inf
from pathlib import Path

import pytest

from bananasd import config as configuration
from bananasd.remark import Level
from bananasd.units import DEFAULTS, SHOWN, config_of, contradictions, read_files, read_show, seconds_in

ROOT = Path(__file__).parents[2]
OURS = (ROOT / "systemd" / "bananasd.service").read_text()
SILENT = "[Service]\nExecStart="
"""Takes back with which configuration the daemon is started."""
ELSEWHERE = '[redis]\nurl = "redis://a"'


def make_config(tmp_path, text=""):
    path = tmp_path / "bananas.toml"
    path.write_text(text)
    return configuration.load(path, {})


def judged(config, drop_in=""):
    """What is wrong with our own unit under this drop-in."""
    settings = read_files([OURS, f"[Service]\n{drop_in}", SILENT])
    return [(remark.level, remark.what, remark.remedy) for remark in contradictions(settings, config, "here")]


@pytest.mark.parametrize("name", ["bananasd.service", "bananasd@.service"])
def test_our_own_units_go_together_with_the_defaults(tmp_path, name):
    settings = read_files([(ROOT / "systemd" / name).read_text(), SILENT])
    (remark,) = contradictions(settings, make_config(tmp_path), "here")
    assert (remark.level, remark.check, remark.where) == (Level.OK, "unit", "here")


def test_of_an_empty_unit_there_is_much_to_say(tmp_path):
    found = contradictions(read_files(["[Service]"]), make_config(tmp_path), "here")
    words = [" ".join(remark.what.split()[:2]).rstrip(":") for remark in found]
    assert words == ["KillMode is", "Type is", "there is", "OOMPolicy is"]


@pytest.mark.parametrize(
    ("text", "drop_in", "level", "what", "remedy"),
    [
        ("[master]\ndrain_seconds = 120", "", Level.ERROR, "TimeoutStopSec is 40 s and master.drain_seconds 120", "TimeoutStopSec=125"),
        ("[master]\ndrain_seconds = 36", "", Level.ERROR, "TimeoutStopSec is 40 s and master.drain_seconds 36", "TimeoutStopSec=41"),
        ("", "TimeoutStopSec=20", Level.ERROR, "TimeoutStopSec is 20 s", "TimeoutStopSec=35"),
        ("", "TimeoutSec=500ms", Level.ERROR, "TimeoutStopSec is 0.5 s", "TimeoutStopSec=35"),
        ("", "KillMode=control-group", Level.ERROR, "KillMode is control-group: TERM goes to all processes at once, the embedded server among them", "KillMode=mixed"),
        (ELSEWHERE, "KillMode=control-group", Level.WARNING, "KillMode is control-group: TERM goes to all processes at once, and not to the master alone", "KillMode=mixed"),
        ("", "KillMode=process", Level.WARNING, "KillMode is process", "KillMode=mixed"),
        (ELSEWHERE, "KillMode=none", Level.ERROR, "KillMode is none", "KillMode=mixed"),
        ("", "WatchdogSec=0", Level.WARNING, "there is no WatchdogSec", "WatchdogSec=30"),
        ("", "WatchdogSec=2", Level.WARNING, "WatchdogSec is 2 s", "WatchdogSec=5"),
        ("", "Type=exec", Level.WARNING, "Type is exec", "Type=notify"),
        ("[scheduler]\nlease_seconds = 20", "RuntimeDirectoryPreserve=no", Level.WARNING, "there is no RuntimeDirectoryPreserve: what a killed daemon held is back only after its lease of 20 s", "RuntimeDirectoryPreserve=yes"),
        ("", "OOMPolicy=stop", Level.ERROR, "OOMPolicy is stop", "OOMPolicy=continue"),
        ("[workers]\ncount = 2", "LimitNOFILE=128", Level.WARNING, "LimitNOFILE is 128: too few files for 2 workers", "LimitNOFILE=264"),
        ("[workers]\ncount = 500", "", Level.WARNING, "LimitNOFILE is 1024: too few files for 500 workers", "LimitNOFILE=2256"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_with_what_to_do(tmp_path, text, drop_in, level, what, remedy):
    ((found_level, found, found_remedy),) = judged(make_config(tmp_path, text), drop_in)
    assert found_level is level
    assert found.startswith(what)
    assert remedy in found_remedy


@pytest.mark.parametrize(
    ("text", "drop_in"),
    [
        ("[master]\ndrain_seconds = 35", ""),
        ("[master]\ndrain_seconds = 300", "TimeoutStopSec=infinity"),
        ("[master]\ndrain_seconds = 300", "TimeoutStopSec=5min 5s"),
        ("", "RuntimeDirectory=\nRuntimeDirectoryPreserve=no"),
        ("[workers]\ncount = 500", "LimitNOFILE=4096:524288"),
        ("[workers]\ncount = 500", "LimitNOFILE=infinity"),
        ("", "KillMode=none\nKillMode=mixed"),
        ("", "# KillMode=none\n; KillMode=none\n[Unit]\nKillMode=none"),
    ],
)
def test_what_goes_together_is_no_contradiction(tmp_path, text, drop_in):
    assert [level for level, _, _ in judged(make_config(tmp_path, text), drop_in)] == [Level.OK]


def test_a_unit_that_starts_another_configuration_is_told(tmp_path):
    config = make_config(tmp_path)
    (remark,) = contradictions(read_files([OURS]), config, "here")
    theirs = "/etc/bananasd/bananas.toml"
    assert remark.what == f"it starts the daemon with {theirs}, and what is judged here is {config.path}"
    assert remark.remedy == f"give the doctor that one: --config {theirs}"
    start = f"ExecStart=\nExecStart=/bin/bananasd start \\\n --config {config.path}"
    own = read_files([OURS, f"[Service]\n{start}"])
    assert [remark.level for remark in contradictions(own, config, "here")] == [Level.OK]


def test_both_configurations_are_told_by_their_whole_path(tmp_path, monkeypatch):
    make_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = configuration.load(Path("bananas.toml"), {})
    (remark,) = contradictions(read_files([OURS]), config, "here")
    assert remark.what.endswith(f"what is judged here is {tmp_path}/bananas.toml")


def test_an_empty_value_takes_back_what_was_said():
    assert read_files(["[Service]\nKillMode=mixed", "[Service]\nKillMode="]) == DEFAULTS


SHOWN_TEXT = """\
Type=notify
TimeoutStopUSec=1min 30s
WatchdogUSec=30s
ExecStart={ path=/x/bananasd ; argv[]=/x/bananasd start --config /etc/bananasd/mail.toml ; ignore_errors=no }
KillMode=mixed
LimitNOFILESoft=1024
LoadState=loaded
OOMPolicy=continue
RuntimeDirectory=bananasd-mail
RuntimeDirectoryPreserve=yes
"""


def test_what_systemctl_shows_reads_as_the_file_would():
    settings = read_show(SHOWN_TEXT)
    assert settings == {
        "Type": "notify", "KillMode": "mixed", "TimeoutStopSec": "1min 30s", "WatchdogSec": "30s", "OOMPolicy": "continue",
        "RuntimeDirectory": "bananasd-mail", "RuntimeDirectoryPreserve": "yes", "LimitNOFILE": "1024",
        "ExecStart": settings["ExecStart"],
    }  # fmt: skip
    assert config_of(settings) == Path("/etc/bananasd/mail.toml")
    assert set(SHOWN) == {line.partition("=")[0] for line in SHOWN_TEXT.splitlines()}


@pytest.mark.parametrize(("told", "levels"), [("infinity", [Level.OK]), ("0", [Level.WARNING])])
def test_systemd_does_not_tell_the_watchdog_of_a_unit_that_does_not_run(tmp_path, told, levels):
    output = SHOWN_TEXT.replace("WatchdogUSec=30s", f"WatchdogUSec={told}").replace(
        "/etc/bananasd/mail.toml", f"{tmp_path}/bananas.toml"
    )
    settings = read_show(output)
    assert [remark.level for remark in contradictions(settings, make_config(tmp_path), "here")] == levels


@pytest.mark.parametrize("output", ["", "LoadState=not-found\nKillMode=control-group", "no such words"])
def test_a_unit_that_systemd_does_not_know_is_none(output):
    assert read_show(output) is None


@pytest.mark.parametrize("arguments", ["", "start", "start --config /etc/bananasd/%i.toml"])
def test_a_command_that_names_no_file_leaves_it_open(arguments):
    assert config_of({"ExecStart": f"/bin/bananasd {arguments}"}) is None


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("40", 40),
        ("1min 30s", 90),
        ("2h", 7200),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("infinity", inf),
        ("", 0),
        ("soon", 0),
    ],
)
def test_a_span_of_systemd_in_seconds(span, seconds):
    assert seconds_in(span) == pytest.approx(seconds)
