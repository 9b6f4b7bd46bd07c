"""``bananasd start``, ``stop``, ``reload`` and ``dump``."""

import click

from ..config import Config
from ..processes import control
from .output import count
from .server import takes_config
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
    are interrupted and go back to the front of their queue. SIGHUP reloads it. Its own exit code is 0 after a stop that was asked
    for, 78 if its handlers turned out broken, 70 if something could not be kept running.
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
    control.stop(config.run_dir, wait_seconds, lambda text: click.echo(f"waiting: {text}", err=True))
    click.echo("stopped")


@click.command(name="reload")
@click.option(
    "--timeout",
    metavar="TIME",
    type=duration,
    default=str(RELOAD_SECONDS),
    help=f"How long to wait for the outcome; by default {RELOAD_SECONDS} s.",
)
@takes_config
def reload_(config: Config, timeout: float) -> None:
    """Have the daemon take up new handlers and settings.

    They are tried first, in a process of their own. If anything is wrong with them every problem is told, nothing
    changes, and the exit code is 78. If not, the daemon's processes are replaced one by one, and no job is
    interrupted.
    """
    workers = control.reload(config.run_dir, timeout)
    click.echo(f"reloaded, {count(workers, 'worker')}")


@click.command()
@click.argument("slot", nargs=-1)
@takes_config
def dump(config: Config, slot: tuple[str, ...]) -> None:
    """Print what the daemon's processes are doing, as Python stacks.

    SLOT is one of them: 'master', 'scheduler', 'worker 3'. Even a process that is stuck in C code answers.
    """
    for stacks in control.dump(config.run_dir, " ".join(slot) or None):
        click.echo(f"{stacks.slot}, pid {stacks.pid}")
        click.echo(stacks.text or "no answer: it is stopped, or has not come up yet")
        click.echo()
