"""``bananasd dead``: the jobs that failed for good."""

from collections.abc import Sequence

import click

from .. import clock
from ..chunks import forms_of
from ..client import Client
from ..durations import brief
from ..errors import InvalidJob, JobNotFound
from ..job import Job, Status
from ..masking import mask_error
from ..store.stats import Stats
from .errors import Failure
from .jobs import echo_job
from .output import columns, count, echo_json, json_option, one_line, shorten, told_of, tries
from .server import Command, Place, takes_client, takes_place
from .words import any_dead_id


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
@click.argument("job_id", metavar="ID", type=any_dead_id)
@json_option
@takes_place
def show(place: Place, job_id: str, as_json: bool) -> None:
    """Show one dead job with the whole of its error."""
    job = _look_up(place, job_id)
    if job.status is not Status.FAILED:
        raise Failure(f"job {job.id} is not dead, it is {job.status}")
    echo_json(told_of(job)) if as_json else echo_job(job)


def _look_up(place: Place, job_id: str) -> Job:
    # Not by a client, which takes nothing but UUIDs.
    with place.connect() as connection:
        stats = Stats(connection, place.namespace)
        for form in forms_of(job_id):
            if job := stats.job(form):
                return job
    raise JobNotFound(job_id)


def _takes_ids(command: Command) -> Command:
    ids = click.argument("ids", metavar="[ID]...", nargs=-1, type=any_dead_id)
    return ids(click.option("--all", "is_all", is_flag=True, help="All of them.")(command))


@dead.command()
@_takes_ids
@takes_client
def retry(client: Client, ids: Sequence[str], is_all: bool) -> None:
    """Put dead jobs back into their queues, with their attempts at zero."""
    chosen = _choose(ids, is_all)
    back = set(client.retry_dead(chosen))
    click.echo(f"{count(len(back), 'job')} put back")
    left = [job_id for job_id in chosen or () if back.isdisjoint(forms_of(job_id))]
    locked = {job_id: job for job_id in left if (job := _find(client, job_id)) and _is_locked(job)}
    missing = [job_id for job_id in left if job_id not in locked]
    why = "not among the dead, or without a record that could run"
    _fail_for([*_left_out(chosen, missing, why), *map(_about_locked, locked.values())])


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
    if chosen is None:
        click.echo(f"{count(client.purge_dead(), 'job')} deleted")
        return
    # A call for each, which is known only by that to have been there.
    deleted = {job_id: client.purge_dead([job_id]) for job_id in chosen}
    click.echo(f"{count(sum(deleted.values()), 'job')} deleted")
    missing = [job_id for job_id in chosen if not deleted[job_id]]
    _fail_for(_left_out(chosen, missing, "not among the dead"))


def _choose(ids: Sequence[str], is_all: bool) -> list[str] | None:
    """The ids, each once; None for all. What is given in another form is looked for in the usual one anyway."""
    if bool(ids) == is_all:
        raise click.UsageError("say which: ids, or --all" if not ids else "ids and --all exclude each other")
    implied = {form for job_id in ids for form in forms_of(job_id) if form != job_id}
    return None if is_all else [job_id for job_id in dict.fromkeys(ids) if job_id not in implied]


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


def _left_out(chosen: list[str] | None, missing: list[str], why: str) -> list[str]:
    if not chosen or not missing:
        return []
    names = ", ".join(map(one_line, missing))
    return [f"{len(missing)} of {count(len(chosen), 'job')} {why}: {names}"]


def _fail_for(reasons: list[str]) -> None:
    if reasons:
        raise Failure("; ".join(reasons))


def _echo_line(job: Job) -> None:
    died = f"{brief(max(0, clock.now_ms() - job.finished_ms) / 1000)} ago" if job.finished_ms else "-"
    click.echo(f"{one_line(job.id)}  {one_line(job.name)}  {tries(job)}  {died}")
    last_line = mask_error(job.error or "").rstrip().rpartition("\n")[2]
    click.echo(f"    {shorten(last_line, columns() - 4)}")
