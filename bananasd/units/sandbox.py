"""What a unit lets its daemon see and write of the file system, and what of the configuration's paths it does not."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..settings import Config
from .reading import KEPT, config_of, directories
from .values import YES, words_in


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
    """A path of the configuration. ``loss``: what becomes of a private one that the daemon writes; "" if it only reads it."""

    name: str
    path: Path
    loss: str = ""
    is_grave: bool = True


class Obstacle(NamedTuple):
    """What keeps the daemon from a path, and what to do about it."""

    is_grave: bool
    what: str
    remedy: str


HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - the names of what systemd makes private

_PROGRAMS = ("/usr", "/boot", "/efi")
_READ_ONLY = dict.fromkeys(YES, _PROGRAMS) | {"full": (*_PROGRAMS, "/etc"), "strict": ("/",)}
_KERNEL = ("/dev", "/proc", "/sys")
"""What ``ProtectSystem=strict`` leaves as it is."""
_HOMES_ARE = dict.fromkeys(YES, Access.HIDDEN) | {"read-only": Access.READ, "tmpfs": Access.PRIVATE}
_LISTS = {
    "ReadOnlyPaths": Access.READ,
    "BindReadOnlyPaths": Access.READ,
    "ReadWritePaths": Access.WRITE,
    "BindPaths": Access.WRITE,
    "InaccessiblePaths": Access.HIDDEN,
}


def obstacles(settings: Mapping[str, str], config: Config) -> Iterator[Obstacle]:
    """What keeps the daemon of this unit from which path of its configuration."""
    rules = list(_rules(settings))
    for need in _needs(settings, config):
        rule = _ruling(rules, need.path)
        what = f"{need.name} is {need.path}, and {rule.setting}"
        if rule.access is Access.HIDDEN:
            yield Obstacle(True, f"{what}: the daemon does not see it", _elsewhere(need, rule))
        elif rule.access is Access.PRIVATE:
            loss = need.loss or "the daemon sees another directory there"
            yield Obstacle(need.is_grave, f"{what}: {loss}", _elsewhere(need, rule))
        elif rule.access is Access.READ and need.loss:
            yield Obstacle(True, f"{what}: the daemon cannot write there", f"set {_permission(need.path)}")


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
        yield Need("log.file", config.log.file, is_lost, is_grave=False)
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
    above = [rule for rule in rules if _real(path).is_relative_to(rule.path)]
    hidden = [rule for rule in above if rule.access is Access.HIDDEN]
    return max(reversed(hidden or above), key=lambda rule: len(rule.path.parts))


def _real(path: Path) -> Path:
    """Without the link that /var/run is everywhere."""
    return Path("/run", path.relative_to("/var/run")) if path.is_relative_to("/var/run") else path


def _rules(settings: Mapping[str, str]) -> Iterator[Rule]:
    """The general ones first."""
    system, homes, is_dynamic = (
        settings["ProtectSystem"],
        settings["ProtectHome"],
        settings["DynamicUser"] in YES,
    )
    yield Rule(Path("/"), Access.WRITE)
    yield from (
        Rule(Path(path), Access.READ, f"ProtectSystem={system}") for path in _READ_ONLY.get(system, ())
    )
    if system == "strict" or is_dynamic:
        yield from (Rule(Path(path), Access.WRITE) for path in _KERNEL)
    if homes in _HOMES_ARE:
        yield from (Rule(Path(path), _HOMES_ARE[homes], f"ProtectHome={homes}") for path in HOMES)
    if is_dynamic:
        yield Rule(Path("/"), Access.READ, "DynamicUser=yes")
    if is_dynamic or settings["PrivateTmp"] in (*YES, "disconnected"):
        yield from (Rule(Path(path), Access.PRIVATE, "PrivateTmp=yes") for path in TEMPORARY)
    for setting, (root, _) in KEPT.items():
        yield from (Rule(Path(root, name), Access.WRITE) for name in directories(settings[setting]))
    for setting, access in _LISTS.items():
        yield from _listed(setting, access, words_in(settings[setting]))


def _listed(setting: str, access: Access, words: Sequence[str]) -> Iterator[Rule]:
    """The rules of a setting that lists paths. One that only systemd can tell is taken to allow all that it might."""
    for word in words:
        source, _, target = word.lstrip("-+").partition(":")
        path = target.partition(":")[0] if target and setting.startswith("Bind") else source
        if "%" not in path:
            yield Rule(_real(Path(path)), access, f"{setting}={path}")
        elif access is Access.WRITE:
            yield Rule(Path("/"), access)


def _permission(path: Path) -> str:
    """The setting that allows to write to a path."""
    for setting, (root, _) in KEPT.items():
        if path.is_relative_to(root) and path != Path(root):
            return f"{setting}={path.relative_to(root)}"
    return f"ReadWritePaths={path}"


def _elsewhere(need: Need, rule: Rule) -> str:
    setting, _, value = rule.setting.partition("=")
    undone = (
        f"set {setting}=no" if setting in ("PrivateTmp", "ProtectHome") else f"take {value} out of {setting}"
    )
    return f"set {need.name} to another place, or {undone}"
