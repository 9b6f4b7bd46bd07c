"""RQ: a process for each job; a job that is lost may be tried three times more."""

import noted
from redis import Redis
from rq import Queue, Retry

AGAIN = Retry(max=3)


def noop(_n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


def hold(_n: int, _pad: str) -> None:
    """The job that is killed."""
    noted.hold()


def main() -> None:
    """Submit what the command line says."""
    queue = Queue(connection=Redis.from_url(noted.URL))
    noted.submit(
        noop=lambda *args: queue.enqueue("with_rq.noop", *args, retry=AGAIN),
        hold=lambda *args: queue.enqueue("with_rq.hold", *args, retry=AGAIN),
    )
