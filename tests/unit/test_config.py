"""The configuration: what a file may say, what it means, and what is said about a file that is wrong."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bananasd import config, cores, directories
from bananasd import settings as settings_module
from bananasd.contradictions import risks
from bananasd.errors import ConfigError
from bananasd.job import Priority
from bananasd.retry import Retry, RetryPolicy
from bananasd.settings import (
    HttpConfig,
    LogConfig,
    MasterConfig,
    PoolConfig,
    RedisConfig,
    RetentionConfig,
    RetryConfig,
    SchedulerConfig,
    WorkersConfig,
)


@pytest.fixture
def load(tmp_path):
    """Load a file with this text, in an otherwise empty environment."""

    def load(text, environ=None):
        path = tmp_path / "bananas.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return config.load(path, environ or {})

    return load


@pytest.fixture
def problems(load, tmp_path):
    """The problems of a file with this text, without the directory of the file."""

    def problems(text, environ=None):
        with pytest.raises(ConfigError) as caught:
            load(text, environ)
        return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]

    return problems


# What a file means


def test_an_empty_file_gives_the_defaults_of_the_design(load, tmp_path):
    loaded = load("", {"HOME": "/home/ann"})
    assert loaded == config.Config(
        path=tmp_path / "bananas.toml",
        namespace="default",
        node_name=socket.gethostname(),
        run_dir=Path(f"/tmp/bananasd-{os.getuid()}"),
        state_dir=Path("/home/ann/.local/state/bananasd"),
        redis=RedisConfig(url="embedded", password_file=None, timeout_seconds=5),
        workers=WorkersConfig(
            count=cores.usable_cores(),
            handlers=tmp_path / "handlers",
            queues=("default",),
            priorities=(Priority.HIGH, Priority.NORMAL, Priority.LOW),
            fairness=0,
            timeout_seconds=300,
            grace_seconds=5,
            preload=False,
            max_jobs=0,
            max_age_seconds=0,
            max_rss_mb=0,
            max_recoveries=3,
        ),
        pools=(),
        master=MasterConfig(drain_seconds=30),
        scheduler=SchedulerConfig(beat_seconds=3, lease_seconds=15),
        retry=RetryConfig(max_retries=5, base_seconds=2, factor=2, cap_seconds=3600, jitter=0),
        retention=RetentionConfig(
            completed_seconds=86400,
            dead_seconds=604800,
            dead_count=1_000_000,
            result_seconds=3600,
            failure_seconds=86400,
            result_bytes=1_048_576,
        ),
        http=HttpConfig(listen="", token_file=None, read_only=False),
        log=LogConfig(level="info", format="auto"),
    )


def test_without_a_file_the_defaults_hold_and_paths_start_at_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    loaded = config.load(None, {})
    assert loaded.path is None
    assert loaded.workers.handlers == tmp_path / "handlers"


def test_every_setting_can_be_set(load, tmp_path):
    loaded = load("""
        namespace = "shop"
        node_name = "web-1.example.org"
        run_dir = "run"
        state_dir = "/var/lib/shop"
        [redis]
        url = "rediss://cache:6380/2"
        password_file = "secret/redis"
        tls_ca_file = "ca.pem"
        tls_cert_file = "/etc/ssl/our.pem"
        tls_key_file = "our.key"
        timeout_seconds = 0.5
        [workers]
        count = 7
        handlers = "../code/jobs"
        queues = ["gpu", "default"]
        priorities = ["normal", "low"]
        fairness = 10
        timeout_seconds = 0
        grace_seconds = 0
        preload = true
        max_jobs = 1000
        max_age_seconds = 3600.5
        max_rss_mb = 512
        max_recoveries = 1
        [[pools]]
        name = "urgent"
        workers = 2
        queues = ["default"]
        priorities = ["high"]
        [[pools]]
        name = "slow"
        workers = 1
        queues = ["reports", "gpu"]
        fairness = 3
        [master]
        drain_seconds = 8
        [scheduler]
        beat_seconds = 0.2
        lease_seconds = 1
        [retry]
        max_retries = 0
        base_seconds = 0.1
        factor = 1.5
        cap_seconds = 0.2
        jitter = 0.25
        [retention]
        completed_seconds = 60
        dead_seconds = 1
        dead_count = 10
        result_seconds = 20
        failure_seconds = 30
        result_bytes = 100
        [http]
        listen = "[::]:8580"
        token_file = "token"
        read_only = true
        [log]
        level = "debug"
        format = "json"
    """)
    assert loaded == config.Config(
        path=tmp_path / "bananas.toml",
        namespace="shop",
        node_name="web-1.example.org",
        run_dir=tmp_path / "run",
        state_dir=Path("/var/lib/shop"),
        redis=RedisConfig(
            url="rediss://cache:6380/2",
            password_file=tmp_path / "secret/redis",
            tls_ca_file=tmp_path / "ca.pem",
            tls_cert_file=Path("/etc/ssl/our.pem"),
            tls_key_file=tmp_path / "our.key",
            timeout_seconds=0.5,
        ),
        workers=WorkersConfig(
            count=7,
            handlers=tmp_path.parent / "code/jobs",
            queues=("gpu", "default"),
            priorities=(Priority.NORMAL, Priority.LOW),
            fairness=10,
            timeout_seconds=0,
            grace_seconds=0,
            preload=True,
            max_jobs=1000,
            max_age_seconds=3600.5,
            max_rss_mb=512,
            max_recoveries=1,
        ),
        pools=(
            PoolConfig(name="urgent", workers=2, queues=("default",), priorities=(Priority.HIGH,)),
            PoolConfig(name="slow", workers=1, queues=("reports", "gpu"), fairness=3),
        ),
        master=MasterConfig(drain_seconds=8),
        scheduler=SchedulerConfig(beat_seconds=0.2, lease_seconds=1),
        retry=RetryConfig(max_retries=0, base_seconds=0.1, factor=1.5, cap_seconds=0.2, jitter=0.25),
        retention=RetentionConfig(
            completed_seconds=60,
            dead_seconds=1,
            dead_count=10,
            result_seconds=20,
            failure_seconds=30,
            result_bytes=100,
        ),
        http=HttpConfig(listen="[::]:8580", token_file=tmp_path / "token", read_only=True),
        log=LogConfig(level="debug", format="json"),
    )


def test_the_configuration_cannot_be_changed(load):
    with pytest.raises(AttributeError):
        load("").workers.count = 3


def test_the_workers_of_the_first_section_are_a_pool_without_a_name(load):
    loaded = load("""
        [workers]
        count = 3
        queues = ["mail"]
        priorities = ["low"]
        fairness = 5
        [[pools]]
        name = "slow"
        workers = 2
        queues = ["reports"]
    """)
    default, slow = loaded.all_pools
    assert default == PoolConfig(name="", workers=3, queues=("mail",), priorities=(Priority.LOW,), fairness=5)
    assert (slow.name, slow.priorities) == ("slow", tuple(Priority))
    assert loaded.worker_count == 5


def test_pools_are_beside_one_worker_per_core(load):
    loaded = load('[workers]\ncount = 0\n[[pools]]\nname = "slow"\nworkers = 2\nqueues = ["reports"]')
    assert loaded.worker_count == cores.usable_cores() + 2


def test_a_duration_may_be_whole_or_broken_and_is_always_a_float(load):
    assert isinstance(load("[master]\ndrain_seconds = 9").master.drain_seconds, float)
    assert load("[master]\ndrain_seconds = 9.5").master.drain_seconds == 9.5


def test_a_lease_of_exactly_three_beats_is_allowed_whatever_binary_fractions_make_of_it(load):
    loaded = load("[scheduler]\nbeat_seconds = 0.2\nlease_seconds = 0.6")
    assert loaded.scheduler.lease_seconds == 0.6


def test_the_retry_settings_make_the_policy(load):
    policy = load("[retry]\nmax_retries = 3\nbase_seconds = 1\njitter = 0.5").retry.policy()
    assert policy == RetryPolicy(3, Retry(base_seconds=1, factor=2, cap_seconds=3600, jitter=0.5))


def test_values_that_leave_a_setting_open_are_as_if_it_were_not_there(load):
    text = 'node_name = ""\nrun_dir = ""\nstate_dir = ""\n[redis]\npassword_file = ""\nservice = ""\nsentinels = []\nsentinel_password_file = ""\n[workers]\ncount = 0\n[http]\nlisten = ""\ntoken_file = ""'
    assert load(text) == load("")


def test_a_tilde_in_a_path_is_the_home_directory(load, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert load('state_dir = "~/bananas"').state_dir == Path("/home/ann/bananas")


def test_paths_are_relative_to_the_file_also_when_it_was_named_relatively(monkeypatch, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "b.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert config.load(Path("etc/b.toml"), {}).workers.handlers == tmp_path / "etc" / "handlers"


def test_the_environment_overrides_the_url(load):
    loaded = load('[redis]\nurl = "redis://a"', {"BANANAS_REDIS_URL": "redis://b"})
    assert loaded.redis.url == "redis://b"
    assert not loaded.redis.is_embedded


def test_an_empty_variable_overrides_nothing(load):
    assert load("", {"BANANAS_REDIS_URL": ""}).redis.is_embedded


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0",
        "rediss://:pw@h",
        "redis+sentinel://:pw@a,b:7/jobs",
        "unix:///run/r.sock?db=1",
        "embedded",
    ],
)
def test_these_addresses_are_taken(load, url):
    assert load(f'[redis]\nurl = "{url}"').redis.url == url


# Where a file is looked for


def test_a_named_file_is_taken_even_if_it_is_missing():
    assert config.find(Path("missing.toml")) == Path("missing.toml")


def test_the_first_default_file_that_exists_is_taken(monkeypatch, tmp_path):
    system_file = tmp_path / "etc.toml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "DEFAULT_PATHS", (Path("bananas.toml"), system_file))
    assert config.find(None) is None
    system_file.touch()
    assert config.find(None) == system_file
    Path("bananas.toml").touch()
    assert config.find(None) == Path("bananas.toml")


def test_the_default_files_are_those_of_the_design():
    assert (Path("bananas.toml"), Path("/etc/bananasd/bananas.toml")) == config.DEFAULT_PATHS


# Directories


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"RUNTIME_DIRECTORY": "/run/bananasd", "XDG_RUNTIME_DIR": "/run/user/7"}, "/run/bananasd"),
        ({"RUNTIME_DIRECTORY": "/run/one:/run/two"}, "/run/one"),
        ({"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/bananasd"),
        ({"XDG_RUNTIME_DIR": "relative"}, f"/tmp/bananasd-{os.getuid()}"),
        ({}, f"/tmp/bananasd-{os.getuid()}"),
    ],
)
def test_the_run_dir_comes_from_systemd_or_the_user_or_tmp(environ, wanted):
    assert config.load(None, environ).run_dir == Path(wanted)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"STATE_DIRECTORY": "/var/lib/bananasd", "XDG_STATE_HOME": "/s"}, "/var/lib/bananasd"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/home/ann"}, "/s/bananasd"),
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/bananasd"),
        ({}, str(Path.home() / ".local/state/bananasd")),
    ],
)
def test_the_state_dir_comes_from_systemd_or_the_user(environ, wanted):
    assert config.load(None, environ).state_dir == Path(wanted)


def test_a_directory_in_the_file_wins_over_the_environment_and_is_not_made(load, tmp_path):
    loaded = load('run_dir = "r"\nstate_dir = "s"', {"RUNTIME_DIRECTORY": "/run/x", "STATE_DIRECTORY": "/x"})
    assert (loaded.run_dir, loaded.state_dir) == (tmp_path / "r", tmp_path / "s")
    assert not loaded.run_dir.exists()


def test_the_socket_of_the_embedded_server_lies_in_the_run_dir():
    assert directories.socket_url(Path("/run/bananasd")) == "unix:///run/bananasd/redis.sock"


# Passwords


def test_a_password_is_read_from_its_file_without_the_line_end(load, tmp_path):
    (tmp_path / "pw").write_text("s3cret \r\n")
    redis = load('[redis]\nurl = "redis://h"\npassword_file = "pw"').redis
    assert redis.read_password() == "s3cret "


def test_without_a_password_file_there_is_no_password(load):
    assert load('[redis]\nurl = "redis://h"').redis.read_password() is None


def test_systemd_hands_the_password_over_as_a_credential(load, tmp_path):
    (tmp_path / "redis_password").write_text("s3cret")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load('[redis]\nurl = "redis://h"', environ).redis.read_password() == "s3cret"
    assert load("", environ).redis.read_password() is None, "the embedded server has none"


def test_sentinels_have_a_password_file_and_a_credential_of_their_own(load, tmp_path):
    (tmp_path / "redis_sentinel_password").write_text("s3cret\n")
    (tmp_path / "pw").write_text("0ther\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    service = '[redis]\nsentinels = ["a"]\nservice = "jobs"'
    assert load(service, environ).redis.read_sentinel_password() == "s3cret"
    assert load(service, environ).redis.read_password() is None
    chosen = load(f'{service}\nsentinel_password_file = "pw"', environ).redis
    assert chosen.read_sentinel_password() == "0ther"
    assert load('[redis]\nurl = "redis://h"', environ).redis.read_sentinel_password() is None


def test_a_password_file_of_the_configuration_wins_over_the_credential(load, tmp_path):
    (tmp_path / "redis_password").touch()
    loaded = load(
        '[redis]\nurl = "redis://h"\npassword_file = "pw"', {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    assert loaded.redis.password_file == tmp_path / "pw"


def test_a_credentials_directory_without_our_credential_is_fine(load, tmp_path):
    assert load("", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).redis.password_file is None


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(None, "No such file"), (b"\n", "holds no password"), (b"\xff\xfe", "cannot be read")],
)
def test_a_password_file_that_is_no_use_is_a_clear_error(load, tmp_path, content, wanted):
    if content is not None:
        (tmp_path / "pw").write_bytes(content)
    redis = load('[redis]\nurl = "redis://h"\npassword_file = "pw"').redis
    with pytest.raises(ValueError, match=wanted) as caught:
        redis.read_password()
    assert str(caught.value).count(str(tmp_path / "pw")) == 1


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/null", "pipe"])
def test_a_secret_is_read_from_a_regular_file_only(load, tmp_path, target):
    """Neither without end, nor when somebody writes to it at last; through links, as every file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(target)
    loaded = load(
        '[redis]\nurl = "redis://h"\npassword_file = "link"\n[http]\nlisten = "127.0.0.1:1"\ntoken_file = "link"'
    )
    for read, what in ((loaded.redis.read_password, "password"), (loaded.http.read_token, "token")):
        with pytest.raises(ValueError, match="is no regular file") as caught:
            read()
        wanted = "is no regular file, but a pipe or a device; name a file that holds only the {}"
        assert str(caught.value) == f"{tmp_path}/link: {wanted.format(what)}"


