"""The settings of a unit, from its file or from systemd, and what they leave a daemon: its configuration, its environment."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from ..config import DEFAULT_PATHS
from .values import words_in

KEPT = {
    "RuntimeDirectory": ("/run", "RUNTIME_DIRECTORY"),
    "StateDirectory": ("/var/lib", "STATE_DIRECTORY"),
    "CacheDirectory": ("/var/cache", "CACHE_DIRECTORY"),
    "LogsDirectory": ("/var/log", "LOGS_DIRECTORY"),
}
"""Settings that make directories for the daemon: below which one, and the variable that tells of them."""

LISTS = {
    *KEPT,
    "BindPaths",
    "BindReadOnlyPaths",
    "Environment",
    "EnvironmentFile",
    "ExtensionDirectories",
    "ExtensionImages",
    "IPAddressAllow",
    "IPAddressDeny",
    "InaccessiblePaths",
    "MountImages",
    "NoExecPaths",
    "PassEnvironment",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RestartPreventExitStatus",
    "RestrictAddressFamilies",
    "TemporaryFileSystem",
    "UnsetEnvironment",
}
"""Settings that add to what was said before; all others take its place."""

DEFAULTS = dict.fromkeys(LISTS, "") | {
    "Type": "simple",
    "DynamicUser": "no",
    "ExecStart": "",
    "KillMode": "control-group",
    "KillSignal": "SIGTERM",
    "LimitNOFILE": "1024:524288",
    "MemoryMax": "infinity",
    "OOMPolicy": "stop",
    "PrivateNetwork": "no",
    "PrivateTmp": "no",
    "ProtectHome": "no",
    "ProtectSystem": "no",
    "Restart": "no",
    "RootDirectory": "",
    "RootImage": "",
    "RuntimeDirectoryPreserve": "no",
    "SendSIGKILL": "yes",
    # A share of what the machine has, which its file does not tell.
    "TasksMax": "infinity",
    "TimeoutStartSec": "90",
    "TimeoutStopSec": "90",
    "User": "",
    "WatchdogSec": "0",
    "WorkingDirectory": "",
}
"""Systemd's own, for what a unit does not say."""

_SEVERAL = {"TimeoutSec": ("TimeoutStartSec", "TimeoutStopSec")}

_OF_SHOW = {
    "EnvironmentFiles": "EnvironmentFile",
    "TimeoutStartUSec": "TimeoutStartSec",
    "TimeoutStopUSec": "TimeoutStopSec",
    "WatchdogUSec": "WatchdogSec",
    "LimitNOFILESoft": "LimitNOFILE",
}
NOT_TOLD = "not told"
"""The watchdog of a unit whose daemon does not run."""

FILE = "FragmentPath"
SHOWN = ("LoadState", FILE, *sorted(DEFAULTS.keys() - _OF_SHOW.values()), *_OF_SHOW)
"""What ``systemctl show`` is to be asked for."""

_DIRECTORIES = {"%t": "/run", "%S": "/var/lib", "%C": "/var/cache", "%L": "/var/log", "%E": "/etc"}


def read_files(texts: Iterable[str]) -> dict[str, str]:
    """The settings of a unit's file and its drop-ins, in their order: the last word counts, an empty one takes it back."""
    settings = dict(DEFAULTS)
    for assigned, value in _assignments(texts):
        for name in _SEVERAL.get(assigned, (assigned,)):
            if name in LISTS and value:
                settings[name] = f"{settings[name]} {_spread(value)}".strip()
            elif name in DEFAULTS:
                settings[name] = value or DEFAULTS[name]
    return settings


