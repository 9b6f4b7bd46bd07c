"""``[http]``: what it may say, and what is said about the rest; what keeps a dashboard from starting."""

import pytest

from bananasd import config
from bananasd.errors import ConfigError
from bananasd.http import obstacles
from bananasd.http.obstacles import http_obstacles
from bananasd.processes.daemon import Boot
from tests.command_line import bananasd

TOKEN = "0123456789abcdef"
BAD_LISTEN = 'must be an address "HOST:PORT" such as "127.0.0.1:8580", or "" for none'


@pytest.fixture
def path(tmp_path):
    (tmp_path / "handlers").mkdir()
    return tmp_path / "bananas.toml"


@pytest.fixture
def load(path):
    def load(text, environ=None):
        path.write_text(f"[http]\n{text}\n")
        return config.load(path, environ or {})

    return load


def problems(load, text, environ=None):
    with pytest.raises(ConfigError) as caught:
        load(text, environ)
    return [problem.partition(".toml: ")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:8580", "127.0.0.1", 8580), ("[::1]:1", "::1", 1), ("localhost:65535", "localhost", 65535)],
)
def test_a_loopback_address_needs_no_token(load, listen, host, port):
    http = load(f'listen = "{listen}"').http
    assert (http.host, http.port, http.is_loopback, http.read_token()) == (host, port, True, None)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:80", "10.1.2.3:80", "web-1.example.org:80", "local:1"]
)
def test_a_dashboard_on_another_address_needs_a_token(load, tmp_path, listen):
    (tmp_path / "token").write_text(TOKEN)
    (told,) = http_obstacles(load(f'listen = "{listen}"'))
    assert told == (
        f'{tmp_path}/bananas.toml: http.listen: "{listen}": others could read and delete jobs from afar: '
        "set http.token_file, or listen on 127.0.0.1"
    )
    open_to_all = load(f'listen = "{listen}"\ntoken_file = "token"')
    assert (open_to_all.http.is_loopback, list(http_obstacles(open_to_all))) == (False, [])


def test_without_a_token_neither_check_nor_a_daemon_goes_on_and_any_other_command_does(load, path):
    """In a shell nobody has the credential that systemd hands to the daemon."""
    config = load('listen = "0.0.0.0:80"\n[redis]\nurl = "redis://127.0.0.1:1"')
    words = "others could read and delete jobs from afar"
    with pytest.raises(ConfigError, match=words):
        Boot(config)
    assert words in bananasd("check", "--config", path).stderr
    asked = bananasd("queues", "--config", path)
    assert (asked.exit_code, words in asked.stderr) == (69, False)


def test_a_token_file_that_is_wrong_is_not_told_as_a_token_that_is_missing(path):
    path.write_text('[http]\nlisten = "0.0.0.0:80"\ntoken_file = 3\n')
    told = bananasd("check", "--config", path).stderr
    assert "http.token_file: …: must be the path of a file" in told
    assert "from afar" not in told


@pytest.mark.parametrize(
    "listen", ['"8580"', '"127.0.0.1"', '"127.0.0.1:0"', '"127.0.0.1:65536"', '"http://127.0.0.1:80"', '":80"',
               '"::1:80"', '"a b:80"', "8580", "true"]
)  # fmt: skip
def test_what_is_no_address_is_refused_with_one_that_is(load, listen):
    assert problems(load, f"listen = {listen}") == [f"http.listen: {listen}: {BAD_LISTEN}"]


def test_a_token_without_a_listener_is_a_mistake(load):
    assert problems(load, 'token_file = "token"') == [
        "http.token_file: nothing listens for which a token could be asked; set http.listen, or leave this out"
    ]


def test_every_mistake_is_told_at_once(load):
    told = problems(load, 'listen = "nowhere"\ntoken_file = 3\nread_only = "no"\nport = 80')
    assert [problem.partition(":")[0] for problem in told] == [
        "http.listen",
        "http.token_file",
        "http.read_only",
        "http.port",
    ]


def test_systemd_may_hand_over_the_token(load, tmp_path):
    (tmp_path / "http_token").write_text(f"{TOKEN}\n")
    http = load('listen = "0.0.0.0:80"', {"CREDENTIALS_DIRECTORY": str(tmp_path)}).http
    assert http.read_token() == TOKEN


def test_a_credential_is_no_mistake_where_nothing_listens(load, tmp_path):
    (tmp_path / "http_token").write_text(TOKEN)
    assert load("", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).http.read_token() is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "holds no token"),
        ("0123456789abcde", "the token must have at least 16 characters"),
        ("0123456789 abcdef", "the token must have at least 16 characters"),
        ("0123456789abcdeé", "the token must have at least 16 characters"),
    ],
)
def test_a_token_that_cannot_be_used_is_an_obstacle_that_shows_no_secret(load, tmp_path, content, problem):
    if content is not None:
        (tmp_path / "token").write_text(content)
    (told,) = http_obstacles(load('listen = "127.0.0.1:80"\ntoken_file = "token"'))
    assert told.startswith(f"{tmp_path}/bananas.toml: http.token_file: {tmp_path}/token: {problem}")
    assert not content or content not in told


def test_missing_libraries_are_an_obstacle_that_names_the_extra(load, monkeypatch):
    monkeypatch.setattr(obstacles, "LIBRARIES", ("starlette", "no_such_library"))
    (told,) = http_obstacles(load('listen = "127.0.0.1:80"'))
    assert told.endswith(
        "http.listen: the dashboard needs no_such_library: pip install 'bananasd[http]', or leave this out"
    )
    assert list(http_obstacles(load(""))) == []


def test_check_tells_the_obstacles_with_all_others(path, monkeypatch):
    monkeypatch.setattr(obstacles, "LIBRARIES", ("no_such_library",))
    path.write_text('run_dir = 3\n[http]\nlisten = "127.0.0.1:80"\ntoken_file = "token"\n')
    result = bananasd("check", "--config", path)
    assert result.exit_code == 78
    for words in ("run_dir: 3: must be", "pip install 'bananasd[http]'", "token: cannot be read"):
        assert words in result.stderr


def test_check_shows_the_address(path):
    (path.parent / "handlers" / "noted.py").write_text(
        'from bananasd import handler\n@handler("note")\ndef note(job): ...\n'
    )
    path.write_text('[http]\nlisten = "127.0.0.1:8580"\n')
    shown = bananasd("check", "--config", path).stdout.splitlines()
    assert ["http", "127.0.0.1:8580"] in [line.split() for line in shown]
