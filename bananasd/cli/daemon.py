"""``bananasd start`` and ``bananasd stop``."""

import click

from ..config import Config
from ..processes import control
from .server import takes_config
from .times import duration

SPARE_SECONDS = 5
"""How much longer than its drain a daemon may take before ``stop`` gives up on it."""


@click.command()
@takes_config
def start(config: Config) -> None:
    """Run the daemon, in the foreground, until it is told to stop.

    SIGTERM or Ctrl-C stops it: jobs that run get until shortly before master.drain_seconds to finish, then they
    are interrupted and go back to the front of their queue. Its own exit code is 0 after a stop that was asked
    for, 78 if its handlers turned out broken, 70 if something could not be kept running.
    """
    # Not at the top: stop needs nothing of it.
    from ..processes import daemon  # noqa: PLC0415

    raise click.exceptions.Exit(daemon.run(config))


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
    control.stop(config.run_dir, wait_seconds)
    click.echo("stopped")