@pytest.mark.parametrize(
    "content",
    [
        "root:*:19000\nbin:*:19000\n",
        "pass\0word\n",
        "pass\tword",
        "pass\rword",
        "\x1b[2Jpass",
        "pass\x7f",
        "\npass",
    ],
)
def test_a_secret_is_one_line_of_text(load, tmp_path, content):
    """A file with more was named by mistake, and would only be found out by what refuses it."""
    redis = load('[redis]\nurl = "redis://h"\npassword_file = "pw"').redis
    (tmp_path / "pw").write_bytes(content.encode())
    with pytest.raises(ValueError, match="pw: holds more than one line, or control characters; ") as caught:
        redis.read_password()
    assert str(caught.value).endswith("name a file that holds only the password, in one line")


def test_a_byte_order_mark_is_no_part_of_a_secret(load, tmp_path):
    redis = load('[redis]\nurl = "redis://h"\npassword_file = "pw"').redis
    (tmp_path / "pw").write_bytes("\ufeffpäss word\r\n".encode())
    assert redis.read_password() == "päss word"


def test_a_secret_behind_links_is_read_and_one_too_large_is_not(load, tmp_path):
    redis = load('[redis]\nurl = "redis://h"\npassword_file = "link"').redis
    (tmp_path / "link").symlink_to("pw")
    (tmp_path / "pw").write_text("x" * 65536)
    assert redis.read_password() == "x" * 65536
    (tmp_path / "pw").write_text("x" * 65537)
    with pytest.raises(
        ValueError, match="link: has more than 64 KiB; name a file that holds only the password"
    ):
        redis.read_password()


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "bananas.toml"
    path.write_bytes(b'\xef\xbb\xbfnamespace = "shop"\n')
    assert config.load(path, {}).namespace == "shop"


