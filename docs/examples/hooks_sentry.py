"""Sentry: copy this to handlers/hooks.py, and say where it is in $SENTRY_DSN (`pip install sentry-sdk`)."""

from contextlib import ExitStack

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger

from bananasd import Job, RetryLater
from bananasd.hooks import JobEnd, WorkerInfo

_run = ExitStack()
"""What begins with a job and ends with it: a worker runs one at a time."""


def on_worker_start(worker: WorkerInfo) -> None:
    sentry_sdk.init(server_name=worker.node)
    sentry_sdk.set_tag("worker", worker.name)
    # What a handler raises comes by on_failure, with all that is known of the job; not again as a line of the log.
    ignore_logger("bananasd.*")


def before_job(job: Job) -> None:
    scope = _run.enter_context(sentry_sdk.isolation_scope())
    scope.set_transaction_name(job.name)
    scope.set_tag("job", job.name)
    scope.set_context("job", {"id": job.id, "queue": job.queue, "attempt": job.attempt})


def on_failure(job: Job, error: BaseException) -> None:
    if not isinstance(error, RetryLater):
        sentry_sdk.capture_exception(error)


def on_dead(job: Job, error: BaseException) -> None:
    sentry_sdk.capture_message(f"job dead: {job.name}", level="fatal")


def after_job(job: Job, end: JobEnd) -> None:
    _run.close()


def on_worker_stop(worker: WorkerInfo) -> None:
    sentry_sdk.flush(timeout=1)
