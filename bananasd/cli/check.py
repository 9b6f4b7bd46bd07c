"""``bananasd check``: would a daemon start with this?"""

import faulthandler
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import structs

from .. import config as configuration
from ..contradictions import risks
from ..errors import ConfigError, DaemonError, HandlersError
from ..handlers import Registry, load_directory, schedule_of
from ..http.obstacles import http_obstacles
from ..job import Priority
from ..processes.redis_server import find_server_binary
from ..schedule import Schedule
from ..server import server_of
from ..settings import Config, PoolConfig
from .errors import warn
from .output import echo_fields, echo_json, json_option
from .paths import path_obstacles, path_risks
from .server import takes_config_path

STDOUT, STDERR = 1, 2

Found = TypeVar("Found")


@click.command()
@json_option
@takes_config_path
def check(config_path: Path | None, as_json: bool) -> None:
    """Check the configuration and the handlers.

    Shows what a daemon would run with. Every problem is one line, with its file and its line or key. The server is
    not asked, nothing is started or made. What modules print while they are imported goes to standard error.
    """
    draft = configuration.examine(configuration.find(config_path), os.environ)
    config, problems = draft.config, list(draft.problems)
    server = _attempt(lambda: server_of(config), problems)
    problems += http_obstacles(config, draft.rejected)
    problems += path_obstacles(config)
    registry = None
    if "workers.handlers" not in draft.rejected:
        with _loading():
            registry = _attempt(lambda: load_directory(config.workers.handlers), problems)
    if server is None or registry is None or problems:
        raise ConfigError(problems)
    for risk in (*risks(config), *path_risks(config)):
        warn(risk)
    if config.redis.is_embedded:
        _warn_without_server()
    if as_json:
        echo_json(_to_dict(config, server.address, registry))
    else:
        _echo(config, server.address, registry)


def _attempt(load: Callable[[], Found], problems: list[str]) -> Found | None:
    """What it loads, or None and its problems added to the others."""
    try:
        return load()
    except (ConfigError, HandlersError) as error:
        problems += error.problems
    return None


@contextmanager
def _loading() -> Iterator[None]:
    """What modules print while they are imported is not what the command tells; and of one that crashes it the stack is told."""
    if not faulthandler.is_enabled():
        faulthandler.enable(STDERR)
    with _stdout_aside():
        yield


@contextmanager
def _stdout_aside() -> Iterator[None]:
    """Everything goes to standard error, also from programs that they start."""
    sys.stdout.flush()
    own = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(own, STDOUT)
        os.close(own)


def _warn_without_server() -> None:
    try:
        find_server_binary(os.environ)
    except DaemonError as error:
        warn(str(error))


def _echo(config: Config, address: str, registry: Registry) -> None:
    echo_fields(
        [
            ("configuration", config.path or "none, these are the defaults"),
            ("namespace", config.namespace),
            ("redis", f"{'embedded, ' if config.redis.is_embedded else ''}{address}"),
            ("workers", "\n".join(map(_describe_pool, config.all_pools))),
            ("http", config.http.listen or None),
            ("run_dir", config.run_dir),
            ("state_dir", config.state_dir),
            ("schedules", "\n".join(map(_about, _schedules(config, registry))) or None),
            ("handlers", "\n".join(f"{spec.name} ({spec.file}:{spec.line})" for spec in _by_name(registry))),
            (
                "hooks",
                registry.hooks and f"{', '.join(registry.hooks.names()) or 'none'} ({registry.hooks.file})",
            ),
        ]
    )


def _describe_pool(pool: PoolConfig) -> str:
    """``4, for default; fairness 10``; ``1 in pool urgent, for default: high``."""
    where = f" in pool {pool.name}" if pool.name else ""
    only = "" if len(pool.priorities) == len(Priority) else f": {', '.join(pool.priorities)}"
    fairness = f"; fairness {pool.fairness}" if pool.fairness else ""
    return f"{pool.workers}{where}, for {', '.join(pool.queues)}{only}{fairness}"


def _to_dict(config: Config, address: str, registry: Registry) -> dict[str, Any]:
    return {
        "configuration": config.path and str(config.path),
        "namespace": config.namespace,
        "redis": {"is_embedded": config.redis.is_embedded, "address": address},
        "workers": {
            "count": config.workers.count,
            "queues": config.workers.queues,
            "priorities": config.workers.priorities,
            "fairness": config.workers.fairness,
        },
        "pools": [structs.asdict(pool) for pool in config.pools],
        "http": config.http.listen or None,
        "run_dir": str(config.run_dir),
        "state_dir": str(config.state_dir),
        "schedules": [schedule.to_dict() for schedule in _schedules(config, registry)],
        "handlers": [
            {name: getattr(spec, name) for name in ("name", "file", "line", "max_retries", "timeout_seconds")}
            for spec in _by_name(registry)
        ],
        "hooks": registry.hooks and {"file": registry.hooks.file, "names": registry.hooks.names()},
    }


def _schedules(config: Config, registry: Registry) -> list[Schedule]:
    """Those of the handlers, but for names that the file has, too; and those of the file."""
    found = [*filter(None, map(schedule_of, _by_name(registry))), *(config.schedules or ())]
    return list({schedule.name: schedule for schedule in found}.values())


def _about(schedule: Schedule) -> str:
    zone = "" if schedule.cron is None else f" {schedule.timezone}"
    job = "" if schedule.job == schedule.name else f" → {schedule.job}"
    return f"{schedule.name}{job} ({schedule.when}{zone}{'' if schedule.enabled else ', rests'})"


def _by_name(registry: Registry) -> list[Any]:
    return sorted(registry, key=lambda spec: spec.name)
