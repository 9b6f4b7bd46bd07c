"""What a unit lets its daemon see and write of the file system, and what of the configuration's paths it does not."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..settings import Config
from .reading import KEPT, config_of, directories, end_of
from .values import is_yes, words_in


class Access(IntEnum):
    """``PRIVATE``: all is allowed, but nobody else sees it, and it is gone when the daemon stops."""

    HIDDEN = 0
    PRIVATE = 1
    READ = 2
    WRITE = 3


class Rule(NamedTuple):
    """What may be done below a path, and the setting that says so."""

    path: Path
    access: Access
    setting: str = ""


class Need(NamedTuple):
    """A path of the configuration. ``loss``: what becomes of a private one that the daemon writes; "" if it only reads it.

    ``is_file``: what it writes is a file, and not a directory.
    """

    name: str
    path: Path
    loss: str = ""
    is_grave: bool = True
    is_file: bool = False


class Obstacle(NamedTuple):
    """What keeps the daemon from a path, and what to do about it."""

    is_grave: bool
    what: str
    remedy: str


HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - the names of what systemd makes private

_PROGRAMS = ("/usr", "/boot", "/efi")
_READ_ONLY = {"full": (*_PROGRAMS, "/etc"), "strict": ("/",)}
_KERNEL = ("/dev", "/proc", "/sys")
"""What ``ProtectSystem=strict`` leaves as it is."""
_HOMES_ARE = {"read-only": Access.READ, "tmpfs": Access.PRIVATE}
_LISTS = {
    "TemporaryFileSystem": Access.PRIVATE,
    "ReadOnlyPaths": Access.READ,
    "BindReadOnlyPaths": Access.READ,
    "ReadWritePaths": Access.WRITE,
    "BindPaths": Access.WRITE,
    "InaccessiblePaths": Access.HIDDEN,
}


def obstacles(settings: Mapping[str, str], config: Config) -> Iterator[Obstacle]:
    """What keeps the daemon of this unit from which path of its configuration, or from where links lead from there."""
    # Systemd follows links as well: what is said of one holds for where it leads.
    rules = [rule._replace(path=path) for rule in _rules(settings) for path in {rule.path, end_of(rule.path)}]
    for need in _needs(settings, config):
        end = end_of(need.path)
        found = [_obstacle(need, end, rules)]
        if end != need.path:
            # A link is only read, whatever is written behind it.
            found.insert(0, _obstacle(need._replace(loss=""), need.path, rules))
        yield from islice(filter(None, found), 1)


def _obstacle(need: Need, place: Path, rules: Sequence[Rule]) -> Obstacle | None:
    rule = _ruling(rules, place)
    leads = "" if place == need.path else f", which leads to {place}"
    what = f"{need.name} is {need.path}{leads}, and {rule.setting}"
    if rule.access is Access.HIDDEN:
        return Obstacle(True, f"{what}: the daemon does not see it", _elsewhere(need, rule))
    if rule.access is Access.PRIVATE:
        loss = need.loss or "the daemon sees another directory there"
        return Obstacle(need.is_grave, f"{what}: {loss}", _elsewhere(need, rule))
    if rule.access is Access.READ and need.loss:
        return Obstacle(True, f"{what}: the daemon cannot write there", f"set {_permission(need, place)}")
    return None


def _needs(settings: Mapping[str, str], config: Config) -> Iterator[Need]:
    """Everything that the daemon reads or writes, as far as the configuration says where it is."""
    redis, is_lost = config.redis, "what is written there is gone when the daemon stops"
    yield Need(
        "run_dir",
        config.run_dir,
        "commands in a shell do not find the daemon by what is there",
        is_grave=False,
    )
    if redis.is_embedded:
        yield Need("state_dir", config.state_dir, is_lost)
    if config.log.file:
        yield Need("log.file", config.log.file, is_lost, is_grave=False, is_file=True)
    files = {
        "the configuration": config_of(settings),
        "workers.handlers": config.workers.handlers,
        "redis.url": _socket(redis.url),
        "redis.password_file": redis.password_file,
        "redis.sentinel_password_file": redis.sentinel_password_file,
        "redis.tls_ca_file": redis.tls_ca_file,
        "redis.tls_cert_file": redis.tls_cert_file,
        "redis.tls_key_file": redis.tls_key_file,
        "http.token_file": config.http.token_file,
    }
    yield from (Need(name, path) for name, path in files.items() if path)


def _socket(url: str) -> Path | None:
    return Path(unquote(urlsplit(url).path)) if url.startswith("unix:") else None


def _ruling(rules: Sequence[Rule], path: Path) -> Rule:
    """What is hidden stays so, whatever is said of parts of it; else the nearest directory's rule, the last of several."""
    above = [rule for rule in rules if path.is_relative_to(rule.path)]
    hidden = [rule for rule in above if rule.access is Access.HIDDEN]
    return max(reversed(hidden or above), key=lambda rule: len(rule.path.parts))