@pytest.mark.parametrize(
    "line",
    [
        'url = "redis//:hunter2@h"',
        'url = "http://:hunter2@h"',
        'url = "hunter2@h:6379"',
        'url = "redis://:hunter2 @h"',
        'url = ["redis://:hunter2@h"]',
        'password = "hunter2"',
        "password_file = ['hunter2']",
        'timeout_seconds = "redis://:hunter2@h"',
        'sentinels = [":hunter2@h:26379"]',
        'sentinel_password_file = ["hunter2"]',
        'url = "redis://h"\nusername = "redis://u:hunter2@h"',
    ],
)
def test_no_problem_shows_a_password(problems, line):
    found = problems(f"[redis]\n{line}")
    assert found
    assert "hunter2" not in "".join(found)


def test_no_problem_shows_a_password_of_the_environment(problems):
    (problem,) = problems("", {"BANANAS_REDIS_URL": "redi://u:hunter2@h"})
    assert problem.startswith('$BANANAS_REDIS_URL: "redi://…": must be "embedded", or a URL')


# What is said about a file that is wrong


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[workers]\ncuont = 3", "workers.cuont: unknown key; did you mean 'count'?"),
        ('namespcae = "a"', "namespcae: unknown key; did you mean 'namespace'?"),
        ("[wrokers]\ncount = 3", "wrokers: unknown section; did you mean 'workers'?"),
        ("[xyzzy]\na = 1", "xyzzy: unknown section"),
        ("[[xyzzy]]\na = 1", "xyzzy: unknown section"),
        ("xyzzy = []", "xyzzy: unknown key"),
        ("[log]\nxyzzy = 1", "log.xyzzy: unknown key"),
        (
            "[log.level]\na = 1",
            'log.level: {"a": 1}: must be one of "debug", "info", "warning", "error", "critical"',
        ),
        ("drain_seconds = 9", "drain_seconds: unknown key; did you mean 'master.drain_seconds'?"),
        (
            "timeout_seconds = 9",
            "timeout_seconds: unknown key; did you mean 'redis.timeout_seconds' or 'workers.timeout_seconds'?",
        ),
        ('[log]\nnamespace = "a"', "log.namespace: unknown key; did you mean 'namespace'?"),
        ('path = "a"', "path: unknown key"),
        ('"redis.url" = "a"', '"redis.url": unknown key'),
        ('[redis]\n"a\\nb" = 1', 'redis."a\\nb": unknown key'),
        ("workers = 3", "workers: is a section: write [workers], and its keys in the lines below"),
        ("[[workers]]", "workers: is a section: write [workers], and its keys in the lines below"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_likely_meant(problems, text, wanted):
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"bananas.toml: {wanted}")


