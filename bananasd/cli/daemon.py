"""``bananasd start``, ``stop``, ``reload`` and ``dump``."""

from pathlib import Path

import click

from ..errors import ConfigError, DaemonError
from ..processes import control
from ..processes.control import Stacks
from ..settings import Config
from .errors import Failure
from .output import printable
from .server import find_run_dir, load_config, takes_config, takes_config_path
from .times import duration

RELOAD_SECONDS = 300
SPARE_SECONDS = 5
"""How much longer than its drain a daemon may take before ``stop`` gives up on it."""


@click.command()
@click.option(
    "--watch", "is_watching", is_flag=True, help="Reload when a handler or the configuration changes."
)
@takes_config
def start(config: Config, is_watching: bool) -> None:
    """Run the daemon, in the foreground, until it is told to stop.

    SIGTERM or Ctrl-C stops it: jobs that run get until shortly before master.drain_seconds to finish, then they
    are interrupted and go back to the front of their queue. SIGHUP reloads it. Its own exit code is 0 after a stop
    that was asked for, 78 if its handlers turned out broken, 70 if something could not be kept running.
    """
    # Not at the top: stop needs nothing of it.
    from ..processes import daemon  # noqa: PLC0415

    raise click.exceptions.Exit(daemon.run(config, is_watching=is_watching))


@click.command()
@click.option(
    "--timeout",
    metavar="TIME",
    type=duration,
    help=f"How long to wait for its end; by default master.drain_seconds and {SPARE_SECONDS} s more.",
)
@takes_config
def stop(config: Config, timeout: float | None) -> None:
    """Stop the daemon, and wait until all of it is gone.

    If it is not gone in time the exit code is 75; it goes on stopping.
    """
    wait_seconds = config.master.drain_seconds + SPARE_SECONDS if timeout is None else timeout
    control.stop(
        config.run_dir, wait_seconds, lambda left: click.echo(f"waiting for {printable(left)}", err=True)
    )
    click.echo("stopped")


@click.command(name="reload")
@click.option(
    "--timeout",
    metavar="TIME",
    type=duration,
    default=str(RELOAD_SECONDS),
    help=f"How long to wait for the outcome; by default {RELOAD_SECONDS} s.",
)
@takes_config_path
def reload_(config_path: Path | None, timeout: float) -> None:
    """Have the daemon take up new handlers and settings.

    They are tried first, in a process of their own. If anything is wrong with them every problem is told, here and in
    the daemon's log, nothing changes, and the exit code is 78. If not, the daemon's processes are replaced one by one,
    and no job is interrupted. A new process that does not come up ends that, with 78 too; what has been replaced by
    then stays so.
    """
    problems: list[str] = []
    try:
        run_dir = load_config(config_path).run_dir
    except ConfigError as error:
        # The daemon is to hear of it all the same, and to say in its log why it stays as it is.
        run_dir, problems = find_run_dir(config_path), error.problems
    _reload(run_dir, timeout, problems)
    click.echo("reloaded")


def _reload(run_dir: Path, timeout: float, problems: list[str]) -> None:
    """Raise `ConfigError` with what the daemon finds wrong, or with what was found wrong here."""
    try:
        control.reload(run_dir, timeout)
    except ConfigError:
        raise
    except DaemonError as error:
        if problems:
            raise ConfigError([*problems, str(error)]) from None
        raise
    if problems:
        raise ConfigError([*problems, "the daemon has reloaded, but from a configuration of its own"])


@click.command()
@click.argument("slot", nargs=-1)
@takes_config
def dump(config: Config, slot: tuple[str, ...]) -> None:
    """Print what the daemon's processes are doing, as Python stacks.

    SLOT is one of them: 'master', 'scheduler', 'worker 3'. Even a process that is stuck in C code answers. The exit
    code is 1 if one does not.
    """
    silent = []
    for stacks in control.dump(config.run_dir, " ".join(slot) or None):
        click.echo(f"{stacks.slot}, pid {stacks.pid}")
        click.echo(printable(stacks.text) or f"no answer: {_why_silent(stacks)}")
        click.echo()
        silent += [] if stacks.text else [stacks.slot]
    if silent:
        raise Failure(f"no stacks of {', '.join(silent)}")


def _why_silent(stacks: Stacks) -> str:
    if stacks.is_stopped:
        return f"it is stopped by a signal or a debugger; 'kill -CONT {stacks.pid}' lets it go on"
    return "it has not come up yet, or is about to end"
