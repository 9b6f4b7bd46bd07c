"""How many cores this process may use: its affinity, and the CPU quotas of all the cgroups around it."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Mount(NamedTuple):
    """A mounted hierarchy of cgroups. ``shows``: the cgroup that its top directory is, "/" but in some containers."""

    filesystem: str
    controllers: list[str]
    shows: PurePosixPath
    directory: PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """The cores of this process's affinity, or fewer where a quota allows fewer: rounded up, at least 1.

    ``root`` is where ``proc`` and ``sys`` are looked for. What cannot be read there limits nothing.
    """
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(root)]))


def _quotas(root: Path) -> Iterator[int]:
    """The quota of each cgroup that this process is in, up to the top, in whole cores."""
    paths = dict(_cgroups(root))
    for mount in _mounts(root):
        # A controller belongs to a hierarchy of version 1, or to the one of version 2, whose name is empty.
        name = "" if mount.filesystem == "cgroup2" else "cpu"
        if name in paths and (not name or name in mount.controllers):
            for directory in _upwards(mount, paths[name], root):
                yield from _quota(directory)


def _cgroups(root: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """Each controller with the cgroup that this process is in."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        yield from ((controller, PurePosixPath(path)) for controller in controllers.split(","))


def _mounts(root: Path) -> Iterator[Mount]:
    for line in _lines(root / "proc/self/mountinfo"):
        mount, _, origin = line.partition(" - ")
        filesystem, _, options = origin.split(" ", 2)
        if filesystem in ("cgroup", "cgroup2"):
            _, _, _, shows, directory, *_ = mount.split(" ")
            yield Mount(filesystem, options.split(","), PurePosixPath(shows), PurePosixPath(directory))


def _upwards(mount: Mount, path: PurePosixPath, root: Path) -> Iterator[Path]:
    """The directory of a cgroup and those of its ancestors, as far as this mount shows them."""
    # A container may see a path that its mount does not hold; what the mount has at its top still bounds it.
    below = path.relative_to(mount.shows) if path.is_relative_to(mount.shows) else PurePosixPath()
    top = root / mount.directory.relative_to("/")
    yield from (top / part for part in (below, *below.parents))


def _quota(directory: Path) -> Iterator[int]:
    """At most one: "max" and -1 mean none."""
    # Version 2: "200000 100000", microseconds in each period. Version 1 has a file for each of the two.
    words = _words(directory / "cpu.max") or [
        *_words(directory / "cpu.cfs_quota_us"),
        *_words(directory / "cpu.cfs_period_us"),
    ]
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
        quota, period = map(int, words)
        yield -(-quota // period)


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    """None of a file that is not there or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
