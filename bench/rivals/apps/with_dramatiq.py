"""Dramatiq: a job is acknowledged when it has ended; its retries are at their default, 20."""

import dramatiq
import noted
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=noted.URL))


@dramatiq.actor
def noop(_n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


@dramatiq.actor
def hold(_n: int, _pad: str) -> None:
    """The job that is killed."""
    noted.hold()


def main() -> None:
    """Submit what the command line says."""
    noted.submit(noop=noop.send, hold=hold.send)
