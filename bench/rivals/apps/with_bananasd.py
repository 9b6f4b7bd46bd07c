"""bananasd, for the kills: its settings are at their defaults."""

import noted

from bananasd import Client, Job, handler


@handler("noop")
def noop(_job: Job) -> None:
    """Nothing but its note."""
    noted.note()


@handler("hold")
def hold(_job: Job) -> None:
    """The job that is killed."""
    noted.hold()


def main() -> None:
    """Submit what the command line says."""
    with Client(noted.URL) as client:
        noted.submit(
            noop=lambda n, pad: client.submit_job("noop", {"n": n, "pad": pad}),
            hold=lambda n, pad: client.submit_job("hold", {"n": n, "pad": pad}),
        )