def _assignments(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        section = ""
        for line in map(str.strip, _whole_lines(text)):
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line:
                name, _, value = line.partition("=")
                yield name.strip(), value.strip()


def _whole_lines(text: str) -> Iterator[str]:
    """Those that go on put together, as systemd does it: a comment is left out first, also amid such a line, and goes on in none."""
    begun = ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        begun += line
        backslashes = len(begun) - len(begun.rstrip("\\"))
        if backslashes % 2:
            begun = f"{begun[:-1]} "
        else:
            yield begun
            begun = ""
    yield begun


def read_show(output: str) -> dict[str, str] | None:
    """The same from what ``systemctl show`` has printed, and the file as FILE; None if it does not know the unit."""
    shown = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if shown.get("LoadState") != "loaded":
        return None
    own = {_OF_SHOW.get(name, name): value for name, value in shown.items()}
    if own.get("WatchdogSec") == "infinity":
        # That of a daemon which does not run, whatever the unit says.
        own["WatchdogSec"] = NOT_TOLD
    told = {name: value for name, value in own.items() if name in (*DEFAULTS, FILE) and value}
    return DEFAULTS | {name: _spread(value) for name, value in told.items()}


def _spread(value: str) -> str:
    """A ``~`` before a line stands for each word of it: lines are put together, and those after it are none of its own."""
    return " ".join(f"~{word}" for word in value[1:].split()) if value.startswith("~") else value


def config_of(settings: Mapping[str, str]) -> Path | None:
    """The configuration with which a unit starts its daemon, if it says that in so many words, or names none.

    Then it is the one that the daemon finds by itself, and the last of these if none is there.
    """
    if takes_default(settings):
        paths = [Path(_working_directory(settings), path) for path in DEFAULT_PATHS]
        return next((path for path in paths if os.path.exists(path)), paths[-1])  # noqa: PTH110 - raises nothing
    named = _named_config(settings["ExecStart"])
    return Path(named) if named and not re.search("[%$]", named) else None


def takes_default(settings: Mapping[str, str]) -> bool:
    """Whether it starts a daemon and leaves to that which configuration there is."""
    return starts_daemon(settings) and "--config" not in settings["ExecStart"]


def starts_daemon(settings: Mapping[str, str]) -> bool:
    """Whether its command is ``bananasd start``. Of a script that comes to the same nobody can tell."""
    command = settings["ExecStart"]
    words = _shown_command(command).split() or words_in(command)
    names = [word.lstrip("-@:+!|").rpartition("/")[2] for word in words]
    return "bananasd" in names and "start" in names[names.index("bananasd") :]


def is_started_with(settings: Mapping[str, str], path: Path | None) -> bool:
    """Whether it is this configuration that a unit starts its daemon with."""
    started = config_of(settings)
    return bool(started and path and end_of(started) == end_of(path))


def end_of(path: Path) -> Path:
    """Where its links lead, on this machine. Not `Path.resolve`, which raises for links in a circle."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        # With a NUL byte in it there is no such path anywhere.
        return path


def _working_directory(settings: Mapping[str, str]) -> str:
    """Systemd's own is the root; a home, or what only systemd can tell, has hardly a configuration in it."""
    named = settings["WorkingDirectory"].lstrip("-!")
    return named if named.startswith("/") and "%" not in named else "/"


def _named_config(command: str) -> str:
    if shown := _shown_command(command):
        # All up to the next option is one word.
        found = re.search(r"--config[= ](.+?)(?= --|$)", shown)
        return found[1] if found else ""
    words = words_in(command)
    following = dict(pairwise(words)).get("--config", "")
    return next((word.partition("=")[2] for word in words if word.startswith("--config=")), following)


def _shown_command(command: str) -> str:
    """The words of a command as systemd shows it, which is without their quotes; "" for one in a file."""
    shown = re.search(r"argv\[\]=(.*?) ;", command)
    return shown[1] if shown else ""


def of_instance(settings: Mapping[str, str], config_path: Path | None) -> dict[str, str]:
    """The settings with systemd's directories put in, and those of a template for the instance that has this configuration."""
    marks = dict(_DIRECTORIES)
    before, mark, after = _named_config(settings["ExecStart"]).partition("%i")
    path = str(config_path.absolute()) if config_path else ""
    if mark and path.startswith(before) and path.endswith(after):
        marks |= dict.fromkeys(("%i", "%I"), path.removeprefix(before).removesuffix(after))
    pattern = re.compile("|".join(marks))
    return {name: pattern.sub(lambda found: marks[found[0]], value) for name, value in settings.items()}


def environment(settings: Mapping[str, str], home: str) -> dict[str, str]:
    """What a daemon of this unit finds in its environment, as far as its configuration is made of that."""
    said = dict(word.split("=", 1) for word in words_in(settings["Environment"]) if "=" in word)
    kept = {
        variable: ":".join(f"{root}/{name}" for name in directories(settings[setting]))
        for setting, (root, variable) in KEPT.items()
    }
    return {"HOME": home} | said | {variable: paths for variable, paths in kept.items() if paths}


def directories(value: str) -> list[str]:
    """The names in a ``RuntimeDirectory=`` or one of its kind, without the links that are made to them."""
    return [word.partition(":")[0] for word in words_in(value)]
