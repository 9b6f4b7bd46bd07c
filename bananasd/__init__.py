"""bananasd: a supervised worker daemon for background jobs in Redis."""

from .client import Client
from .errors import (
    BadAddress,
    BananasError,
    ConnectionFailed,
    GiveUp,
    InvalidJob,
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
from .handlers import handler
from .job import Job, JobRequest, Priority, Status
from .retry import Retry
from .schedule import Schedule

__version__ = "0.1.0"

__all__ = [
    "BadAddress",
    "BananasError",
    "Client",
    "ConnectionFailed",
    "GiveUp",
    "InvalidJob",
    "Job",
    "JobFailed",
    "JobInterrupted",
    "JobNotFinished",
    "JobNotFound",
    "JobNotWaiting",
    "JobRequest",
    "JobTimeout",
    "Priority",
    "ResultExpired",
    "Retry",
    "RetryLater",
    "Schedule",
    "ServerRefused",
    "Status",
    "WaitTimeout",
    "__version__",
    "handler",
]
