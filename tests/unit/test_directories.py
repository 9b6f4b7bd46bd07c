"""Where daemon and clients look when no configuration says so."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bananasd import directories


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, f"/tmp/bananasd-{os.getuid()}"),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, "/run/user/1/bananasd"),
        ({"RUNTIME_DIRECTORY": "/run/bananasd", "XDG_RUNTIME_DIR": "/run/user/1"}, "/run/bananasd"),
        ({"RUNTIME_DIRECTORY": "/run/first:/run/second"}, "/run/first"),
        ({"RUNTIME_DIRECTORY": "relative", "XDG_RUNTIME_DIR": "/run/user/1"}, "/run/user/1/bananasd"),
        ({"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": ""}, f"/tmp/bananasd-{os.getuid()}"),
    ],
)
def test_the_run_dir_is_systemds_or_the_users_or_in_tmp(environ, path):
    assert directories.run_dir(environ) == Path(path)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/home/me"}, "/home/me/.local/state/bananasd"),
        ({}, str(Path.home() / ".local/state/bananasd")),
        ({"HOME": "/home/me", "XDG_STATE_HOME": "/data"}, "/data/bananasd"),
        ({"STATE_DIRECTORY": "/var/lib/bananasd", "XDG_STATE_HOME": "/data"}, "/var/lib/bananasd"),
        ({"HOME": "/home/me", "XDG_STATE_HOME": "relative"}, "/home/me/.local/state/bananasd"),
    ],
)
def test_the_state_dir_is_systemds_or_the_users(environ, path):
    assert directories.state_dir(environ) == Path(path)


@pytest.mark.parametrize("run_dir", ["/run/bananasd", "/tmp/with space", "/tmp/50%41?x#y", "/tmp/größe"])
def test_the_socket_of_a_run_dir_has_a_url(run_dir):
    url = directories.socket_url(Path(run_dir))
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("unix", "", "", "")
    assert unquote(parts.path) == f"{run_dir}/redis.sock"
