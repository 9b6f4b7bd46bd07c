"""``bananasd explain``: why is my job not running?"""

import click

from ..client import Client
from ..explanation import Explanation, Reason
from .errors import FAILED
from .output import echo_fields, echo_json, json_option, one_line
from .server import takes_client
from .times import duration
from .words import id_argument


@click.command()
@id_argument
@click.option(
    "--look",
    "look_seconds",
    metavar="TIME",
    type=duration,
    default="1",
    help="If others wait before it, look again so much later to tell how fast they go; by default 1 s, 0 for not.",
)
@json_option
@takes_client
def explain(client: Client, job_id: str, look_seconds: float, as_json: bool) -> None:
    """Tell why a job does not run: one sentence, then the facts that it stands on.

    Waiting behind how many, a pause, no worker that serves its lane, no handler of its name, a time that is to come, a
    retry and the error before it, the worker that holds it, a node that was lost, how it ended. With --json the word in
    'reason' is for programs. Ends with 1 if there is no such job.
    """
    explanation = client.explain(job_id, look_seconds=look_seconds)
    echo_json(explanation.to_dict()) if as_json else _echo(explanation)
    if explanation.reason is Reason.NOT_FOUND:
        raise click.exceptions.Exit(FAILED)


def _echo(explanation: Explanation) -> None:
    click.echo(one_line(explanation.sentence))
    click.echo()
    evidence = ((name, _shown(value)) for name, value in explanation.evidence.items())
    echo_fields([("reason", explanation.reason), *evidence])


def _shown(value: str | float | None) -> str | None:
    """None and what is empty is not told."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if value < 100 else f"{value:,.1f}"
