"""The exceptions that bananasd raises, and those that a handler may raise or meet."""

from pathlib import Path
from typing import Any


class BananasError(Exception):
    """The root of everything that bananasd raises on purpose."""


class ConfigError(BananasError):
    """The configuration cannot be used; ``problems`` lists every reason, each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class HandlersError(BananasError):
    """The handlers directory cannot be used; ``problems`` lists every reason, with its file and line where it has one."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InvalidJob(BananasError, ValueError):
    """A job that could never be right was refused before anything was sent."""


class JobNotFound(BananasError, LookupError):
    """There is no record of the job ``job_id``: it never existed, or its retention has ended."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id!r}: it was never submitted here, or its record has expired")
        self.job_id = job_id


class JobNotWaiting(BananasError):
    """The job ``job_id`` cannot be moved any more: it runs, or has ended, as ``status`` says."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"job {job_id} is {status}: only one that is pending or scheduled can be moved")
        self.job_id = job_id
        self.status = status


class JobExists(BananasError):
    """A job was not submitted, since another with its ``unique_key`` waits or runs: ``job_id``."""

    def __init__(self, job_id: str, unique_key: str) -> None:
        super().__init__(f"job {job_id} has the unique key {unique_key!r}, and has not ended")
        self.job_id = job_id
        self.unique_key = unique_key

    def __reduce__(self) -> tuple[type["JobExists"], tuple[str, str]]:
        """It may go to another process, as what a task of a pool raised does."""
        return JobExists, (self.job_id, self.unique_key)


class JobNotFinished(BananasError):
    """A result was asked for before the job has ended."""


class JobFailed(BananasError):
    """The job has ended without completing: it failed for good, expired, or was cancelled, as the status of ``job`` says.

    ``error`` is the reason in a line, ``traceback`` the end of the traceback, or "" if it had none.
    """

    def __init__(self, job: Any) -> None:
        self.traceback: str = job.error or ""
        ended_early = {"cancelled": "it was cancelled", "expired": "it had waited for too long"}.get(
            job.status
        )
        self.error: str = ended_early or self.traceback.rstrip().rpartition("\n")[2]
        named = f" ({job.name})" if job.name else ""
        super().__init__(
            f"job {job.id}{named} {'did not complete' if ended_early else 'failed'}: {self.error}"
        )
        self.job = job

    def __reduce__(self) -> tuple[type["JobFailed"], tuple[Any]]:
        """It may go to another process, as what a task of a pool raised does."""
        return JobFailed, (self.job,)


class ResultExpired(BananasError, LookupError):
    """The job has completed, but what it returned is not kept any longer."""


class WaitTimeout(BananasError, TimeoutError):
    """A job had not ended when the time to wait for it was over; the job itself goes on."""


class ConnectionFailed(BananasError):
    """The server cannot be reached or did not answer in time; the text names it, without its password."""


class BadAddress(ConnectionFailed):
    """The address of the server could never be right; nothing was tried."""


class ServerRefused(ConnectionFailed):
    """The server answered with an error of its own (OOM, READONLY, NOPERM, LOADING …)."""


class DaemonError(BananasError):
    """A daemon could not be started, found or told something."""


class BadDirectory(DaemonError):
    """A run_dir or state_dir cannot be made or must not be used; that is mended by its owner, not by another try."""


class AlreadyRunning(DaemonError):
    """Another daemon owns this run_dir."""

    def __init__(self, run_dir: Path, pid: int | None) -> None:
        who = f"pid {pid}" if pid else "another process"
        super().__init__(
            f"a daemon is already running on {run_dir} ({who}); stop it with 'bananasd stop', "
            "or give this one a run_dir of its own"
        )
        self.run_dir = run_dir
        self.pid = pid


class NotRunning(DaemonError):
    """No daemon runs on this run_dir."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(f"no daemon is running on {run_dir}; start one with 'bananasd start'")
        self.run_dir = run_dir


class StopTimeout(DaemonError, TimeoutError):
    """A daemon that was told to stop had not ended in time; it goes on draining."""


class RetryLater(Exception):
    """Raised by a handler: this attempt is over, try again in ``seconds`` (it counts as an attempt)."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or f"asked to be retried in {seconds:g} s")
        self.seconds = seconds


class GiveUp(Exception):
    """Raised by a handler: no retry can help, the job goes to the dead letters with this reason."""


class BadPayload(Exception):
    """A payload does not fit the type that its handler declares: no retry can help, the job is dead at once."""


class JobInterrupted(BaseException):
    """Breaks into a running handler; not an ``Exception``, so that ``except Exception`` lets it pass."""


class JobTimeout(JobInterrupted):
    """The job ran longer than its timeout: a failed attempt."""


class JobDrained(JobInterrupted):
    """The daemon stops: the job goes back to the front of its lane with nothing counted."""


class JobCancelled(JobInterrupted):
    """Somebody cancelled the job while it ran: whatever its handler does now, the job is cancelled."""


class LeaseLost(JobInterrupted):
    """This node was cut off for longer than its lease and the job was given to another."""
