"""``bananasd submit``: one job from the command line."""

import json
import shlex
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ..client import Client
from ..job import Job, Priority, Status
from ..limits import MAX_DELAYS, MAX_RETRIES, ON_DUPLICATE, ON_LOST, UNIQUE_UNTIL
from ..masking import mask_error
from ..request import JobRequest
from .errors import FAILED
from .output import compact_json, echo_json, json_option, printable, told_of, tries
from .server import takes_client
from .times import duration, instant, some_time
from .waiting import WaitingCommand, wait_for, wait_option
from .words import any_id, any_key, any_name, any_queue

WITHOUT_KEY = {"unique_seconds": None, "unique_until": "end", "on_duplicate": "return"}
"""What these options say when nothing is said."""


def payload(text: str) -> Any:
    """A JSON value, given as text, as ``@FILE``, or as ``-`` for standard input; for an option's type."""
    source = _read(text) if text == "-" or text.startswith("@") else text
    try:
        # Not orjson, which would turn integers beyond 64 bits into floats without a word.
        return json.loads(source)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"not JSON: {error}") from None


def _read(place: str) -> str:
    try:
        return sys.stdin.read() if place == "-" else Path(place[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{place}: cannot be read: {error}") from None


def delays(text: str) -> list[float]:
    """Durations with commas between them; for an option's type."""
    parts = text.split(",")
    if len(parts) > MAX_DELAYS:
        raise click.BadParameter(f"{len(parts):,} delays, at most {MAX_DELAYS:,} are taken")
    return [duration(part.strip()) for part in parts]


def header(text: str) -> tuple[str, str]:
    """``NAME=VALUE``; for an option's type."""
    name, sign, value = text.partition("=")
    if not sign:
        raise click.BadParameter(f"{text!r} is no header: want NAME=VALUE")
    return name, value


payload_option = click.option(
    "--payload",
    metavar="JSON",
    type=payload,
    default="null",
    help="What the handler gets: JSON, @FILE that holds it, or - for standard input. Default: null.",
)


def _refuse(_context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> None:
    """Most often it is the payload, which other programs take as an argument."""
    if words:
        raise click.UsageError(
            f"unexpected argument {words[0]!r}; a payload is an option: --payload {shlex.quote(words[0])}"
        )


no_other_argument = click.argument("rest", nargs=-1, metavar="", expose_value=False, callback=_refuse)
"""Below `payload_option`: takes what would be one argument too many, to say where it belongs."""


@click.command(cls=WaitingCommand)
@click.argument("name", type=any_name)
@payload_option
@no_other_argument
@click.option(
    "--priority",
    type=click.Choice([priority.value for priority in Priority]),
    default=Priority.NORMAL.value,
    show_default=True,
    help="High before normal before low.",
)
@click.option(
    "--in", "delay", metavar="TIME", type=duration, help="Run it after this time: 90, 90s, 5m, 2h, 1d."
)
@click.option(
    "--at",
    metavar="WHEN",
    type=instant,
    help="Run it at this time: ISO 8601 with its zone, as 2030-01-31T09:00:00Z.",
)
@click.option("--queue", type=any_queue, default="default", show_default=True, help="The queue to put it in.")
@click.option("--description", default="", help="A few words for people.")
@click.option(
    "--max-retries",
    type=click.IntRange(0, MAX_RETRIES),
    help="Tries after the first, instead of the handler's.",
)
@click.option(
    "--timeout", metavar="TIME", type=duration, help="How long it may run, 0 for ever; else the handler's."
)
@click.option(
    "--retry",
    metavar="TIMES",
    type=delays,
    help="How long to wait before each try after the first, as 1s,10s,5m, instead of the handler's.",
)
@click.option(
    "--on-lost",
    type=click.Choice(ON_LOST),
    help="Whether it runs again if a run is lost with its worker, instead of the handler's.",
)
@click.option(
    "--expires-in",
    metavar="TIME",
    type=some_time,
    help="Do not run it if it has to wait longer than this, from its due time on.",
)
@click.option(
    "--unique-key",
    metavar="KEY",
    type=any_key,
    help="Do not submit it if a job with this key waits or runs; print that one's id.",
)
@click.option(
    "--unique-for",
    "unique_seconds",
    metavar="TIME",
    type=some_time,
    help="Free the key after this time at the latest.",
)
@click.option(
    "--unique-until",
    type=click.Choice(UNIQUE_UNTIL),
    default="end",
    show_default=True,
    help="Free the key at the end of the job, or when it starts.",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(ON_DUPLICATE),
    default="return",
    show_default=True,
    help="If the key is taken: print the id of that job, fail, or replace that job if it waits.",
)
@click.option(
    "--header",
    "headers",
    metavar="NAME=VALUE",
    type=header,
    multiple=True,
    help="Text that its runs find as job.headers, as traceparent=00-…; more than once for more.",
)
@click.option(
    "--id",
    "job_id",
    metavar="UUID",
    type=any_id,
    help="Its id; submitting the same id again changes nothing.",
)
@wait_option
@json_option
@takes_client
def submit(client: Client, wait: float | None, as_json: bool, **options: Any) -> None:
    """Submit a job for the handler NAME and print its id.

    \b
      bananasd submit send_welcome_email --payload '{"to": "a@example.org"}' --wait
      bananasd submit data_processing --payload @rows.json --priority low --in 5m

    With --wait it exits with 1 if the job failed, expired or was cancelled, and with 75 if it had not ended in time
    (the job itself goes on).
    """  # noqa: D301 - click's mark for a paragraph that is not to be wrapped
    (job_id,) = client.submit_many([_request(**options)])
    if wait is None:
        echo_json({"id": job_id}) if as_json else click.echo(job_id)
        return
    if not as_json:
        click.echo(job_id)  # at once: whoever waits may want to look
    job = wait_for(client, job_id, wait)
    echo_json(told_of(job)) if as_json else _echo_outcome(job)
    if job.status is not Status.COMPLETED:
        raise click.exceptions.Exit(FAILED)


def _request(
    *,
    priority: str,
    delay: float | None,
    at: datetime | None,
    timeout: float | None,
    headers: tuple[tuple[str, str], ...],
    **same: Any,
) -> JobRequest:
    if delay is not None and at is not None:
        raise click.UsageError("--in and --at exclude each other")
    if same["unique_key"] is None and any(same[name] != usual for name, usual in WITHOUT_KEY.items()):
        raise click.UsageError("--unique-for, --unique-until and --on-duplicate need --unique-key")
    return JobRequest(
        priority=Priority(priority),
        scheduled_for=at if delay is None else timedelta(seconds=delay),
        timeout_seconds=timeout,
        headers=dict(headers),
        **same,
    )


def _echo_outcome(job: Job) -> None:
    if job.status is Status.COMPLETED and job.started_at and job.finished_at:
        click.echo(f"completed in {(job.finished_at - job.started_at).total_seconds():.3f} s")
    elif job.status is Status.FAILED:
        click.echo(f"failed after {tries(job)}")
    else:
        click.echo(job.status.value)
    if job.result is not None:
        click.echo(printable(compact_json(job.result)))
    if job.error:
        click.echo(printable(mask_error(job.error).rstrip()))
