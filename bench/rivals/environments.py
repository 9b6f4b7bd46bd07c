"""An environment for each rival: they want different versions of the same packages."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BenchError
from .systems import System

KEPT = "BENCH_RIVALS"
"""The variable that names a directory where environments stay for the next time."""


@contextmanager
def environments() -> Iterator[Path]:
    """The directory for all of them: one that goes again, if none is named."""
    if kept := os.environ.get(KEPT):
        yield Path(kept).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bananasd-rivals-") as directory:
        yield Path(directory)


def programs(system: System, directory: Path) -> Path:
    """The folder with its python and its programs, installed if they are not there. ``directory`` is that of `environments`."""
    if not system.requirements:
        return Path(sys.executable).parent
    home = directory / system.name
    if not (home / "whole").exists():
        print(f"installing: {system.name}", file=sys.stderr)
        venv.create(home, clear=True, with_pip=False)
        _install(system, home)
        (home / "whole").touch()
    return home / "bin"


def version(system: System, folder: Path) -> str:
    """Which one of it is there."""
    question = f"import importlib.metadata as m; print(m.version({system.name!r}))"
    told = subprocess.run([folder / "python", "-c", question], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def _install(system: System, home: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    command = [*pip, "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *system.requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(system.requirements)} cannot be installed: {done.stderr.strip()[-500:]}")
