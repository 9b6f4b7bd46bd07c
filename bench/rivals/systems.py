"""Which systems there are, what each needs installed, and how its workers are started: two processes each.

The settings are those that its documentation shows, but where it can keep a job until it is done: then it shall. What is not said here
stands in its file in apps/.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """One that is measured."""

    name: str
    requirements: Sequence[str]
    commands: Sequence[Sequence[str]]
    """Of the workers; ``{url}`` is the server's address."""
    kept: str
    """What keeps a job until it has ended."""

    @property
    def app(self) -> str:
        """The module in apps/ that submits its jobs, and has its handlers."""
        return f"with_{self.name}"


BANANASD = System(
    "bananasd", (), (("python", "-m", "bananasd", "start", "--config", "{config}"),), "held lists and leases"
)
RIVALS = (
    System(
        "celery", ("celery[redis]",),
        (("celery", "-A", "with_celery", "worker", "--concurrency", "2", "--loglevel", "WARNING"),),
        "`task_acks_late`, `task_reject_on_worker_lost`",
    ),
    System(
        "rq", ("rq",), (("rq", "worker-pool", "--num-workers", "2", "--url", "{url}", "--logging-level", "WARNING"),),
        "`Retry(max=3)`",
    ),
    System(
        "dramatiq", ("dramatiq[redis]",), (("dramatiq", "with_dramatiq", "--processes", "2", "--threads", "1"),),
        "acknowledged at the end",
    ),
    System(
        "huey", ("huey", "redis"), (("huey_consumer", "with_huey.huey", "--workers", "2", "--worker-type", "process"),),
        "nothing: taken off first",
    ),
    System("arq", ("arq",), (("arq", "with_arq.WorkerSettings"),) * 2, "stays in the queue until its end"),
    System(
        "saq",
        # The second it needs and does not ask for.
        ("saq[redis]", "typing_extensions"), (("saq", "with_saq.settings", "--workers", "2"),), "`retries=3`"),
    System(
        "taskiq", ("taskiq", "taskiq-redis"), (("taskiq", "worker", "with_taskiq:broker", "--workers", "2"),),
        "stream broker, acknowledged at the end",
    ),
)  # fmt: skip
