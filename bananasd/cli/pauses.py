"""``bananasd pause`` and ``bananasd resume``: whether jobs of a queue, or any, may begin."""

from difflib import get_close_matches

import click

from ..client import Client
from ..schema import did_you_mean
from ..store.keys import EVERYTHING
from .errors import warn
from .jobs import name_pausable, show_pauses
from .server import takes_client
from .times import some_time
from .words import any_queue


@click.command()
@click.argument("queue", required=False, type=any_queue)
@click.option(
    "--for", "seconds", metavar="TIME", type=some_time, help="For this time: 90, 90s, 5m, 2h, 1d. Default: until it is resumed."
)  # fmt: skip
@takes_client
def pause(client: Client, queue: str | None, seconds: float | None) -> None:
    """Let no job of QUEUE begin, or none at all.

    What runs goes on, and jobs are accepted as ever. It holds for all daemons of the namespace, those that start later
    too. A QUEUE to which no job has come yet is paused with a warning: it may be mistyped.
    """
    client.pause(queue, seconds)
    _echo_pauses(client)
    if queue is not None:
        _warn_if_new(queue, {lane.queue for lane in client.queue_stats().lanes})


@click.command()
@click.argument("queue", required=False, type=any_queue)
@takes_client
def resume(client: Client, queue: str | None) -> None:
    """End the pause of QUEUE, or that of everything.

    A queue that was paused by its name stays so when everything is resumed, and the other way round.
    """
    if not client.resume(queue):
        click.echo(f"{name_pausable(queue or EVERYTHING)} was not paused")
    _echo_pauses(client)


def _warn_if_new(queue: str, known: set[str]) -> None:
    """It may be meant for jobs that are still to come; or be mistyped."""
    if queue not in known:
        warn(f"no job has come to a queue {queue!r} yet{did_you_mean(get_close_matches(queue, known, n=1))}")


def _echo_pauses(client: Client) -> None:
    click.echo(
        "\n".join(f"paused: {line}" for line in show_pauses(client.paused()).splitlines())
        or "nothing is paused"
    )
