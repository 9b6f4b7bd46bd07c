"""Where the doctor finds what systemd is told of the daemon: from systemd itself, or from a unit's file."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .. import config as configuration
from ..errors import BananasError
from ..regular_files import read_regular
from ..remark import Remark
from ..settings import Config
from ..units.contradictions import contradictions
from ..units.reading import FILE, SHOWN, environment, is_started_with, of_instance, read_files, read_show

USUAL_UNIT = "bananasd"
SHOW_SECONDS = 5
MAX_BYTES = 1024 * 1024
"""More is no unit, but a file that was named by mistake."""


class NoUnit(BananasError):
    """The unit that was named is not to be found."""


def unit_remarks(config: Config, named: str | None) -> Iterator[Remark]:
    """What there is to say of the unit that was ``named``, by its name or its file.

    Without one it is that of the usual name, if systemd knows it and it starts a daemon with this configuration. Raises
    `NoUnit`.
    """
    if named is None:
        settings = _show(USUAL_UNIT)
        if settings is not None and is_started_with(settings, config.path):
            yield from _judge(settings, config, f"unit {USUAL_UNIT}")
        return
    if "/" in named or Path(named).is_file():
        yield from _judge(_read(Path(named)), config, named)
        return
    settings = _show(named)
    if settings is None:
        raise NoUnit(
            f"--unit {named!r}: systemd does not run here, or does not know it; give the path of its file"
        )
    yield from _judge(settings, config, f"unit {named}")


def _judge(settings: dict[str, str], config: Config, where: str) -> list[Remark]:
    """By the configuration as the daemon finds it, whose environment is not the one of this command."""
    own = of_instance(settings, config.path)
    there = configuration.examine(config.path, environment(own, _home(own["User"]))).config
    file = f" ({own[FILE]})" if FILE in own else ""
    return contradictions(own, there, f"{where}{file}")


def _home(user: str) -> str:
    try:
        return pwd.getpwnam(user or "root").pw_dir
    except (KeyError, ValueError):
        # Of a user that systemd makes up for the daemon, that there is on another machine, or on none: with a NUL byte.
        return "/"


def _read(path: Path) -> dict[str, str]:
    """The file, then its drop-ins by name, without those that are masked."""
    drop_ins = sorted(path.with_name(f"{path.name}.d").glob("*.conf"))
    try:
        texts = [read_regular(path, MAX_BYTES, "name the file of the daemon's unit")]
        texts += [
            read_regular(file, MAX_BYTES, "mend that drop-in, or take it away")
            for file in drop_ins
            if os.path.realpath(file) != os.devnull
        ]
    except ValueError as error:
        raise NoUnit(f"--unit {error}") from None
    return read_files(text.decode("utf-8-sig", "replace") for text in texts)


def _show(unit: str) -> dict[str, str] | None:
    """None where systemd does not run, or does not know the unit."""
    command = ["systemctl", "show", f"--property={','.join(SHOWN)}", "--", unit]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SHOW_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_show(done.stdout) if done.returncode == 0 else None
