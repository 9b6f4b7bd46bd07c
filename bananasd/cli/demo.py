"""``bananasd demo``: see `bananasd.demo`."""

import click

from .. import demo as story


@click.command()
def demo() -> None:
    """See it work: a daemon, a small workflow on it, and its end.

    Needs no Redis and no configuration. Everything happens in a temporary directory, which is removed; it takes
    about 6 s, and on a terminal a minute more to look at the dashboard, if you like. Exits with 0 if every job completed and the daemon stopped cleanly, else with 1.
    """
    raise click.exceptions.Exit(story.run())
