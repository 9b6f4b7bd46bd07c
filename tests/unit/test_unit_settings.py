"""What a unit says: its settings, as its files have them and as systemd shows them, and what their values mean."""

from math import inf
from pathlib import Path

import pytest

from bananasd.units.reading import (
    DEFAULTS,
    FILE,
    SHOWN,
    config_of,
    environment,
    of_instance,
    read_files,
    read_show,
)
from bananasd.units.values import limit_in, seconds_in, timeout_in, words_in


def test_an_empty_value_takes_back_what_was_said():
    assert read_files(["[Service]\nKillMode=mixed", "[Service]\nKillMode="]) == DEFAULTS


SHOWN_TEXT = """\
Type=notify
TimeoutStartUSec=5min 30s
TimeoutStopUSec=1min 30s
WatchdogUSec=30s
ExecStart={ path=/x/bananasd ; argv[]=/x/bananasd start --config /etc/bananasd/mail.toml ; ignore_errors=no }
KillMode=mixed
LimitNOFILESoft=1024
LoadState=loaded
FragmentPath=/etc/systemd/system/bananasd@.service
OOMPolicy=continue
Restart=on-failure
RestartPreventExitStatus=78
RuntimeDirectory=bananasd-mail
RuntimeDirectoryPreserve=yes
Environment=
MemoryMax=infinity
"""


def test_what_systemctl_shows_reads_as_the_file_would():
    settings = read_show(SHOWN_TEXT)
    assert settings == DEFAULTS | {
        "Type": "notify", "KillMode": "mixed", "TimeoutStartSec": "5min 30s", "TimeoutStopSec": "1min 30s", "WatchdogSec": "30s",
        "OOMPolicy": "continue", "Restart": "on-failure", "RestartPreventExitStatus": "78",
        "RuntimeDirectory": "bananasd-mail", "RuntimeDirectoryPreserve": "yes", "LimitNOFILE": "1024",
        "ExecStart": settings["ExecStart"], FILE: "/etc/systemd/system/bananasd@.service",
    }  # fmt: skip
    assert config_of(settings) == Path("/etc/bananasd/mail.toml")
    assert {line.partition("=")[0] for line in SHOWN_TEXT.splitlines()} <= set(SHOWN)


@pytest.mark.parametrize("output", ["", "LoadState=not-found\nKillMode=control-group", "no such words"])
def test_a_unit_that_systemd_does_not_know_is_none(output):
    assert read_show(output) is None


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "start",
        "start --config",
        "start --config /etc/bananasd/%i.toml",
        "start --config $FILE",
        "start --config '/a",
    ],
)
def test_a_command_that_names_no_file_leaves_it_open(arguments):
    assert config_of({"ExecStart": f"/bin/bananasd {arguments}"}) is None


@pytest.mark.parametrize(
    "command",
    [
        '/bin/bananasd start --config "/srv/my jobs/a.toml"',
        "/bin/bananasd start --config='/srv/my jobs/a.toml' --watch",
        '/bin/bananasd start "--config=/srv/my jobs/a.toml"',
        r"/bin/bananasd start --config /srv/my\x20jobs/a.toml",
        "{ path=/x ; argv[]=/x start --config /srv/my jobs/a.toml ; ignore_errors=no ; pid=0 }",
        "{ path=/x ; argv[]=/x start --config=/srv/my jobs/a.toml --watch ; ignore_errors=no ; pid=0 }",
    ],
)
def test_a_configuration_may_have_spaces_in_its_path(command):
    assert config_of({"ExecStart": command}) == Path("/srv/my jobs/a.toml")


# As `systemd-analyze timespan` has them.
@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("40", 40),
        ("+5", 5),
        ("5 5", 10),
        ("1min 30s", 90),
        ("1min30s", 90),
        ("1 min 30 s", 90),
        ("1m", 60),
        ("1M", 2629800),
        ("1month", 2629800),
        ("2h", 7200),
        ("3d4h", 273600),
        ("2 weeks", 1209600),
        ("1y", 31557600),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1.s", 1),
        ("500ms", 0.5),
        ("3µs 1μs 1us", 5e-6),
        ("infinity", inf),
        (" infinity ", inf),
        ("0", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("1,5s", None),
        ("1Min", None),
        ("5s infinity", None),
    ],
)  # fmt: skip
def test_a_span_of_systemd_in_seconds(span, seconds):
    found = seconds_in(span)
    assert found is seconds if seconds is None else found == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("0", inf), ("0s", inf), ("infinity", inf), ("1y", 31557600), ("7", 7), ("soon", None)],
)
def test_a_timeout_of_0_is_none(span, seconds):
    assert timeout_in(span) == seconds


@pytest.mark.parametrize(
    ("value", "limit"),
    [("512M", 512 * 1024**2), ("2G", 2 * 1024**3), ("1.5K", 1536), ("2147483648", 2**31), ("infinity", inf), ("50%", inf), ("much", inf)],
)  # fmt: skip
def test_a_limit_of_systemd_in_bytes(value, limit):
    assert limit_in(value) == limit


def test_words_lose_their_quotes():
    assert words_in('"a b" c\'d e\' ""') == ["a b", "cd e", ""]
    assert words_in('"a b') == []


def test_the_daemons_environment_is_the_units():
    settings = read_files(
        ["[Service]\nRuntimeDirectory=a:link b\nEnvironment=X=1 'Y=2 3'\nEnvironment=HOME=/h\nUser=me"]
    )
    assert environment(settings, "/home/me") == {
        "HOME": "/h",
        "X": "1",
        "Y": "2 3",
        "RUNTIME_DIRECTORY": "/run/a:/run/b",
    }


def test_what_systemd_puts_into_a_setting_is_put_in():
    settings = {"ExecStart": "/x start --config /etc/%i.toml", "ReadWritePaths": "%S/%i %t %h"}
    assert of_instance(settings, Path("/etc/mail.toml"))["ReadWritePaths"] == "/var/lib/mail /run %h"
    assert of_instance(settings, Path("/srv/mail.toml"))["ReadWritePaths"] == "/var/lib/%i /run %h"
