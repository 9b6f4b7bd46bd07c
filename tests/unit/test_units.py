"""What systemd is told of a daemon, against its configuration."""

from pathlib import Path

import pytest

from bananasd import config as configuration
from bananasd.processes import exits
from bananasd.remark import Level
from bananasd.units.contradictions import BROKEN_CONFIG, UNJUDGED, contradictions
from bananasd.units.reading import (
    read_files,
    read_show,
)

ROOT = Path(__file__).parents[2]
OURS = (ROOT / "systemd" / "bananasd.service").read_text()
FAMILIES = "RestrictAddressFamilies=\nRestrictAddressFamilies="
ELSEWHERE = '[redis]\nurl = "redis://a"'


def make_config(tmp_path, text=""):
    path = tmp_path / "bananas.toml"
    path.write_text(text)
    return configuration.load(path, {})


def started(config):
    """A drop-in that starts the daemon with this configuration, and keeps none of its paths from it."""
    return (
        f"[Service]\nExecStart=\nExecStart=/bin/bananasd start --config {config.path}\n"
        "PrivateTmp=no\nProtectSystem=no\nProtectHome=no\nReadOnlyPaths="
    )


def judged(config, drop_in=""):
    """What is wrong with our own unit under this drop-in."""
    settings = read_files([OURS, started(config), f"[Service]\n{drop_in}"])
    return [(remark.level, remark.what, remark.remedy) for remark in contradictions(settings, config, "here")]


@pytest.mark.parametrize("name", ["bananasd.service", "bananasd@.service"])
def test_our_own_units_go_together_with_the_defaults(tmp_path, name):
    config = make_config(tmp_path)
    settings = read_files([(ROOT / "systemd" / name).read_text(), started(config)])
    (remark,) = contradictions(settings, config, "here")
    assert (remark.level, remark.check, remark.where) == (Level.OK, "unit", "here")


