"""The watch over handlers and configuration, for development: a change of either is to be followed by a reload."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import clock

LOOK_SECONDS = 0.5

Snapshot = dict[str, tuple[int, int]]


class Watch:
    """Compares what is there with what was there at the last look."""

    def __init__(self) -> None:
        self._paths: Sequence[Path] = ()
        self._known: Snapshot = {}
        self._latest: Snapshot = {}
        self._look_at = 0.0

    def has_changed(self, paths: Sequence[Path]) -> bool:
        """Whether the files, and modules in the directories, have changed and are at rest again; told once."""
        if not paths or clock.remaining(self._look_at):
            return False
        self._look_at = clock.deadline_in(LOOK_SECONDS)
        before, self._latest = self._latest, dict(_look(paths))
        if self._paths != paths:
            self._paths, self._known = paths, self._latest
        # Whoever saves several files is to be through with it.
        if self._latest == self._known or self._latest != before:
            return False
        self._known = self._latest
        return True


def _look(paths: Sequence[Path]) -> Iterator[tuple[str, tuple[int, int]]]:
    for path in paths:
        for file in _modules_in(path) if path.is_dir() else [str(path)]:
            try:
                status = os.stat(file)  # noqa: PTH116 - as often as the files are many
            except OSError:
                continue
            yield file, (status.st_mtime_ns, status.st_size)


def _modules_in(directory: Path) -> Iterator[str]:
    # Not rglob: it raises when a directory goes away meanwhile.
    for folder, _, names in os.walk(directory):
        yield from (f"{folder}/{name}" for name in sorted(names) if name.endswith(".py"))
