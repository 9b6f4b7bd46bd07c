"""``bananasd reprioritise`` and ``bananasd reschedule``: where, and until when, a job waits."""

from datetime import datetime, timedelta

import click

from ..client import Client
from ..job import Priority
from .server import takes_client
from .times import duration, instant
from .words import any_queue, id_argument

NOW = "now"


def _moment(text: str) -> datetime | timedelta:
    """``now``, a duration from now, or an instant; for an argument's type."""
    if text == NOW:
        return timedelta(0)
    try:
        return timedelta(seconds=duration(text))
    except click.BadParameter:
        pass
    try:
        return instant(text)
    except click.BadParameter:
        raise click.BadParameter(
            f"{text!r} is not a time: want now, a duration such as 90s, 5m, 2h or 1d, "
            "or a date and time with its zone such as 2030-01-31T09:00:00Z"
        ) from None


@click.command()
@id_argument
@click.argument("priority", type=click.Choice([priority.value for priority in Priority]))
@click.option("--queue", metavar="QUEUE", type=any_queue, help="Another queue, too.")
@takes_client
def reprioritise(client: Client, job_id: str, priority: str, queue: str | None) -> None:
    """Give a job that has not started another priority.

    If it is pending it goes to the end of that lane; moved back before a worker has come to its old place, it has that
    place again.
    """
    is_moved = client.reprioritise(job_id, Priority(priority), queue)
    job = client.get_job(job_id)
    click.echo(f"{'moved to' if is_moved else 'already in'} queue {job.queue}, priority {job.priority}")


@click.command()
@id_argument
@click.argument("when", type=_moment)
@takes_client
def reschedule(client: Client, job_id: str, when: datetime | timedelta) -> None:
    """Let a job that has not started run at another time.

    \b
      bananasd reschedule 5f0c1d52-7d0e-4c59-8a55-3f1e5e2b9a10 now
      bananasd reschedule 5f0c1d52-7d0e-4c59-8a55-3f1e5e2b9a10 10m
      bananasd reschedule 5f0c1d52-7d0e-4c59-8a55-3f1e5e2b9a10 2030-01-31T09:00:00Z

    WHEN is now, a time from now, or an instant in ISO 8601 with its zone. A job that waits for its next try is tried
    then.
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    if not client.reschedule(job_id, when):
        click.echo("it is due already, and waits for a worker")
        return
    due = client.get_job(job_id).scheduled_for
    click.echo(
        "due now" if due is None or when == timedelta(0) else f"due at {due.isoformat(timespec='seconds')}"
    )
