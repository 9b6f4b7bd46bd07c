"""``bananasd cancel``: end a job."""

from typing import Literal

import click

from ..client import Client
from ..job import Status
from .server import takes_client
from .words import id_argument


@click.command()
@id_argument
@click.option(
    "--running", "how", flag_value="soft", help="A job that runs, too: it is asked to end, then interrupted."
)
@click.option("--hard", "how", flag_value="hard", help="The same, but its worker is killed at once.")
@takes_client
def cancel(client: Client, job_id: str, how: Literal["soft", "hard"] | None) -> None:
    """Cancel a job that has not started, or one that runs.

    With --running its handler sees job.should_stop at once, and is interrupted by JobCancelled a second later; if it ignores
    that it is killed after workers.grace_seconds. Only the run that goes on now is hit, on whatever node. The job will be
    cancelled however that run ends; 'bananasd job ID' tells when it is.
    """
    if not client.cancel(job_id, how):
        raise click.ClickException(_why_not(job_id, client.get_job(job_id).status))
    is_over = client.get_job(job_id).status is Status.CANCELLED
    click.echo("cancelled" if is_over else "it runs, and has been told to end")


def _why_not(job_id: str, status: Status) -> str:
    if status is Status.PROCESSING:
        return f"job {job_id} runs: add --running to have it end, or --hard to have its worker killed"
    return f"job {job_id} cannot be cancelled any more: it is {status}"