def _rules(settings: Mapping[str, str]) -> Iterator[Rule]:
    """The general ones first."""
    system, homes, is_dynamic = (
        settings["ProtectSystem"],
        settings["ProtectHome"],
        is_yes(settings["DynamicUser"]),
    )
    yield Rule(Path("/"), Access.WRITE)
    read_only = _PROGRAMS if is_yes(system) else _READ_ONLY.get(system, ())
    yield from (Rule(Path(path), Access.READ, f"ProtectSystem={system}") for path in read_only)
    if system == "strict" or is_dynamic:
        yield from (Rule(Path(path), Access.WRITE) for path in _KERNEL)
    if is_yes(homes) or homes in _HOMES_ARE:
        access = _HOMES_ARE.get(homes, Access.HIDDEN)
        yield from (Rule(Path(path), access, f"ProtectHome={homes}") for path in HOMES)
    if is_dynamic:
        yield Rule(Path("/"), Access.READ, "DynamicUser=yes")
    if is_dynamic or is_yes(settings["PrivateTmp"]) or settings["PrivateTmp"] == "disconnected":
        # That of a dynamic user cannot be had without.
        why = "DynamicUser=yes" if is_dynamic else "PrivateTmp=yes"
        yield from (Rule(Path(path), Access.PRIVATE, why) for path in TEMPORARY)
    for setting, (root, _) in KEPT.items():
        yield from (Rule(Path(root, name), Access.WRITE) for name in directories(settings[setting]))
    for setting, allowed in _LISTS.items():
        yield from _listed(setting, allowed, words_in(settings[setting]))


def _listed(setting: str, access: Access, words: Sequence[str]) -> Iterator[Rule]:
    """The rules of a setting that lists paths. One that only systemd can tell is taken to allow all that it might."""
    for word in words:
        source, _, target = word.lstrip("-+").partition(":")
        path = target.partition(":")[0] if target and setting.startswith("Bind") else source
        if "%" not in path:
            yield Rule(Path(path), access, f"{setting}={path}")
        elif access is Access.WRITE:
            yield Rule(Path("/"), access)


def _permission(need: Need, place: Path) -> str:
    """What to set to be allowed to write there. A file is made in its directory, which is what a setting makes or opens."""
    directory = place.parent if need.is_file else place
    if need.is_file and directory == Path("/"):
        return _of_its_own(need, place, "LogsDirectory")
    for setting, (root, _) in KEPT.items():
        if directory != Path(root) and directory.is_relative_to(root):
            return f"{setting}={directory.relative_to(root)}"
        if directory == Path(root) and need.is_file:
            return _of_its_own(need, place, setting)
    return f"ReadWritePaths={directory}"


def _of_its_own(need: Need, place: Path, setting: str) -> str:
    """A directory for a file that is now in one of all."""
    return f"{need.name} to {KEPT[setting][0]}/bananasd/{place.name} and {setting}=bananasd"


def _elsewhere(need: Need, rule: Rule) -> str:
    setting, _, value = rule.setting.partition("=")
    is_word = setting in ("PrivateTmp", "ProtectHome", "DynamicUser")
    undone = f"set {setting}=no" if is_word else f"take {value} out of {setting}"
    return f"set {need.name} to another place, or {undone}"
