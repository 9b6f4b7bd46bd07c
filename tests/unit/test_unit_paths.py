"""Paths of the configuration that a unit keeps from its daemon."""

from pathlib import Path

import pytest
from msgspec import structs

from bananasd import config as configuration
from bananasd.remark import Level
from bananasd.units import sandbox
from bananasd.units.contradictions import contradictions
from bananasd.units.reading import config_of, environment, is_started_with, of_instance, read_files

ROOT = Path(__file__).parents[2]
OURS = (ROOT / "systemd" / "bananasd.service").read_text()


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
        ('run_dir = "/dev/shm/bd"', "ReadOnlyPaths=/dev/shm", Level.ERROR, "run_dir is /dev/shm/bd, and ReadOnlyPaths=/dev/shm: the daemon cannot write there", "set ReadWritePaths=/dev/shm/bd"),
        ('run_dir = "/tmp/jobs"', "", Level.WARNING, "run_dir is /tmp/jobs, and PrivateTmp=yes: commands in a shell do not find the daemon", "set run_dir to another place, or set PrivateTmp=no"),
        ('state_dir = "/var/tmp/jobs"', "", Level.ERROR, "state_dir is /var/tmp/jobs, and PrivateTmp=yes: what is written there is gone when the daemon stops", "set state_dir to another place"),
        ('[redis]\nurl = "rediss://a"\ntls_ca_file = "/home/ca.pem"', "", Level.ERROR, "redis.tls_ca_file is /home/ca.pem, and ProtectHome=yes", "set redis.tls_ca_file to another place"),
        ('state_dir = "/srv/jobs"', "ProtectHome=no\nProtectSystem=strict\nReadOnlyPaths=+/srv", Level.ERROR, "state_dir is /srv/jobs, and ReadOnlyPaths=/srv: the daemon cannot write there", "set ReadWritePaths=/srv/jobs"),
        ('[workers]\nhandlers = "/home/ann/handlers"', "ProtectHome=True", Level.ERROR, "workers.handlers is /home/ann/handlers, and ProtectHome=True: the daemon does not see it", "ProtectHome=no"),
        ('state_dir = "/home/ann/jobs"', "ProtectHome=No", Level.ERROR, "state_dir is /home/ann/jobs, and ProtectSystem=strict: the daemon cannot write there", "ReadWritePaths=/home/ann/jobs"),
        ('state_dir = "/usr/jobs"', "ProtectSystem=ON", Level.ERROR, "state_dir is /usr/jobs, and ProtectSystem=ON: the daemon cannot write there", "set ReadWritePaths=/usr/jobs"),
        ('state_dir = "/tmp/jobs"', "PrivateTmp=Yes", Level.ERROR, "state_dir is /tmp/jobs, and PrivateTmp=yes: what is written there is gone", "PrivateTmp=no"),
        ('state_dir = "/tmp/jobs"', "DynamicUser=Yes", Level.ERROR, "state_dir is /tmp/jobs, and DynamicUser=yes: what is written there is gone when the daemon stops", "set state_dir to another place, or set DynamicUser=no"),
        ('run_dir = "/run"', "", Level.ERROR, "run_dir is /run, and ReadOnlyPaths=/run", "set ReadWritePaths=/run"),
        ('[workers]\nhandlers = "/srv/handlers"', "TemporaryFileSystem=/srv:ro", Level.ERROR, "workers.handlers is /srv/handlers, and TemporaryFileSystem=/srv: the daemon sees another directory there", "take /srv out of TemporaryFileSystem"),
        ('state_dir = "/var/lib/bananasd"', "TemporaryFileSystem=/var/lib/bananasd", Level.ERROR, "state_dir is /var/lib/bananasd, and TemporaryFileSystem=/var/lib/bananasd: what is written there is gone", "take /var/lib/bananasd out of"),
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
        ('state_dir = "/srv/jobs"', "ReadWritePaths=+/srv/jobs -+/x"),
        ('[workers]\nhandlers = "/srv/handlers"', "TemporaryFileSystem=/srv:ro\nBindReadOnlyPaths=/srv/handlers"),
        ('state_dir = "/srv/my jobs/a"', 'ReadWritePaths=/x "/srv/my jobs"'),
        ('state_dir = "/srv/jobs"', "BindPaths=/mnt/disk:/srv/jobs"),
        ('state_dir = "/srv/jobs"', "ReadWritePaths=%h"),
        ('state_dir = "/srv/jobs"', "ProtectSystem=full"),
        ('state_dir = "/srv/jobs"\n[redis]\nurl = "redis://a"', ""),
        ('run_dir = "/var/run/bananasd"', ""),
        ('run_dir = "/dev/shm/bd"', ""),
        ('run_dir = "/dev/shm/bd"', "ProtectSystem=no\nDynamicUser=yes"),
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


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        ("/var/log/jobs/log", "set LogsDirectory=jobs"),
        ("/var/log/jobs/deep/log", "set LogsDirectory=jobs/deep"),
        ("/var/log/jobs.log", "set log.file to /var/log/bananasd/jobs.log and LogsDirectory=bananasd"),
        ("/jobs.log", "set log.file to /var/log/bananasd/jobs.log and LogsDirectory=bananasd"),
        ("/srv/jobs/log", "set ReadWritePaths=/srv/jobs"),
    ],
)
def test_what_a_unit_is_to_open_for_a_log_file_is_its_directory(tmp_path, file, remedy):
    assert [found for _, _, found in told_of_paths(tmp_path, f"log = {{ file = '{file}' }}")] == [remedy]


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A directory that the unit takes for a home, and a path beside it that leads there."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(sandbox, "HOMES", (str(home),))
    link = tmp_path / "srv"
    link.symlink_to(home)
    return home, link


