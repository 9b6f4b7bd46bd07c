"""``bananasd pause`` and ``bananasd resume``: whether jobs of a queue, or any, may begin."""

import click

from ..client import Client
from ..store.keys import EVERYTHING
from .jobs import name_pausable, show_pauses
from .server import takes_client
from .times import duration


@click.command()
@click.argument("queue", required=False)
@click.option(
    "--for", "seconds", metavar="TIME", type=duration, help="For this time: 90, 90s, 5m, 2h, 1d. Default: until it is resumed."
)  # fmt: skip
@takes_client
def pause(client: Client, queue: str | None, seconds: float | None) -> None:
    """Let no job of QUEUE begin, or none at all.

    What runs goes on, and jobs are accepted as ever. It holds for all daemons of the namespace, those that start later
    too.
    """
    client.pause(queue, seconds)
    _echo_pauses(client)


@click.command()
@click.argument("queue", required=False)
@takes_client
def resume(client: Client, queue: str | None) -> None:
    """End the pause of QUEUE, or that of everything.

    A queue that was paused by its name stays so when everything is resumed, and the other way round.
    """
    if not client.resume(queue):
        click.echo(f"{name_pausable(queue or EVERYTHING)} was not paused")
    _echo_pauses(client)


def _echo_pauses(client: Client) -> None:
    click.echo(
        "\n".join(f"paused: {line}" for line in show_pauses(client.paused()).splitlines())
        or "nothing is paused"
    )
