"""``bananasd dead``: the jobs that failed for good."""

from collections.abc import Sequence
from functools import partial

import click

from .. import clock
from ..client import Client
from ..durations import brief
from ..errors import InvalidJob, JobNotFound
from ..job import Job, Status
from ..masking import mask_error
from .errors import Failure
from .jobs import echo_job
from .output import columns, count, echo_json, json_option, one_line, shorten, told_of, tries
from .server import Command, takes_client
from .words import any_dead_id, id_argument


@click.group()
def dead() -> None:
    """List jobs that failed for good, bring them back, delete them."""


@dead.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="How many of the latest to leave out.")
@json_option
@takes_client
def list_(client: Client, limit: int, offset: int, as_json: bool) -> None:
    """List dead jobs, the latest first, with the end of their errors."""
    jobs = client.dead_jobs(offset=offset, limit=limit)
    if as_json:
        echo_json([told_of(job) for job in jobs])
        return
    for job in jobs:
        _echo_line(job)
    click.echo(f"{len(jobs):,} of {count(client.queue_stats().dead, 'dead job')}")


@dead.command()
@id_argument
@json_option
@takes_client
def show(client: Client, job_id: str, as_json: bool) -> None:
    """Show one dead job with the whole of its error."""
    job = client.get_job(job_id)
    if job.status is not Status.FAILED:
        raise Failure(f"job {job.id} is not dead, it is {job.status}")
    echo_json(told_of(job)) if as_json else echo_job(job)


def _takes_ids(command: Command) -> Command:
    ids = click.argument("ids", metavar="[ID]...", nargs=-1, type=any_dead_id)
    return ids(click.option("--all", "is_all", is_flag=True, help="All of them.")(command))


@dead.command()
@_takes_ids
@takes_client
def retry(client: Client, ids: Sequence[str], is_all: bool) -> None:
    """Put dead jobs back into their queues, with their attempts at zero."""
    chosen = _choose(ids, is_all)
    back = client.retry_dead(chosen)
    click.echo(f"{count(len(back), 'job')} put back")
    left = [job_id for job_id in chosen or () if job_id not in back]
    locked = [job for job in map(partial(_find, client), left) if job and _is_locked(job)]
    locked_ids = {job.id for job in locked}
    missing = [job_id for job_id in left if job_id not in locked_ids]
    why = f"not among the dead, or without a record that could run: {', '.join(missing)}"
    _fail_for([*_left_out(chosen, len(missing), why), *map(_about_locked, locked)])


@dead.command()
@_takes_ids
@click.option("--yes", is_flag=True, help="Do not ask.")
@takes_client
def purge(client: Client, ids: Sequence[str], is_all: bool, yes: bool) -> None:
    """Delete dead jobs and their records, for good."""
    chosen = _choose(ids, is_all)
    number = client.queue_stats().dead if chosen is None else len(chosen)
    if not yes:
        click.confirm(f"Delete {count(number, 'dead job')} for good?", abort=True)
    deleted = client.purge_dead(chosen)
    click.echo(f"{count(deleted, 'job')} deleted")
    _fail_for(_left_out(chosen, len(chosen or ()) - deleted, "not among the dead"))


def _choose(ids: Sequence[str], is_all: bool) -> list[str] | None:
    """The ids, each once; None for all."""
    if bool(ids) == is_all:
        raise click.UsageError("say which: ids, or --all" if not ids else "ids and --all exclude each other")
    return None if is_all else list(dict.fromkeys(ids))


def _find(client: Client, job_id: str) -> Job | None:
    try:
        return client.get_job(job_id)
    except (JobNotFound, InvalidJob):  # the latter for an id that is no UUID
        return None


def _is_locked(job: Job) -> bool:
    """Whether a job that was not brought back is dead all the same: then another has its key."""
    return job.status is Status.FAILED and job.unique_key is not None


def _about_locked(job: Job) -> str:
    return (
        f"job {job.id} stays dead, since another job has its unique key {job.unique_key!r}; "
        "retry it when that one has ended"
    )


def _left_out(chosen: list[str] | None, number: int, why: str) -> list[str]:
    return [f"{number} of {count(len(chosen), 'job')} {why}"] if chosen is not None and number else []


def _fail_for(reasons: list[str]) -> None:
    if reasons:
        raise Failure("; ".join(reasons))


def _echo_line(job: Job) -> None:
    died = f"{brief(max(0, clock.now_ms() - job.finished_ms) / 1000)} ago" if job.finished_ms else "-"
    click.echo(f"{one_line(job.id)}  {one_line(job.name)}  {tries(job)}  {died}")
    last_line = mask_error(job.error or "").rstrip().rpartition("\n")[2]
    click.echo(f"    {shorten(last_line, columns() - 4)}")