OPEN = "PrivateTmp=no\nReadOnlyPaths=\nReadWritePaths=/"


def test_a_path_is_judged_by_where_its_links_lead(tmp_path, outside):
    home, link = outside
    text = f"[workers]\nhandlers = '{link}/handlers'"
    ((level, what, _),) = told_of_paths(tmp_path, text, OPEN)
    assert (level, what) == (
        Level.ERROR,
        f"workers.handlers is {link}/handlers, which leads to {home}/handlers, and ProtectHome=yes: the daemon does not see it",
    )


def test_a_link_itself_is_only_read(tmp_path, outside):
    home, link = outside
    permitted = f"PrivateTmp=no\nReadOnlyPaths={tmp_path}\nProtectHome=no\nReadWritePaths={home}"
    assert told_of_paths(tmp_path, f"state_dir = '{link}/state'", permitted) == []
    hidden = f"{permitted}\nInaccessiblePaths={tmp_path}/srv/state"
    (home / "state").mkdir()
    ((_, what, _),) = told_of_paths(tmp_path, f"state_dir = '{link}/state'", hidden)
    assert "the daemon does not see it" in what


def test_a_link_in_a_private_place_is_not_there_for_the_daemon(tmp_path, outside, monkeypatch):
    home, link = outside
    monkeypatch.setattr(sandbox, "TEMPORARY", (str(link.parent),))
    away = f"ReadOnlyPaths=\nReadWritePaths={home}"
    # One thing at a time: with ProtectHome it is not there either where the link leads.
    for drop_in in (f"ProtectHome=no\n{away}", away):
        ((_, what, _),) = told_of_paths(tmp_path, f"state_dir = '{link}/state'", drop_in)
        assert (
            what == f"state_dir is {link}/state, and PrivateTmp=yes: the daemon sees another directory there"
        )


def test_what_a_unit_says_of_a_link_holds_for_where_it_leads(tmp_path, outside):
    home, link = outside
    permitted = f"PrivateTmp=no\nProtectHome=no\nReadWritePaths={link}"
    assert told_of_paths(tmp_path, f"state_dir = '{home}/state'", permitted) == []
    hidden = f"{permitted}\nInaccessiblePaths={link}/state"
    ((_, what, _),) = told_of_paths(tmp_path, f"state_dir = '{home}/state'", hidden)
    assert (
        what == f"state_dir is {home}/state, and InaccessiblePaths={link}/state: the daemon does not see it"
    )


def test_what_a_unit_says_of_a_link_holds_for_that_itself(tmp_path, outside):
    _, link = outside
    hidden = f"PrivateTmp=no\nProtectHome=no\nReadWritePaths=/\nInaccessiblePaths={link}"
    ((_, what, _),) = told_of_paths(tmp_path, f"state_dir = '{link}/state'", hidden)
    assert what == f"state_dir is {link}/state, and InaccessiblePaths={link}: the daemon does not see it"


def test_links_in_a_circle_lead_nowhere(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert told_of_paths(tmp_path, f"[workers]\nhandlers = '{tmp_path}/a'", OPEN) == []
    settings = make_settings(f"ExecStart=\nExecStart=/bin/bananasd start --config {tmp_path}/a")
    assert not is_started_with(settings, tmp_path / "bananas.toml")
