"""A wall clock that is wrong: libfaketime, loaded before a program's own C library, adds to what that would tell."""

import importlib.util
import platform
from pathlib import Path

import pytest

from tests.daemon import is_alive

SHARED_MEMORY = Path("/dev/shm")
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class WallClock:
    """That of one program and all that it starts. ``environ`` is what the program needs; monotonic time stays true."""

    def __init__(self, path: Path, seconds: float = 0) -> None:
        self._path = path
        self.step(seconds)
        self.environ = {
            "LD_PRELOAD": str(find_library()),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: float) -> None:
        """So far it is off from now on. The file is whole at once: it is read at each look at the clock."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.rename(self._path)


def find_library() -> Path:
    """Where the package has it; it is built for one kind of machine."""
    spec = importlib.util.find_spec("libfaketime")
    if platform.machine() != "x86_64" or spec is None or not spec.submodule_search_locations:
        pytest.skip("the package libfaketime comes for x86_64 only")
    return Path(spec.submodule_search_locations[0]) / LIBRARY


def clear_away() -> None:
    """What it leaves there of a process that is killed; another one with that pid could not start."""
    for path in SHARED_MEMORY.glob("*faketime_*_*"):
        if not is_alive(int(path.name.rpartition("_")[2])):
            path.unlink(missing_ok=True)
