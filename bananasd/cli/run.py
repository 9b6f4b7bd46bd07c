"""``bananasd run``: a handler in this very process, for trying and debugging it."""

import json
import traceback
from typing import Any

import click

from .. import clock, log
from ..errors import BadPayload
from ..handlers import HandlerSpec, load_directory, submit_through
from ..job import Job, encode_result, read_spec
from ..processes import offspring
from ..processes.handler_call import call
from ..request import JobRequest
from ..settings import Config
from .errors import Failure
from .output import echo_json, printable
from .server import client_of, takes_config
from .submit import no_other_argument, payload_option
from .waiting import show_progress


@click.command()
@click.argument("name")
@payload_option
@no_other_argument
@takes_config
def run(config: Config, name: str, payload: Any) -> None:
    """Run the handler NAME here and now, and print its result as JSON.

    It needs neither Redis nor a daemon. Logs and progress go to standard error; if the handler raises, so does
    its traceback, and the exit code is 1. There are no retries, and time limits do not hold.
    """
    log.configure(config.log.level, config.log.format)
    submit_through(lambda: client_of(config))
    offspring.provide(config.workers.handlers)
    spec = _find(config, name)
    result = _perform(spec, _job(name, payload))
    try:
        encoded = encode_result(result, config.retention.result_bytes)
    except ValueError as error:
        raise Failure(f"the handler returned, but {error}") from None
    echo_json(json.loads(encoded or b"null"))


class _Terminal:
    """The `RunContext` of a job that no worker runs."""

    def set_progress(self, job: Job, progress: bytes) -> None:  # noqa: ARG002
        click.echo(f"progress: {printable(show_progress(json.loads(progress)))}", err=True)

    def should_stop(self, job: Job) -> bool:  # noqa: ARG002
        return False


def _find(config: Config, name: str) -> HandlerSpec:
    registry = load_directory(config.workers.handlers)
    spec = registry.get(name)
    if spec is None:
        raise Failure(f"no handler is named {name!r}; there are: {', '.join(registry.names())}")
    return spec


def _job(name: str, payload: Any) -> Job:
    """A job as a worker would have claimed it at its first run."""
    request = JobRequest(name, payload)
    job = Job.claimed(request.job_id, read_spec(request.spec), request.lane, (1, 0, 0), None, clock.now_ms())
    job.bind(_Terminal())
    return job


def _perform(spec: HandlerSpec, job: Job) -> Any:
    log.set_job(job.id, job.name, job.attempt)
    try:
        return call(spec, job)
    except KeyboardInterrupt:
        raise
    except BadPayload as error:
        raise Failure(f"the payload does not fit the handler: {error}") from None
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything, SystemExit included
        click.echo(_traceback_of(error, spec.file), err=True, nl=False)
        raise Failure(f"the handler {spec.name!r} raised {type(error).__name__}") from None
    finally:
        log.clear_job()


def _traceback_of(error: BaseException, file: str) -> str:
    """The traceback from the handler on: how it was called is of no use to its author."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != file:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