POOL = '[[pools]]\nname = "a"\nworkers = 1\nqueues = ["default"]\n'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            '[pools]\nname = "a"',
            "pools: is a list of sections: write [[pools]] for each, and its keys in the lines below",
        ),
        ("pools = 3", "pools: is a list of sections: write [[pools]] for each"),
        ("pools = [3]", "pools: is a list of sections: write [[pools]] for each"),
        ('[[pool]]\nname = "a"', "pool: unknown section; did you mean 'pools'?"),
        (POOL + "wrokers = 3", "pools[1].wrokers: unknown key; did you mean 'workers'?"),
        (POOL + "max_jobs = 3", "pools[1].max_jobs: unknown key; did you mean 'workers.max_jobs'?"),
        (
            'priorities = ["low"]',
            "priorities: unknown key; did you mean 'workers.priorities' or 'pools.priorities'?",
        ),
        (
            '[[pools]]\nname = "a"\nworkers = 1',
            "pools[1].queues: is missing: must be a list of names of 1 to 64 letters",
        ),
        (
            POOL.replace('["default"]', "[]"),
            "pools[1].queues: []: must be a list of names of 1 to 64 letters",
        ),
        (POOL.replace("= 1", "= 0"), "pools[1].workers: 0: must be a whole number from 1 to 1000"),
        (POOL.replace('"a"', '"a b"'), "pools[1].name: \"a b\": must be 1 to 64 letters, digits, '_' or '-'"),
        (POOL.replace('"a"', '""'), "pools[1].name: \"\": must be 1 to 64 letters, digits, '_' or '-'"),
        (
            POOL + 'priorities = ["hihg"]',
            'pools[1].priorities: ["hihg"]: must be a list with one or more of "high", "normal", "low"',
        ),
        (POOL + "priorities = []", "pools[1].priorities: []: must be a list with one or more"),
        (
            POOL + 'priorities = ["low", "low"]',
            'pools[1].priorities: ["low", "low"]: must not name a priority twice',
        ),
        (POOL + "fairness = -1", "pools[1].fairness: -1: must be a whole number from 0 to 1000"),
        (POOL.replace('t"]', 't", "default"]'), 'pools[1].queues: ["default", "default"]: must not name'),
        (
            POOL + POOL,
            'pools[2].name: "a": is the name of pools[1] already; give each pool a name of its own',
        ),
        ('"pools[1].name" = "a"', '"pools[1].name": unknown key'),
        ('[workers]\n"pools[1]" = 3', 'workers."pools[1]": unknown key'),
    ],
)
def test_what_is_wrong_with_a_pool_is_told_with_its_place(problems, text, wanted):
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"bananas.toml: {wanted}")


