"""Where a unit and the configuration of its daemon do not go together, and what to do about it."""

import shlex
from collections.abc import Iterator, Mapping
from math import inf

from ..remark import Level, Remark
from ..settings import Config
from .bounds import Judgement, faults_of_bounds
from .network import are_addresses_judged, faults_of_network
from .reading import NOT_TOLD, config_of, is_started_with, starts_daemon, takes_default
from .sandbox import obstacles
from .values import is_no, is_yes, seconds_in, signal_in, timeout_in, words_in

START_MARGIN_SECONDS = 15.0
"""What a start may take beyond that of a worker: an older embedded server is waited for, the new one reads its file."""

STOP_MARGIN_SECONDS = 5.0
"""What a stop may take beyond the drain: the last processes are killed, and the lease is given back."""
MIN_WATCHDOG_SECONDS = 5.0
"""The master's loop feeds the watchdog twice in its time, and a busy machine may hold it up for a second or two."""
UNJUDGED = (
    "EnvironmentFile",
    "ExtensionDirectories",
    "ExtensionImages",
    "MountImages",
    "NoExecPaths",
    "PassEnvironment",
    "RootDirectory",
    "RootImage",
    "UnsetEnvironment",
)
"""Settings that may change which configuration the daemon has and what it finds, in a way that is not followed here."""
EXAMPLES = {"TimeoutStartSec": 330, "TimeoutStopSec": 40, "WatchdogSec": 30}
"""As our own unit has them."""
BROKEN_CONFIG = 78
"""The exit code of a daemon that has found its configuration or its handlers broken."""


def contradictions(settings: Mapping[str, str], config: Config, where: str) -> list[Remark]:
    """What does not go together; or that all does."""
    if not settings["ExecStart"]:
        what, remedy = (
            "there is no [Service] with an ExecStart= in it",
            "name the unit that starts the daemon",
        )
        return [Remark(Level.ERROR, "unit", f"{what}: it starts no daemon", where, remedy)]
    found = [
        Remark(level, "unit", what, where, remedy)
        for level, what, remedy in (
            *_of_the_configuration(settings, config),
            *_of_spans(settings),
            *_of_the_start(settings, config),
            *_of_the_stop(settings, config),
            *_of_the_kill(settings, config),
            *_of_the_signals(settings),
            *_of_the_watchdog(settings),
            *_of_the_restart(settings),
            *_of_what_survives(settings, config),
            *faults_of_bounds(settings, config),
            *_of_paths(settings, config),
            *faults_of_network(settings, config),
            *_of_the_unjudged(settings, config),
        )
    ]
    return found or [Remark(Level.OK, "unit", "it goes together with the configuration", where)]


