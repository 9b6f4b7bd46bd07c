"""bananasd: a supervised worker daemon for background jobs in Redis."""

from typing import TYPE_CHECKING, Any

from .client import Client
from .declaration import Handler, HandlerSpec
from .errors import (
    BadAddress,
    BananasError,
    ConnectionFailed,
    GiveUp,
    InvalidJob,
    JobCancelled,
    JobExists,
    JobFailed,
    JobInterrupted,
    JobNotFinished,
    JobNotFound,
    JobNotWaiting,
    JobTimeout,
    ResultExpired,
    RetryLater,
    ServerRefused,
    WaitTimeout,
)
from .explanation import Explanation, Reason
from .handlers import Registry, handler
from .job import Job, Priority, RunContext, Status
from .request import JobOptions, JobRequest
from .retry import Delays, Retry, RetryPolicy
from .schedule import Schedule
from .store.stats import LaneStats, QueueStats

if TYPE_CHECKING:
    from .aio import AsyncClient as AsyncClient

__version__ = "0.1.0"

__all__ = [
    "BadAddress",
    "BananasError",
    "Client",
    "ConnectionFailed",
    "Delays",
    "Explanation",
    "GiveUp",
    "Handler",
    "HandlerSpec",
    "InvalidJob",
    "Job",
    "JobCancelled",
    "JobExists",
    "JobFailed",
    "JobInterrupted",
    "JobNotFinished",
    "JobNotFound",
    "JobNotWaiting",
    "JobOptions",
    "JobRequest",
    "JobTimeout",
    "LaneStats",
    "Priority",
    "QueueStats",
    "Reason",
    "Registry",
    "ResultExpired",
    "Retry",
    "RetryLater",
    "RetryPolicy",
    "RunContext",
    "Schedule",
    "ServerRefused",
    "Status",
    "WaitTimeout",
    "__version__",
    "handler",
]


def __getattr__(name: str) -> Any:
    # It is not in __all__ either: greenlet, which it needs, is an extra.
    if name != "AsyncClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .aio import AsyncClient  # noqa: PLC0415

    return AsyncClient
