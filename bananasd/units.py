"""What systemd is told of a daemon, and where that contradicts the configuration. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from pathlib import Path

from .remark import Level, Remark
from .settings import Config

STOP_MARGIN_SECONDS = 5.0
"""What a stop may take beyond the drain: the last processes are killed, and the lease is given back."""
MIN_WATCHDOG_SECONDS = 5.0
"""The master's loop feeds the watchdog twice in its time, and a busy machine may hold it up for a second or two."""
MIN_FILES, FILES_PER_WORKER = 256, 4

DEFAULTS = {
    "Type": "simple",
    "KillMode": "control-group",
    "TimeoutStopSec": "90",
    "WatchdogSec": "0",
    "RuntimeDirectory": "",
    "RuntimeDirectoryPreserve": "no",
    "OOMPolicy": "stop",
    "LimitNOFILE": "1024:524288",
    "ExecStart": "",
}
"""Systemd's own, for what a unit does not say."""

_OF_SHOW = {
    "TimeoutStopUSec": "TimeoutStopSec",
    "WatchdogUSec": "WatchdogSec",
    "LimitNOFILESoft": "LimitNOFILE",
}
NOT_TOLD = "not told"
"""The watchdog of a unit whose daemon does not run."""

SHOWN = ("LoadState", *(DEFAULTS.keys() - _OF_SHOW.values()), *_OF_SHOW)
"""What ``systemctl show`` is to be asked for."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµ]*)")
_UNITS = {
    "us": 1e-6, "ms": 1e-3, "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60,
    "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip


def read_files(texts: Iterable[str]) -> dict[str, str]:
    """The settings of a unit's file and its drop-ins, in their order: the last word counts, an empty one takes it back."""
    settings: dict[str, str] = {}
    for name, value in _assignments(texts):
        own = "TimeoutStopSec" if name == "TimeoutSec" else name
        if own in DEFAULTS:
            settings[own] = value or DEFAULTS[own]
    return DEFAULTS | settings


