"""Celery: a job is acknowledged when it has ended, and given back if its process is lost."""

import noted
from celery import Celery

app = Celery("with_celery", broker=noted.URL)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True)


@app.task(name="noop")
def noop(_n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


@app.task(name="hold")
def hold(_n: int, _pad: str) -> None:
    """The job that is killed."""
    noted.hold()


def main() -> None:
    """Submit what the command line says."""
    noted.submit(noop=noop.delay, hold=hold.delay)