def test_all_that_is_wrong_with_pools_is_told_at_once(problems):
    found = problems("""
        [[pools]]
        nmae = "a"
        workers = 0
        [[pools]]
        name = "b"
        workers = 1
        queues = []
        [[pools]]
        name = "b"
        workers = 1
        queues = ["x"]
        priorities = ["urgent"]
    """)
    assert [problem.split(": ")[1] for problem in found] == [
        "pools[1].nmae",
        "pools[1].workers",
        "pools[1].name",
        "pools[1].queues",
        "pools[2].queues",
        "pools[3].priorities",
        "pools[3].name",
    ]


CENTURY = 100 * 365 * 86400


@pytest.mark.parametrize(
    ("section", "line", "wanted"),
    [
        ("", "namespace = 3", "3: must be 1 to 64 letters, digits, '_' or '-', in quotes"),
        ("", 'namespace = ""', "\"\": must be 1 to 64 letters, digits, '_' or '-', in quotes"),
        ("", 'namespace = "a b"', '"a b": must be 1 to 64 letters'),
        ("", 'namespace = "a\\n"', '"a\\n": must be 1 to 64 letters'),
        ("", f'namespace = "{"a" * 65}"', f'"{"a" * 65}": must be 1 to 64 letters'),
        (
            "",
            'node_name = "a/b"',
            "\"a/b\": must be 1 to 64 printable ASCII characters without '/' and spaces",
        ),
        ("", 'node_name = "a b"', '"a b": must be 1 to 64 printable'),
        ("", 'node_name = "a\\u0000"', '"a\\u0000": must be 1 to 64 printable'),
        ("", "run_dir = 3", "3: must be the path of a directory"),
        ("", 'state_dir = "a\\u0000b"', '"a\\u0000b": must be the path of a directory'),
        (
            "redis",
            "url = 3",
            '…: must be "embedded", or a URL that begins with redis://, rediss://, unix:// or redis+sentinel://',
        ),
        ("redis", 'url = "embeded"', '"embeded…": must be "embedded", or a URL'),
        ("redis", 'url = ""', '…: must be "embedded", or a URL'),
        ("redis", 'url = "localhost:6379"', '…: must be "embedded", or a URL'),
        ("redis", 'url = "redis://"', '"redis://…": must be "embedded", or a URL'),
        ("redis", 'sentinels = "a:1"', '…: must be a list of addresses "HOST:PORT", without passwords'),
        ("redis", 'sentinels = ["redis://a"]', "…: must be a list of addresses"),
        ("redis", 'sentinels = ["a,b"]', "…: must be a list of addresses"),
        ("redis", 'sentinels = [""]', "…: must be a list of addresses"),
        ("redis", "service = 3", "3: must be a name of letters, digits, '.', '_' or '-', in quotes"),
        ("redis", 'service = "a/b"', '"a/b": must be a name of letters'),
        ("redis", "password_file = 3", "…: must be the path of a file"),
        ("redis", "timeout_seconds = 0", "0: must be a number of seconds from 0.01 to 3600"),
        ("redis", "timeout_seconds = true", "true: must be a number of seconds from 0.01 to 3600"),
        ("redis", "timeout_seconds = nan", "NaN: must be a number of seconds from 0.01 to 3600"),
        ("workers", "count = -1", "-1: must be a whole number from 0 to 1000"),
        ("workers", "count = 1.5", "1.5: must be a whole number from 0 to 1000"),
        ("workers", "count = 0.0", "0.0: must be a whole number from 0 to 1000"),
        ("workers", "count = false", "false: must be a whole number from 0 to 1000"),
        ("workers", 'count = "four"', '"four": must be a whole number from 0 to 1000'),
        ("workers", "count = 2024-01-01", '"2024-01-01": must be a whole number from 0 to 1000'),
        ("workers", 'handlers = ""', '"": must be the path of a directory'),
        ("workers", "queues = []", "[]: must be a list of names of 1 to 64 letters, digits, '_' or '-'"),
        ("workers", 'queues = "default"', '"default": must be a list of names'),
        ("workers", 'queues = ["a", "b:c"]', '["a", "b:c"]: must be a list of names'),
        ("workers", 'queues = ["a", 3]', '["a", 3]: must be a list of names'),
        ("workers", 'queues = ["a", "b", "a"]', '["a", "b", "a"]: must not name a queue twice'),
        (
            "workers",
            'priorities = "low"',
            '"low": must be a list with one or more of "high", "normal", "low"',
        ),
        ("workers", 'priorities = ["low", "low"]', '["low", "low"]: must not name a priority twice'),
        ("workers", "fairness = 1001", "1001: must be a whole number from 0 to 1000"),
        ("workers", "timeout_seconds = -1", f"-1: must be a number of seconds from 0 to {CENTURY}"),
        ("workers", "timeout_seconds = inf", f"Infinity: must be a number of seconds from 0 to {CENTURY}"),
        ("workers", "preload = 1", "1: must be true or false"),
        ("workers", "max_recoveries = 0", "0: must be a whole number from 1 to 1000"),
        ("workers", "max_jobs = 0x" + "f" * 9000, "a number of thousands of digits: must be a whole number"),
        ("master", "drain_seconds = 7.9", "7.9: must be a number of seconds from 8 to 86400"),
        ("scheduler", "beat_seconds = 0", "0: must be a number of seconds from 0.01 to 3600"),
        ("retry", "max_retries = 2.0", "2.0: must be a whole number from 0 to 1000000"),
        ("retry", "factor = 0.5", "0.5: must be a number from 1 to 1000"),
        ("retry", "jitter = 1.01", "1.01: must be a number from 0 to 1"),
        ("retention", "completed_seconds = 59", f"59: must be a number of seconds from 60 to {CENTURY}"),
        ("retention", "dead_count = 0", "0: must be a whole number from 1 to 1000000000"),
        ("log", 'level = "INFO"', '"INFO": must be one of "debug", "info", "warning", "error", "critical"'),
        ("log", 'format = "xml"', '"xml": must be one of "auto", "text", "json"'),
    ],
)
def test_a_wrong_value_is_shown_with_what_would_be_right(problems, section, line, wanted):
    found = problems(f"[{section}]\n{line}" if section else line)
    name = f"{section}.{line.split()[0]}".lstrip(".")
    assert len(found) == 1
    assert found[0].startswith(f"bananas.toml: {name}: {wanted}")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "[scheduler]\nlease_seconds = 8",
            "scheduler.lease_seconds: 8: must be at least 3 times beat_seconds (3), or one late beat loses the lease",
        ),
        (
            "[workers]\ngrace_seconds = 30",
            "workers.grace_seconds: 30: must be below master.drain_seconds (30), which ends every job",
        ),
        (
            "[retry]\ncap_seconds = 1",
            "retry.cap_seconds: 1: must not be below base_seconds (2), the first delay",
        ),
        (
            'run_dir = "/var/x"\nstate_dir = "/var/x"',
            'state_dir: "/var/x": must not be run_dir, which holds what does not outlive the daemon',
        ),
        (
            '[redis]\npassword_file = "pw"',
            "redis.password_file: the embedded server has no password; set redis.url, or leave this out",
        ),
        (
            '[redis]\nurl = "redis://h"\nsentinels = ["a"]\nservice = "jobs"',
            "redis.sentinels: redis.url says where the server is, too; leave one of them out",
        ),
        (
            '[redis]\nsentinels = ["a"]',
            "redis.service: the Sentinels know servers by name; set it to the name of the one that is wanted",
        ),
        (
            '[redis]\nservice = "jobs"',
            "redis.service: it is the name of a server to Sentinels; set redis.sentinels, or leave this out",
        ),
        (
            '[redis]\nurl = "redis://h"\nsentinel_password_file = "pw"',
            "redis.sentinel_password_file: no Sentinel is asked; set redis.sentinels, or leave this out",
        ),
        (
            '[redis]\nurl = "redis://h"\ntls_ca_file = "ca.pem"',
            "redis.tls_ca_file: no server is asked by TLS; let redis.url begin with rediss://, or leave this out",
        ),
        (
            '[redis]\ntls_cert_file = "our.pem"',
            "redis.tls_cert_file: no server is asked by TLS; let redis.url begin with rediss://, or leave this out",
        ),
        (
            '[redis]\nurl = "rediss://h"\ntls_ca_file = "ca.pem"\ntls_key_file = "our.key"',
            "redis.tls_key_file: it is the key of no certificate; set redis.tls_cert_file, or leave this out",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_a_problem(problems, text, wanted):
    assert problems(text) == [f"bananas.toml: {wanted}"]


def test_a_contradiction_with_a_rejected_value_is_not_reported(problems):
    assert len(problems("[scheduler]\nbeat_seconds = true\nlease_seconds = 1")) == 1


def test_the_embedded_server_of_the_environment_does_not_make_a_contradiction(load):
    text = '[redis]\nurl = "redis://h"\npassword_file = "pw"'
    assert load(text, {"BANANAS_REDIS_URL": "embedded"}).redis.is_embedded


def test_the_variable_takes_the_place_of_sentinels_and_contradicts_nothing(load):
    text = """
        [redis]
        sentinels = ["a", "b:7000"]
        service = "jobs"
        password_file = "pw"
        sentinel_password_file = "pw"
    """
    assert load(text).redis.sentinels == ("a", "b:7000")
    assert not load(text).redis.is_embedded
    for url in ("embedded", "redis://h"):
        redis = load(text, {"BANANAS_REDIS_URL": url}).redis
        assert (redis.url, redis.sentinels, redis.service) == (url, (), "")
        assert redis.read_sentinel_password() is None


@pytest.mark.parametrize(
    ("scheduler", "timeout", "wanted"),
    [
        (
            "beat_seconds = 3\nlease_seconds = 9.9",
            5,
            "9.9: is less than beat_seconds + redis.timeout_seconds + 2 (10):",
        ),
        ("", 10.5, "15: is less than beat_seconds + redis.timeout_seconds + 2 (15.5):"),
        ("beat_seconds = 0.2\nlease_seconds = 1", 1, "1: is less than"),
    ],
)
def test_a_lease_that_a_hanging_connection_could_cost_is_a_risk_but_no_problem(
    load, tmp_path, scheduler, timeout, wanted
):
    (risk,) = risks(load(f"[scheduler]\n{scheduler}\n[redis]\ntimeout_seconds = {timeout}"))
    assert risk.startswith(f"{tmp_path}/bananas.toml: scheduler.lease_seconds: {wanted}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[scheduler]\nlease_seconds = 10",
        "[scheduler]\nbeat_seconds = 0.1\nlease_seconds = 2.3\n[redis]\ntimeout_seconds = 0.2",
    ],
)
def test_the_defaults_and_a_lease_that_is_just_long_enough_are_no_risk(load, text):
    assert list(risks(load(text))) == []


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(problems):
    found = problems("""
        namespace = "a b"
        colour = "blue"
        [workers]
        cuont = 3
        preload = "yes"
        queues = ["a", "a"]
        [scheduler]
        lease_seconds = 1
        [shedules]
    """)
    assert [problem.split(": ")[1] for problem in found] == [
        "namespace",
        "colour",
        "workers.cuont",
        "workers.preload",
        "shedules",
        "scheduler.lease_seconds",
        "workers.queues",
    ]


