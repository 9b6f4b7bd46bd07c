"""``bananasd script``: what a program in another language needs to submit jobs."""

import click

from ..store.scripts import script

FOR_EVERYBODY = (
    "submit", "cancel", "await", "explain", "reprioritise", "reschedule", "pause", "resume", "requeue_dead", "purge_dead",
)  # fmt: skip
"""The scripts that any program may call."""


@click.command()
@click.argument("name", type=click.Choice(FOR_EVERYBODY))
def script_(name: str) -> None:
    """Print a script in full, to be called from other languages with EVALSHA or EVAL.

    docs/protocol.md says what each takes and returns. It asks no server and reads no configuration.
    """
    click.echo(script(name).text, nl=False)
