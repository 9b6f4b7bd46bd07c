"""What systemd is told of a daemon, against its configuration."""

from math import inf
from pathlib import Path

import pytest
from msgspec import structs

from bananasd import config as configuration
from bananasd.processes import exits
from bananasd.remark import Level
from bananasd.units.contradictions import BROKEN_CONFIG, contradictions
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
    assert words == ["KillMode is", "Type is", "there is", "Restart is", "OOMPolicy is"]


@pytest.mark.parametrize(
    ("text", "drop_in", "level", "what", "remedy"),
    [
        ("[master]\ndrain_seconds = 120", "", Level.ERROR, "TimeoutStopSec is 40 s and master.drain_seconds 120", "TimeoutStopSec=125"),
        ("[master]\ndrain_seconds = 36", "", Level.ERROR, "TimeoutStopSec is 40 s and master.drain_seconds 36", "TimeoutStopSec=41"),
        ("", "TimeoutStopSec=20", Level.ERROR, "TimeoutStopSec is 20 s", "TimeoutStopSec=35"),
        ("", "TimeoutSec=500ms\nTimeoutStartSec=330", Level.ERROR, "TimeoutStopSec is 0.5 s", "TimeoutStopSec=35"),
        ("", "KillMode=control-group", Level.ERROR, "KillMode is control-group: TERM goes to all processes at once, the embedded server among them", "KillMode=mixed"),
        (ELSEWHERE, "KillMode=control-group", Level.WARNING, "KillMode is control-group: TERM goes to all processes at once, and not to the master alone", "KillMode=mixed"),
        ("", "KillMode=process", Level.WARNING, "KillMode is process", "KillMode=mixed"),
        (ELSEWHERE, "KillMode=none", Level.ERROR, "KillMode is none", "KillMode=mixed"),
        ("[workers]\nstart_seconds = 600", "", Level.ERROR, "TimeoutStartSec is 330 s and workers.start_seconds 600", "TimeoutStartSec=615"),
        ("", "TimeoutStartSec=1min", Level.ERROR, "TimeoutStartSec is 60 s and workers.start_seconds 60", "TimeoutStartSec=75"),
        ("", "TimeoutStopSec=soon", Level.WARNING, "TimeoutStopSec is 'soon', which is no span of time", "TimeoutStopSec=40"),
        ("", "WatchdogSec=1e3", Level.WARNING, "WatchdogSec is '1e3', which is no span of time", "WatchdogSec=30"),
        ("", "Restart=on-abort", Level.WARNING, "Restart is on-abort", "Restart=on-failure"),
        ("", "RestartPreventExitStatus=", Level.WARNING, "RestartPreventExitStatus is empty, without 78", "RestartPreventExitStatus=78"),
        ("", "RestartPreventExitStatus=\nRestartPreventExitStatus=1 73", Level.WARNING, "RestartPreventExitStatus is 1 73, without 78", "RestartPreventExitStatus=78"),
        ("[workers]\ncount = 4\nmax_rss_mb = 600", "MemoryMax=2G", Level.WARNING, "MemoryMax is 2048 MiB and workers.max_rss_mb 600 for each of 4 workers, 2,400 MiB in all", "MemoryMax=2400M or more, or workers.max_rss_mb = 512"),
        ("[workers]\ncount = 20", "TasksMax=50", Level.ERROR, "TasksMax is 50: too few processes and threads for 20 workers and what is beside them, 53 in all", "TasksMax=106"),
        (ELSEWHERE + "\n[http]\nlisten = '127.0.0.1:1'\n[workers]\ncount = 1", "TasksMax=51", Level.ERROR, "TasksMax is 51: too few processes and threads for 1 worker and", "TasksMax=104"),
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
        ("[master]\ndrain_seconds = 300", "TimeoutStopSec=1y"),
        ("[master]\ndrain_seconds = 300", "TimeoutStopSec=0"),
        ("[workers]\nstart_seconds = 600", "TimeoutStartSec=0"),
        ("[workers]\nstart_seconds = 600", "TimeoutSec=infinity"),
        ("[workers]\nstart_seconds = 0", ""),
        (
            "",
            "Restart=always\nRestartPreventExitStatus=\nRestartPreventExitStatus=1\nRestartPreventExitStatus=CONFIG",
        ),
        ("[workers]\ncount = 4\nmax_rss_mb = 512", "MemoryMax=2G"),
        ("[workers]\ncount = 4", "MemoryMax=200M"),
        ("[workers]\ncount = 4\nmax_rss_mb = 512", "MemoryMax=50%"),
        ("[workers]\ncount = 20", "TasksMax=53"),
        ("[workers]\ncount = 20", "TasksMax=15%"),
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
    own = read_files([OURS, f"[Service]\nPrivateTmp=no\nProtectSystem=no\nProtectHome=no\n{start}"])
    assert [remark.level for remark in contradictions(own, config, "here")] == [Level.OK]


def test_both_configurations_are_told_by_their_whole_path(tmp_path, monkeypatch):
    make_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = configuration.load(Path("bananas.toml"), {})
    (remark,) = contradictions(read_files([OURS]), config, "here")
    assert remark.what.endswith(f"what is judged here is {tmp_path}/bananas.toml")


def test_an_empty_value_takes_back_what_was_said():
    assert read_files(["[Service]\nKillMode=mixed", "[Service]\nKillMode="]) == DEFAULTS


def test_the_exit_code_of_a_broken_configuration_is_the_daemons():
    assert BROKEN_CONFIG == exits.CONFIG


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


# The file system


def make_settings(drop_in):
    """Our own unit under this drop-in, with a configuration below /etc."""
    start = "ExecStart=\nExecStart=/opt/bananasd/bin/bananasd start --config /etc/bananasd/bananas.toml"
    return read_files([OURS, f"[Service]\n{start}\n{drop_in}"])


def told_of_paths(tmp_path, text, drop_in=""):
    settings = make_settings(drop_in)
    config = installed(tmp_path, settings, text)
    return [
        (r.level, r.what, r.remedy)
        for r in contradictions(settings, config, "here")
        if r.level is not Level.OK
    ]


def installed(tmp_path, settings, text, path="/etc/bananasd/bananas.toml"):
    """A configuration as the unit's daemon would read it from this path."""
    file = tmp_path / "bananas.toml"
    file.write_text(text)
    config = configuration.load(file, environment(settings, "/var/lib/bananasd"))
    default = config.workers.handlers == tmp_path / "handlers"
    handlers = Path(path).with_name("handlers") if default else config.workers.handlers
    workers = structs.replace(config.workers, handlers=handlers)
    return structs.replace(config, path=Path(path), workers=workers)


@pytest.mark.parametrize("name", ["bananasd.service", "bananasd@.service"])
@pytest.mark.parametrize(
    "text", [(ROOT / "config" / "bananas.toml").read_text(), "", 'log = { file = "/run/bananasd/log" }']
)
def test_our_own_units_leave_the_daemon_all_that_our_own_configuration_asks_for(tmp_path, name, text):
    raw = read_files([(ROOT / "systemd" / name).read_text()])
    path = "/etc/bananasd/mail.toml" if "@" in name else "/etc/bananasd/bananas.toml"
    text = text.replace("/run/bananasd/", "/run/bananasd-mail/") if "@" in name else text
    settings = of_instance(raw, Path(path))
    config = installed(tmp_path, settings, text, path)
    assert str(config.run_dir) == ("/run/bananasd-mail" if "@" in name else "/run/bananasd")
    assert config_of(settings) == config.path
    (remark,) = contradictions(settings, config, "here")
    assert remark.level is Level.OK


@pytest.mark.parametrize(
    ("text", "drop_in", "level", "what", "remedy"),
    [
        ('state_dir = "/srv/jobs"', "", Level.ERROR, "state_dir is /srv/jobs, and ProtectSystem=strict: the daemon cannot write there", "set ReadWritePaths=/srv/jobs"),
        ('state_dir = "/var/lib/jobs"', "", Level.ERROR, "state_dir is /var/lib/jobs, and ProtectSystem=strict: the daemon cannot write there", "set StateDirectory=jobs"),
        ('run_dir = "/run/jobs"', "", Level.ERROR, "run_dir is /run/jobs, and ReadOnlyPaths=/run: the daemon cannot write there", "set RuntimeDirectory=jobs"),
        ('run_dir = "/run/jobs"', "ReadOnlyPaths=", Level.ERROR, "run_dir is /run/jobs, and ProtectSystem=strict: the daemon cannot write there", "set RuntimeDirectory=jobs"),
        ('[log]\nfile = "/var/log/jobs/log"', "", Level.ERROR, "log.file is /var/log/jobs/log, and ProtectSystem=strict: the daemon cannot write there", "set LogsDirectory=jobs"),
        ('[log]\nfile = "/etc/log"', "ProtectSystem=full", Level.ERROR, "log.file is /etc/log, and ProtectSystem=full: the daemon cannot write there", "set ReadWritePaths=/etc"),
        ('state_dir = "/usr/jobs"', "ProtectSystem=yes", Level.ERROR, "state_dir is /usr/jobs, and ProtectSystem=yes: the daemon cannot write there", "set ReadWritePaths=/usr/jobs"),
        ('state_dir = "/srv/jobs"', "ProtectSystem=no\nDynamicUser=yes", Level.ERROR, "state_dir is /srv/jobs, and DynamicUser=yes: the daemon cannot write there", "set ReadWritePaths=/srv/jobs"),
        ('[workers]\nhandlers = "/home/ann/handlers"', "", Level.ERROR, "workers.handlers is /home/ann/handlers, and ProtectHome=yes: the daemon does not see it", "set workers.handlers to another place, or set ProtectHome=no"),
        ('[workers]\nhandlers = "/root/handlers"', "BindReadOnlyPaths=/root/handlers", Level.ERROR, "workers.handlers is /root/handlers, and ProtectHome=yes: the daemon does not see it", "ProtectHome=no"),
        ('[workers]\nhandlers = "/home/ann/handlers"', "ProtectHome=tmpfs", Level.ERROR, "workers.handlers is /home/ann/handlers, and ProtectHome=tmpfs: the daemon sees another directory there", "set workers.handlers to another place"),
        ('state_dir = "/home/ann/jobs"', "ProtectHome=read-only", Level.ERROR, "state_dir is /home/ann/jobs, and ProtectHome=read-only: the daemon cannot write there", "set ReadWritePaths=/home/ann/jobs"),
        ('[redis]\nurl = "unix:///tmp/redis.sock"', "", Level.ERROR, "redis.url is /tmp/redis.sock, and PrivateTmp=yes: the daemon sees another directory there", "set redis.url to another place, or set PrivateTmp=no"),
        ('run_dir = "/tmp/jobs"', "", Level.WARNING, "run_dir is /tmp/jobs, and PrivateTmp=yes: commands in a shell do not find the daemon", "set run_dir to another place, or set PrivateTmp=no"),
        ('state_dir = "/var/tmp/jobs"', "", Level.ERROR, "state_dir is /var/tmp/jobs, and PrivateTmp=yes: what is written there is gone when the daemon stops", "set state_dir to another place"),
        ('[redis]\nurl = "rediss://a"\ntls_ca_file = "/home/ca.pem"', "", Level.ERROR, "redis.tls_ca_file is /home/ca.pem, and ProtectHome=yes", "set redis.tls_ca_file to another place"),
        ('[redis]\nurl = "redis://a"\npassword_file = "/srv/password"', "InaccessiblePaths=-/srv", Level.ERROR, "redis.password_file is /srv/password, and InaccessiblePaths=/srv: the daemon does not see it", "take /srv out of InaccessiblePaths"),
    ],
)  # fmt: skip
def test_a_path_that_the_unit_keeps_from_the_daemon_is_told(tmp_path, text, drop_in, level, what, remedy):
    ((found_level, found, found_remedy),) = told_of_paths(tmp_path, text, drop_in)
    assert found_level is level
    assert found.startswith(what)
    assert remedy in found_remedy


@pytest.mark.parametrize(
    ("text", "drop_in"),
    [
        ('state_dir = "/srv/jobs"', "ReadWritePaths=-/srv/jobs"),
        ('state_dir = "/srv/my jobs/a"', 'ReadWritePaths=/x "/srv/my jobs"'),
        ('state_dir = "/srv/jobs"', "BindPaths=/mnt/disk:/srv/jobs"),
        ('state_dir = "/srv/jobs"', "ReadWritePaths=%h"),
        ('state_dir = "/srv/jobs"', "ProtectSystem=full"),
        ('state_dir = "/srv/jobs"\n[redis]\nurl = "redis://a"', ""),
        ('run_dir = "/var/run/bananasd"', ""),
        ('[log]\nfile = "/var/log/jobs/log"', "LogsDirectory=jobs"),
        ('[workers]\nhandlers = "/home/ann/handlers"', "ProtectHome=read-only"),
        ('[workers]\nhandlers = "/home/ann/handlers"', "ProtectHome=tmpfs\nBindReadOnlyPaths=/home/ann/handlers"),
        ('[redis]\nurl = "unix:///run/redis/redis.sock"', ""),
        ('run_dir = "/tmp/jobs"\n[redis]\nurl = "unix:///tmp/redis.sock"', "PrivateTmp=no\nProtectSystem=full"),
    ],
)  # fmt: skip
def test_a_path_that_the_daemon_can_use_is_no_contradiction(tmp_path, text, drop_in):
    assert told_of_paths(tmp_path, text, drop_in) == []


def test_a_configuration_in_a_home_is_told(tmp_path):
    settings = of_instance(
        read_files(
            [OURS, "[Service]\nExecStart=\nExecStart=/bin/bananasd start --config '/home/my jobs/a.toml'"]
        ),
        None,
    )
    config = installed(tmp_path, settings, '[workers]\nhandlers = "/srv/handlers"', "/home/my jobs/a.toml")
    (remark,) = contradictions(settings, config, "here")
    assert remark.what.startswith(
        "the configuration is /home/my jobs/a.toml, and ProtectHome=yes: the daemon does not see it"
    )


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
