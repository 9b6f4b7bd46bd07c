"""``--wait``: commands that wait for the end of a job, and show how far it is meanwhile."""

import math
import sys
from contextlib import suppress
from itertools import pairwise
from typing import Any

import click

from ..client import Client
from ..errors import JobNotFound
from ..job import Job, Status
from .errors import warn
from .output import columns, one_line, printable, shorten
from .times import duration

FOR_EVER = "for-ever"
CLEAR_LINE = "\r\x1b[K"


def waiting_time(text: str) -> float:
    """A duration, or no bound at all; for an option's type."""
    return math.inf if text == FOR_EVER else duration(text)


wait_option = click.option(
    "--wait",
    metavar="[TIME]",
    type=waiting_time,
    is_flag=False,
    flag_value=FOR_EVER,
    help="Wait until it has ended, at most this time, and tell how.",
)


class WaitingCommand(click.Command):
    """``--wait NAME``: what follows is a time only if it looks like one, and not like an id."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_wait(word, after) for word, after in pairwise([*args, ""])])


def _wait(word: str, after: str) -> str:
    is_time = (after[:1].isdigit() and "-" not in after) or after == FOR_EVER
    return f"--wait={FOR_EVER}" if word == "--wait" and not is_time else word


def wait_for(client: Client, job_id: str, seconds: float) -> Job:
    """Wait for the end of a job; if standard error is a terminal it shows the progress meanwhile."""
    with suppress(JobNotFound):  # what is left of it may still tell how it ended
        warn_if_unserved(client, client.get_job(job_id))
    if not sys.stderr.isatty():
        return client.wait(job_id, seconds)
    try:
        return client.wait(job_id, seconds, on_progress=_show)
    finally:
        click.echo(CLEAR_LINE, err=True, nl=False)


def warn_if_unserved(client: Client, job: Job) -> None:
    """Tell of a job that waits where nobody takes jobs, so that it waits until somebody does."""
    if job.status is not Status.PENDING:
        return
    for lane in client.queue_stats().lanes:
        if (lane.queue, lane.priority) == (job.queue, job.priority) and lane.is_unserved:
            why = f": {one_line(lane.why_unserved)}" if lane.why_unserved else ""
            warn(f"unserved: no live worker takes jobs of queue {job.queue}, priority {job.priority}{why}")


def show_progress(progress: dict[str, Any]) -> str:
    """``3 of 5: sums``."""
    of_total = "" if progress["total"] is None else f" of {progress['total']:g}"
    note = f": {progress['note']}" if progress["note"] else ""
    return f"{progress['done']:g}{of_total}{note}"


def _show(job: Job) -> None:
    """In one line of the terminal, in place of what was there."""
    if job.progress:
        line = shorten(printable(show_progress(job.progress)), columns() - 1)
        click.echo(f"{CLEAR_LINE}{line}", err=True, nl=False)