def test_a_long_value_is_cut(problems):
    (problem,) = problems(f'[log]\nlevel = "{"x" * 1000}"')
    assert len(problem) < 200


def test_the_text_of_the_error_has_a_line_for_each_problem(load):
    with pytest.raises(ConfigError) as caught:
        load("a = 1\nb = 2")
    assert str(caught.value).splitlines() == caught.value.problems


def test_the_file_is_named_as_it_was_given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("bananas.toml").write_text("a = 1")
    with pytest.raises(ConfigError, match=r"\Abananas.toml: a: unknown key"):
        config.load(Path("bananas.toml"), {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a = 1\nb 2", "not valid TOML: Expected '=' after a key in a key/value pair (at line 2, column 3)"),
        (b"\xff", "not valid TOML: 'utf-8' codec can't decode"),
        ("a = " + "9" * 5000, "not valid TOML: Exceeds the limit"),
        ("a = " + "[" * 5000, "not valid TOML: maximum recursion depth"),
    ],
)
def test_a_file_that_is_not_toml_is_one_problem_with_its_line(problems, text, wanted):
    (problem,) = problems(text)
    assert problem.startswith(f"bananas.toml: {wanted}")


def test_a_named_file_that_cannot_be_read_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match=r"missing.toml: cannot be read: No such file or directory\Z"):
        config.load(tmp_path / "missing.toml", {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(tmp_path, {})


# Whatever stands in the file


SECTIONS = ["redis", "workers", "master", "scheduler", "retry", "retention", "log", "pools"]
KEYS = sorted(
    {name for kind in vars(settings_module).values() for name in getattr(kind, "__struct_fields__", ())}
)
assert {"timeout_seconds", "sentinels"} <= set(KEYS)
VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["", "embedded", "redis://:x@h"]),
    lambda values: st.lists(values, max_size=3),
    max_leaves=4,
)
SETTINGS = st.dictionaries(st.sampled_from(KEYS) | st.text(), VALUES, max_size=6)


