"""Huey: a job is taken off its list before it runs; there is no setting for another way."""

import noted
from huey import RedisHuey

huey = RedisHuey("bench", url=noted.URL, results=False)


@huey.task(retries=3)
def noop(_n: int, _pad: str) -> None:
    """Nothing but its note."""
    noted.note()


@huey.task(retries=3)
def hold(_n: int, _pad: str) -> None:
    """The job that is killed."""
    noted.hold()


def main() -> None:
    """Submit what the command line says."""
    noted.submit(noop=noop, hold=hold)