def test_of_a_bare_unit_there_is_much_to_say(tmp_path):
    config = make_config(tmp_path)
    found = contradictions(read_files([started(config)]), config, "here")
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
        ("[workers]\ncount = 64", "MemoryMax=20M", Level.ERROR, "MemoryMax is 20 MiB: 64 workers and what is beside them take 488 MiB before a job runs", "MemoryMax=976M"),
        ("[workers]\ncount = 4\nmax_rss_mb = 512", "MemoryMax=67M", Level.ERROR, "MemoryMax is 67 MiB: 4 workers and what is beside them take 68 MiB", "MemoryMax=2048M"),
        ("", "WatchdogSec=0", Level.WARNING, "there is no WatchdogSec", "WatchdogSec=30"),
        ("", "WatchdogSec=2", Level.WARNING, "WatchdogSec is 2 s", "WatchdogSec=5"),
        ("", "Type=exec", Level.WARNING, "Type is exec", "Type=notify"),
        ("[scheduler]\nlease_seconds = 20", "RuntimeDirectoryPreserve=no", Level.WARNING, "there is no RuntimeDirectoryPreserve: what a killed daemon held is back only after its lease of 20 s", "RuntimeDirectoryPreserve=yes"),
        ("", "OOMPolicy=stop", Level.ERROR, "OOMPolicy is stop", "OOMPolicy=continue"),
        ("", "KillSignal=SIGKILL", Level.ERROR, "KillSignal is SIGKILL: a stop kills the daemon in its jobs", "KillSignal=SIGTERM"),
        ("", "KillSignal=QUIT", Level.ERROR, "KillSignal is SIGQUIT: a stop does not drain", "KillSignal=SIGTERM"),
        ("", "KillSignal=10", Level.ERROR, "KillSignal is 10: it is none that stops the daemon", "KillSignal=SIGTERM"),
        ("", "SendSIGKILL=OFF", Level.WARNING, "SendSIGKILL is OFF: a process that hangs outlives the stop", "SendSIGKILL=yes"),
        ("", "KillSignal=HUP", Level.ERROR, "KillSignal is SIGHUP: it is none that stops the daemon", "KillSignal=SIGTERM"),
        ("", "SendSIGKILL=no", Level.WARNING, "SendSIGKILL is no: a process that hangs outlives the stop", "SendSIGKILL=yes"),
        (ELSEWHERE, "PrivateNetwork=True", Level.ERROR, "PrivateNetwork is yes and redis.url leads to a: the daemon does not reach it", "PrivateNetwork=no"),
        (ELSEWHERE, "PrivateNetwork=yes", Level.ERROR, "PrivateNetwork is yes and redis.url leads to a: the daemon does not reach it", "PrivateNetwork=no"),
        ("[http]\nlisten = '127.0.0.1:1'", "PrivateNetwork=yes", Level.WARNING, "PrivateNetwork is yes and http.listen 127.0.0.1:1: nobody reaches the dashboard", "PrivateNetwork=no"),
        (ELSEWHERE, FAMILIES + "AF_UNIX", Level.ERROR, "RestrictAddressFamilies is without AF_INET and AF_INET6 and redis.url leads to a: the daemon", "RestrictAddressFamilies=AF_INET AF_INET6"),
        ("[redis]\nurl = 'rediss://:secret@10.0.0.1:1/0'", FAMILIES + "AF_UNIX AF_INET6", Level.ERROR, "RestrictAddressFamilies is without AF_INET and redis.url leads to 10.0.0.1: the", "RestrictAddressFamilies=AF_INET"),
        ("[redis]\nurl = 'redis://[::1]'", FAMILIES + "~AF_INET6", Level.ERROR, "RestrictAddressFamilies is without AF_INET6 and redis.url leads to ::1: the", "RestrictAddressFamilies=AF_INET6"),
        ("[redis]\nsentinels = ['a']\nservice = 'jobs'", FAMILIES + "AF_UNIX", Level.ERROR, "RestrictAddressFamilies is without AF_INET and AF_INET6 and a Redis behind Sentinels is wanted", "RestrictAddressFamilies=AF_INET AF_INET6"),
        ("[http]\nlisten = '[::1]:1'", FAMILIES + "AF_UNIX AF_INET", Level.WARNING, "RestrictAddressFamilies is without AF_INET6 and http.listen [::1]:1: nobody", "RestrictAddressFamilies=AF_INET6"),
        ("", FAMILIES + "none", Level.ERROR, "RestrictAddressFamilies is without AF_UNIX", "RestrictAddressFamilies=AF_UNIX"),
        ("[redis]\nurl = 'redis://u:secret@10.0.0.1:6379/0'", "IPAddressDeny=any\nIPAddressAllow=localhost", Level.ERROR, "IPAddressDeny is any and redis.url leads to 10.0.0.1: the daemon does not reach it", "IPAddressAllow=10.0.0.1"),
        ("[redis]\nurl = 'redis://:a,b@10.0.0.1/0'", "IPAddressDeny=10.1.2.3/8", Level.ERROR, "IPAddressDeny is 10.1.2.3/8 and redis.url leads to 10.0.0.1: the", "IPAddressAllow=10.0.0.1"),
        ("[redis]\nurl = 'redis://[fe80::1]'", "IPAddressDeny=link-local", Level.ERROR, "IPAddressDeny is link-local and redis.url leads to fe80::1: the", "IPAddressAllow=fe80::1"),
        ("[redis]\nurl = 'redis://localhost'", "IPAddressDeny=127.0.0.0/8 ::1", Level.ERROR, "IPAddressDeny is 127.0.0.0/8 ::1 and redis.url leads to localhost: the", "IPAddressAllow=127.0.0.1 ::1"),
        ("[redis]\nurl = 'redis://localhost'", "IPAddressDeny=any\nIPAddressAllow=::1", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        ("[redis]\nurl = 'redis:///0'", "IPAddressDeny=any", Level.ERROR, "IPAddressDeny is any and redis.url leads to localhost: the", "IPAddressAllow=127.0.0.1 ::1"),
        (ELSEWHERE, "IPAddressDeny=any", Level.ERROR, "IPAddressDeny is any and redis.url leads to a: the", "IPAddressAllow=ITS-ADDRESS"),
        ("[redis]\nsentinels = ['10.0.0.1', '[fd00::2]:7000']\nservice = 'jobs'", "IPAddressDeny=0.0.0.0/0 ::/0", Level.ERROR, "IPAddressDeny is 0.0.0.0/0 ::/0 and a Redis behind Sentinels is wanted: the", "IPAddressAllow=10.0.0.1 fd00::2 ITS-ADDRESS"),
        ("[redis]\nurl = 'redis+sentinel://u:p,q@10.0.0.1:1,10.0.0.2/jobs'", "IPAddressDeny=10.0.0.0/8", Level.ERROR, "IPAddressDeny is 10.0.0.0/8 and a Redis behind Sentinels is wanted: the", "IPAddressAllow=10.0.0.1 10.0.0.2 ITS-ADDRESS"),
        ("[redis]\nurl = 'redis+sentinel://10.0.0.1:26379/m/0'", "IPAddressDeny=any\nIPAddressAllow=10.0.0.1", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        ("[redis]\nsentinels = ['10.0.0.1', '10.0.0.2']\nservice = 'jobs'", "IPAddressDeny=any\nIPAddressAllow=10.0.0.2", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        ("[redis]\nsentinels = ['10.0.0.1']\nservice = 'jobs'", FAMILIES + "AF_UNIX AF_INET6", Level.ERROR, "RestrictAddressFamilies is without AF_INET and a Redis behind Sentinels is wanted", "RestrictAddressFamilies=AF_INET"),
        ("[http]\nlisten = '0.0.0.0:1'", "IPAddressDeny=any\nIPAddressAllow=10.0.0.0/8", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        ("[http]\nlisten = '127.0.0.1:1'", "IPAddressDeny=any", Level.WARNING, "IPAddressDeny is any and http.listen 127.0.0.1:1: nobody reaches the dashboard", "IPAddressAllow=127.0.0.1"),
        (ELSEWHERE, "IPAddressDeny=10.0.0.0/8", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        (ELSEWHERE, "IPAddressDeny=any\nIPAddressAllow=10.0.0.0/8", Level.WARNING, "not judged: IPAddressDeny, which", "see for yourself"),
        ("", "RootDirectory=/srv/root\nEnvironmentFile=-/etc/default/bananasd", Level.WARNING, "not judged: EnvironmentFile, RootDirectory, which may change what the daemon finds or reaches", "see for yourself"),
        ("", "RootImage=/srv/image", Level.WARNING, "not judged: RootImage, which", "see for yourself"),
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
        ("", "KillSignal=SIGINT"),
        ("", "KillSignal=15\nSendSIGKILL=1"),
        ("", "RuntimeDirectoryPreserve=Yes"),
        ("", "SendSIGKILL=TRUE"),
        ("", "PrivateNetwork=yes"),
        ("[redis]\nurl = 'unix:///run/redis.sock'", "PrivateNetwork=yes\n" + FAMILIES + "AF_UNIX"),
        (ELSEWHERE, FAMILIES + "AF_UNIX AF_INET6"),
        ("[workers]\ncount = 64", "MemoryMax=488M"),
        ("", "IPAddressDeny=any"),
        ("[redis]\nurl = 'redis://10.0.0.1'", "IPAddressDeny=any\nIPAddressAllow=10.0.0.0/8"),
        ("[redis]\nurl = 'redis://10.0.0.1'", "IPAddressDeny=any\nIPAddressDeny="),
        ("[redis]\nurl = 'redis://10.0.0.1'", "IPAddressDeny=192.168.0.0/16 nonsense ::/0"),
        (
            "[redis]\nsentinels = ['10.0.0.1', '10.0.0.2']\nservice = 'jobs'",
            "IPAddressDeny=any\nIPAddressDeny=",
        ),
        (
            "[redis]\nsentinels = ['10.0.0.1', '[fd00::2]:7000']\nservice = 'jobs'",
            FAMILIES + "AF_UNIX AF_INET6",
        ),
        ("[redis]\nurl = 'redis://localhost'", "IPAddressDeny=any\nIPAddressAllow=localhost"),
        ("[http]\nlisten = '[::1]:1'", "IPAddressDeny=any\nIPAddressAllow=localhost"),
        ("", "EnvironmentFile=/x\nEnvironmentFile="),
        ("", "KillMode=none\n# a comment that ends so \\\nKillMode=mixed"),
        ("", "KillMode=\\\n# KillMode=none \\\n ; amid it\n  mixed"),
        ("", "KillMode=none\nEnvironment=A=\\\\\nKillMode=mixed\n[Unit]\nKillMode=none"),
        ("", "# KillMode=none\n; KillMode=none\n[Unit]\nKillMode=none"),
        ("", "KillMode=none\nKillMode=mixed\\"),
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


def test_a_unit_that_names_no_configuration_has_the_paths_of_the_default_one_judged(tmp_path):
    config = make_config(tmp_path, 'state_dir = "/srv/nowhere"')
    start = "ExecStart=\nExecStart=/bin/bananasd start\nPrivateTmp=no\nProtectHome=no"
    there = read_files(
        [OURS, f"[Service]\n{start}\nWorkingDirectory={tmp_path}\nReadWritePaths={config.run_dir}"]
    )
    (remark,) = contradictions(there, config, "here")
    assert (remark.level, remark.what) == (
        Level.ERROR,
        "state_dir is /srv/nowhere, and ProtectSystem=strict: the daemon cannot write there",
    )
    (remark,) = contradictions(read_files([OURS, f"[Service]\n{start}"]), config, "here")
    theirs = "/etc/bananasd/bananas.toml"
    assert (remark.level, remark.what) == (
        Level.WARNING,
        f"it starts the daemon with {theirs}, for its ExecStart= names none, and what is judged here is {config.path}",
    )


def test_paths_that_were_not_judged_are_told(tmp_path):
    config = make_config(tmp_path)
    start = "ExecStart=\nExecStart=/bin/bananasd start --config $CONFIG"
    (remark,) = contradictions(read_files([OURS, f"[Service]\n{start}"]), config, "here")
    assert remark.what.endswith(f"the paths of {config.path} were not judged")
    defaults = configuration.load(None, {})
    (remark,) = contradictions(read_files([OURS]), defaults, "here")
    assert remark.what.endswith("what is judged here is the defaults, without a file")


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_is_not_judged_is_told_and_in_the_docs(tmp_path, name):
    ((level, what, _),) = judged(make_config(tmp_path), f"{name}=/x")
    assert (level, what.startswith(f"not judged: {name}, ")) == (Level.WARNING, True)
    assert f"`{name}`" in (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize(
    "text", ["", "[Service]\nType=notify", "[Timer]\nOnCalendar=daily", "\0\x01[Service\ufffd"]
)
def test_what_starts_nothing_is_judged_for_nothing_else(tmp_path, text):
    (remark,) = contradictions(read_files([text]), make_config(tmp_path), "here")
    assert (remark.level, remark.what) == (
        Level.ERROR,
        "there is no [Service] with an ExecStart= in it: it starts no daemon",
    )


@pytest.mark.parametrize(
    "start", ["/usr/sbin/nginx -g 'daemon on;'", "/usr/local/bin/run-jobs", "/opt/bananasd/bin/nginx start"]
)
def test_the_default_configuration_is_taken_for_that_of_no_other_program(tmp_path, start):
    config = make_config(tmp_path)
    settings = read_files([OURS, f"[Service]\nExecStart=\nExecStart={start}"])
    (remark,) = contradictions(settings, config, "here")
    assert (remark.level, remark.what) == (
        Level.WARNING,
        f"its ExecStart= is not 'bananasd start', and may start something else: the paths of {config.path} were not judged",
    )


def test_both_configurations_are_told_by_their_whole_path(tmp_path, monkeypatch):
    make_config(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = configuration.load(Path("bananas.toml"), {})
    (remark,) = contradictions(read_files([OURS]), config, "here")
    assert remark.what.endswith(f"what is judged here is {tmp_path}/bananas.toml")


def test_the_exit_code_of_a_broken_configuration_is_the_daemons():
    assert BROKEN_CONFIG == exits.CONFIG


@pytest.mark.parametrize(("told", "levels"), [("infinity", [Level.OK]), ("0", [Level.WARNING])])
def test_systemd_does_not_tell_the_watchdog_of_a_unit_that_does_not_run(tmp_path, told, levels):
    shown = "Type=notify KillMode=mixed OOMPolicy=continue Restart=on-failure RestartPreventExitStatus=78 LoadState=loaded"
    config = make_config(tmp_path)
    start = f"ExecStart={{ path=/x/bananasd ; argv[]=/x/bananasd start --config {config.path} ; }}"
    settings = read_show("\n".join([*shown.split(), start, f"WatchdogUSec={told}"]))
    assert [remark.level for remark in contradictions(settings, config, "here")] == levels