def _of_the_configuration(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    """Paths are judged only of the right one, so what is not judged is told."""
    if is_started_with(settings, config.path):
        return
    other, here = (
        config_of(settings),
        config.path.absolute() if config.path else "the defaults, without a file",
    )
    if other is None:
        what, remedy = _UNTOLD if starts_daemon(settings) else _NO_DAEMON
        yield Level.WARNING, f"{what}: the paths of {here} were not judged", remedy
        return
    by_default = ", for its ExecStart= names none" if takes_default(settings) else ""
    yield (
        Level.WARNING,
        f"it starts the daemon with {other}{by_default}, and what is judged here is {here}",
        f"give the doctor that one: --config {shlex.quote(str(other))}",
    )


_UNTOLD = (
    "it does not tell here with which configuration it starts the daemon",
    "name it in ExecStart= in so many words, or give the doctor the one of an instance with --config",
)
_NO_DAEMON = (
    "its ExecStart= is not 'bananasd start', and may start something else",
    "give the doctor the unit that starts the daemon, with --config in its ExecStart= if a script does so",
)


def _of_spans(settings: Mapping[str, str]) -> Iterator[Judgement]:
    for name in ("TimeoutStartSec", "TimeoutStopSec", "WatchdogSec"):
        value = settings[name]
        if value != NOT_TOLD and seconds_in(value) is None:
            yield (
                Level.WARNING,
                f"{name} is {value!r}, which is no span of time: systemd passes over that line",
                f"write seconds, or a span such as 1min 30s: {name}={EXAMPLES[name]}",
            )


def _of_the_start(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    start, wanted = config.workers.start_seconds, config.workers.start_seconds + START_MARGIN_SECONDS
    limit = timeout_in(settings["TimeoutStartSec"])
    if _is_notified(settings) and limit is not None and start and limit < wanted:
        what = "systemd kills a daemon whose handlers take as long to load as they may"
        yield (
            Level.ERROR,
            f"TimeoutStartSec is {limit:g} s and workers.start_seconds {start:g}: {what}",
            f"set TimeoutStartSec={wanted:g} or more",
        )


def _of_the_stop(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    drain, wanted = config.master.drain_seconds, config.master.drain_seconds + STOP_MARGIN_SECONDS
    stop = timeout_in(settings["TimeoutStopSec"])
    if stop is not None and stop < wanted:
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


def _of_the_signals(settings: Mapping[str, str]) -> Iterator[Judgement]:
    name = signal_in(settings["KillSignal"])
    if name not in ("SIGTERM", "SIGINT"):
        what = _KILL_SIGNALS.get(
            name, "it is none that stops the daemon, which is killed when TimeoutStopSec is over"
        )
        yield Level.ERROR, f"KillSignal is {name}: {what}", "set KillSignal=SIGTERM"
    if is_no(settings["SendSIGKILL"]):
        what = "a process that hangs outlives the stop, and the next start finds it in its way"
        yield Level.WARNING, f"SendSIGKILL is {settings['SendSIGKILL']}: {what}", "set SendSIGKILL=yes"


_KILL_SIGNALS = {
    "SIGKILL": "a stop kills the daemon in its jobs, which run again and count as lost",
    "SIGQUIT": "a stop does not drain: jobs that run are broken off and run again",
}


def _of_the_watchdog(settings: Mapping[str, str]) -> Iterator[Judgement]:
    if not _is_notified(settings):
        yield (
            Level.WARNING,
            f"Type is {settings['Type']}: systemd does not learn when the daemon is up, nor that it lives",
            "set Type=notify",
        )
    if settings["WatchdogSec"] == NOT_TOLD:
        return
    watchdog = seconds_in(settings["WatchdogSec"])
    if watchdog is None:
        return
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


def _is_notified(settings: Mapping[str, str]) -> bool:
    return settings["Type"] in ("notify", "notify-reload")


def _of_the_restart(settings: Mapping[str, str]) -> Iterator[Judgement]:
    restart, kept_down = settings["Restart"], settings["RestartPreventExitStatus"]
    if restart not in ("on-failure", "always"):
        yield (
            Level.WARNING,
            f"Restart is {restart}: a daemon that fails is not started again",
            "set Restart=on-failure",
        )
    elif not {str(BROKEN_CONFIG), "CONFIG"}.intersection(words_in(kept_down)):
        what = "a daemon that finds its configuration or its handlers broken is started again and again"
        yield (
            Level.WARNING,
            f"RestartPreventExitStatus is {kept_down or 'empty'}, without {BROKEN_CONFIG}: {what}",
            f"set RestartPreventExitStatus={BROKEN_CONFIG}",
        )


def _of_what_survives(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    preserve = settings["RuntimeDirectoryPreserve"]
    if settings["RuntimeDirectory"] and not (is_yes(preserve) or preserve == "restart"):
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


def _of_the_unjudged(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    names = [name for name in UNJUDGED if settings[name]]
    if not are_addresses_judged(settings, config):
        names.append("IPAddressDeny")
    if names:
        yield (
            Level.WARNING,
            f"not judged: {', '.join(names)}, which may change what the daemon finds or reaches",
            "see for yourself that it has its configuration, its paths and its server",
        )


def _of_paths(settings: Mapping[str, str], config: Config) -> Iterator[Judgement]:
    """Only of the configuration that the unit names: another one's paths may be none of this daemon's."""
    if is_started_with(settings, config.path):
        for is_grave, what, remedy in obstacles(settings, config):
            yield Level.ERROR if is_grave else Level.WARNING, what, remedy
