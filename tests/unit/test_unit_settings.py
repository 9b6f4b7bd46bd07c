"""What a unit says: its settings, as its files have them and as systemd shows them, and what their values mean."""

from math import inf
from pathlib import Path

import pytest

from bananasd.units.network import is_allowed
from bananasd.units.reading import (
    DEFAULTS,
    FILE,
    SHOWN,
    config_of,
    environment,
    is_started_with,
    of_instance,
    read_files,
    read_show,
    starts_daemon,
    takes_default,
)
from bananasd.units.values import limit_in, seconds_in, signal_in, timeout_in, words_in


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


def test_what_systemd_shows_under_another_name_is_the_same_setting():
    shown = "LoadState=loaded\nEnvironmentFiles=/etc/default/bananasd (ignore_errors=yes)"
    assert read_show(shown)["EnvironmentFile"].startswith("/etc/default/bananasd")


@pytest.mark.parametrize("output", ["", "LoadState=not-found\nKillMode=control-group", "no such words"])
def test_a_unit_that_systemd_does_not_know_is_none(output):
    assert read_show(output) is None


@pytest.mark.parametrize(
    "command",
    [
        "",
        "/bin/bananasd start --config",
        "/bin/bananasd start --config /etc/bananasd/%i.toml",
        "/bin/bananasd start --config $FILE",
        "/bin/bananasd start --config '/a",
    ],
)
def test_a_command_that_does_not_tell_its_file_leaves_it_open(command):
    assert config_of(DEFAULTS | {"ExecStart": command}) is None


@pytest.mark.parametrize("directory", ["{}", "-{}", "!{}"])
def test_a_daemon_that_is_given_no_file_finds_it_where_it_works(tmp_path, directory):
    settings = DEFAULTS | {
        "ExecStart": "/bin/bananasd start",
        "WorkingDirectory": directory.format(tmp_path),
    }
    file = tmp_path / "bananas.toml"
    assert not is_started_with(settings, file)
    file.touch()
    assert config_of(settings) == file
    assert is_started_with(settings, file)
    assert not is_started_with(settings, None)


@pytest.mark.parametrize("directory", ["", "~", "%h", "/no/such/directory"])
def test_a_daemon_that_finds_no_file_takes_the_one_below_etc(directory):
    settings = DEFAULTS | {"ExecStart": "/bin/bananasd start", "WorkingDirectory": directory}
    assert config_of(settings) == Path("/etc/bananasd/bananas.toml")
    assert takes_default(settings)


@pytest.mark.parametrize(
    ("command", "is_ours"),
    [
        ("-/opt/bananasd/bin/bananasd --verbose start", True),
        ("!bananasd start", True),
        ("/usr/bin/python3 -m bananasd start --watch", True),
        ("{ path=/x/bananasd ; argv[]=/x/bananasd start ; ignore_errors=no }", True),
        ("/bin/bananasd reload", False),
        ("/bin/start bananasd", False),
        ("/bin/bananasd-exporter start", False),
        ("/bin/sh -c 'bananasd start'", False),
    ],
)
def test_a_daemon_is_started_by_a_command_that_says_so(command, is_ours):
    assert starts_daemon({"ExecStart": command}) is is_ours
    assert takes_default({"ExecStart": command}) is is_ours


@pytest.mark.parametrize(
    ("value", "name"),
    [("SIGTERM", "SIGTERM"), ("TERM", "SIGTERM"), ("15", "SIGTERM"), ("9", "SIGKILL"), ("40", "40"), ("RTMIN+3", "SIGRTMIN+3")],
)  # fmt: skip
def test_a_signal_has_one_name(value, name):
    assert signal_in(value) == name


@pytest.mark.parametrize(
    ("restricted", "allowed"),
    [
        ("", ["AF_UNIX", "AF_INET", "AF_INET6"]),
        ("AF_UNIX AF_INET", ["AF_UNIX", "AF_INET"]),
        ("~AF_INET AF_INET6", ["AF_UNIX"]),
        ("~AF_INET AF_INET6\nRestrictAddressFamilies=AF_INET", ["AF_UNIX", "AF_INET"]),
        ("AF_UNIX AF_INET\nRestrictAddressFamilies=~AF_INET", ["AF_UNIX"]),
        ("none", []),
    ],
)
def test_families_are_those_that_are_listed_or_those_that_are_not(restricted, allowed):
    restricted = read_files([f"[Service]\nRestrictAddressFamilies={restricted}"])["RestrictAddressFamilies"]
    assert [
        family for family in ("AF_UNIX", "AF_INET", "AF_INET6") if is_allowed(family, restricted)
    ] == allowed


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


def test_families_that_systemd_shows_as_forbidden_are_all_so():
    settings = read_show("LoadState=loaded\nRestrictAddressFamilies=~AF_INET6 AF_INET")
    assert settings["RestrictAddressFamilies"] == "~AF_INET6 ~AF_INET"