def _assignments(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        section = ""
        for line in re.sub(r"\\\n", " ", text).splitlines():
            stripped = line.strip()
            if stripped.startswith("["):
                section = stripped
            elif section == "[Service]" and "=" in stripped and stripped[0] not in "#;":
                name, _, value = stripped.partition("=")
                yield name.strip(), value.strip()


def read_show(output: str) -> dict[str, str] | None:
    """The same from what ``systemctl show`` has printed; None if it does not know the unit."""
    shown = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if shown.get("LoadState") != "loaded":
        return None
    own = {_OF_SHOW.get(name, name): value for name, value in shown.items()}
    if own.get("WatchdogSec") == "infinity":
        # That of a daemon which does not run, whatever the unit says.
        own["WatchdogSec"] = NOT_TOLD
    return DEFAULTS | {name: value for name, value in own.items() if name in DEFAULTS and value}


def config_of(settings: Mapping[str, str]) -> Path | None:
    """The configuration with which a unit starts its daemon, if it says that in so many words."""
    found = re.search(r"--config[= ](\S+)", settings["ExecStart"])
    return Path(found[1]) if found and "%" not in found[1] else None


def contradictions(settings: Mapping[str, str], config: Config, where: str) -> list[Remark]:
    """What does not go together; or that all does."""
    found = [
        Remark(level, "unit", what, where, remedy)
        for level, what, remedy in (
            *_of_the_configuration(settings, config),
            *_of_the_stop(settings, config),
            *_of_the_kill(settings, config),
            *_of_the_watchdog(settings),
            *_of_what_survives(settings, config),
            *_of_files(settings, config),
        )
    ]
    return found or [Remark(Level.OK, "unit", "it goes together with the configuration", where)]


Judgement = tuple[Level, str, str]


def _of_the_configuration(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    other = config_of(settings)
    if other and config.path and other.resolve() != config.path.resolve():
        yield (
            Level.WARNING,
            f"it starts the daemon with {other}, and what is judged here is {config.path.absolute()}",
            f"give the doctor that one: --config {other}",
        )


def _of_the_stop(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    drain, wanted = config.master.drain_seconds, config.master.drain_seconds + STOP_MARGIN_SECONDS
    stop = seconds_in(settings["TimeoutStopSec"])
    if stop < wanted:
        yield (
            Level.ERROR,
            f"TimeoutStopSec is {stop:g} s and master.drain_seconds {drain:g}: systemd kills the daemon before its drain is over",
            f"set TimeoutStopSec={wanted:g} or more",
        )


def _of_the_kill(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    mode, remedy = settings["KillMode"], "set KillMode=mixed"
    if mode == "control-group" and config.redis.is_embedded:
        what = (
            "TERM goes to all processes at once, the embedded server among them, before the jobs are settled"
        )
        yield Level.ERROR, f"KillMode is {mode}: {what}", remedy
    elif mode != "mixed":
        what = _KILL_MODES.get(mode, "the master cannot drain its children in their order")
        yield Level.ERROR if mode == "none" else Level.WARNING, f"KillMode is {mode}: {what}", remedy


_KILL_MODES = {
    "control-group": "TERM goes to all processes at once, and not to the master alone, which drains them in their order",
    "process": "what is left at the end of a stop goes on running",
    "none": "a stop kills nothing",
}


def _of_the_watchdog(settings: Mapping[str, str]) -> Iterator[Judgement]:
    if settings["Type"] not in ("notify", "notify-reload"):
        yield (
            Level.WARNING,
            f"Type is {settings['Type']}: systemd does not learn when the daemon is up, nor that it lives",
            "set Type=notify",
        )
    if settings["WatchdogSec"] == NOT_TOLD:
        return
    watchdog = seconds_in(settings["WatchdogSec"])
    if watchdog in (0, inf):
        yield (
            Level.WARNING,
            "there is no WatchdogSec: a master that hangs is not replaced",
            "set WatchdogSec=30",
        )
    elif watchdog < MIN_WATCHDOG_SECONDS:
        yield (
            Level.WARNING,
            f"WatchdogSec is {watchdog:g} s: on a busy machine it kills a daemon that works",
            f"set WatchdogSec={MIN_WATCHDOG_SECONDS:g} or more; 30 is usual",
        )


def _of_what_survives(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    is_kept = settings["RuntimeDirectoryPreserve"] in ("yes", "true", "1", "on", "restart")
    if settings["RuntimeDirectory"] and not is_kept:
        lease = config.scheduler.lease_seconds
        yield (
            Level.WARNING,
            f"there is no RuntimeDirectoryPreserve: what a killed daemon held is back only after its lease of {lease:g} s",
            "set RuntimeDirectoryPreserve=yes",
        )
    if settings["OOMPolicy"] != "continue":
        yield (
            Level.ERROR,
            f"OOMPolicy is {settings['OOMPolicy']}: a worker that the kernel kills for memory takes the whole daemon with it",
            "set OOMPolicy=continue",
        )


def _of_files(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    soft = settings["LimitNOFILE"].partition(":")[0]
    limit = inf if soft == "infinity" else float(soft) if soft.isdigit() else 0.0
    wanted = MIN_FILES + FILES_PER_WORKER * config.worker_count
    if limit < wanted:
        workers = f"{config.worker_count:,} workers"
        yield (
            Level.WARNING,
            f"LimitNOFILE is {limit:g}: too few files for {workers}, their connections and what handlers open",
            f"set LimitNOFILE={wanted} or more",
        )


def seconds_in(span: str) -> float:
    """Seconds from systemd's words: ``40``, ``1min 30s``, ``500ms``, ``infinity``; 0 for what is none."""
    if span.strip() == "infinity":
        return inf
    parts = _SPAN.findall(span)
    return sum(float(number) * _UNITS.get(unit, 0) for number, unit in parts)
