"""Where a daemon keeps its files when no configuration says so: the daemon and its clients look in the same place."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

SOCKET_NAME = "redis.sock"


def run_dir(environ: Mapping[str, str]) -> Path:
    """The default run_dir: systemd's, else the user's runtime directory, else one of this user in /tmp."""
    return (
        _given(environ, "RUNTIME_DIRECTORY")
        or _given(environ, "XDG_RUNTIME_DIR", "bananasd")
        or Path(f"/tmp/bananasd-{os.getuid()}")  # noqa: S108 - the daemon makes it 0700 and checks its owner
    )


def state_dir(environ: Mapping[str, str]) -> Path:
    """The default state_dir: systemd's, else the user's state directory, else the place XDG gives that one."""
    return (
        _given(environ, "STATE_DIRECTORY")
        or _given(environ, "XDG_STATE_HOME", "bananasd")
        or (_given(environ, "HOME") or Path.home()) / ".local" / "state" / "bananasd"
    )


def _given(environ: Mapping[str, str], variable: str, below: str = "") -> Path | None:
    """A directory from the environment: of several, as systemd may give, the first; a relative one is no use."""
    first = Path(environ.get(variable, "").partition(":")[0])
    return first / below if first.is_absolute() else None


def socket_url(run_dir: Path) -> str:
    """The address of the embedded server of the daemon that has this run_dir."""
    return f"unix://{quote(os.fsencode(run_dir / SOCKET_NAME))}"