def as_toml(value):
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    # JSON does not escape DEL, which TOML wants escaped.
    return json.dumps(value).replace("\x7f", "\\u007f")


def write_toml(top, sections):
    lines = [f"{as_toml(key)} = {as_toml(value)}" for key, value in top.items()]
    for section, settings_below in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{as_toml(key)} = {as_toml(value)}" for key, value in settings_below.items()]
    return "\n".join(lines)


def problems_of(path, content):
    """Load; the only outcome that is allowed besides a good configuration is a ConfigError."""
    path.write_bytes(content)
    try:
        loaded = config.load(path, {})
    except ConfigError as error:
        return error.problems or ["a ConfigError without a problem"]
    assert loaded.workers.count >= 1
    assert loaded.run_dir.is_absolute()
    return []


def are_lines_about(path, problems):
    return all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in problems)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary() | st.text().map(str.encode))
def test_bytes_of_any_kind_raise_nothing_but_config_error(tmp_path, text):
    path = tmp_path / "any.toml"
    assert are_lines_about(path, problems_of(path, text))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=SETTINGS, sections=st.dictionaries(st.sampled_from(SECTIONS), SETTINGS, max_size=4))
def test_toml_of_any_kind_raises_nothing_but_config_error(tmp_path, top, sections):
    path = tmp_path / "any.toml"
    assert are_lines_about(path, problems_of(path, write_toml(top, sections).encode("utf-8", "replace")))


def test_clients_do_not_load_the_configuration():
    program = "import sys, bananasd; sys.exit('bananasd.config' in sys.modules or 'msgspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
