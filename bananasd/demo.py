"""The demo: a real daemon on the sample handlers, a small workflow, and what becomes of it, told step by step."""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from . import clock, directories
from .client import Client
from .demo_dashboard import free_address, let_look
from .errors import BananasError, DaemonError
from .handlers import load_directory
from .job import Job, Priority, Status
from .processes.child import PR_SET_PDEATHSIG
from .processes.clean_end import clean_end
from .processes.control import NodeView, nodes
from .request import JobRequest

WORKERS = 2
START_SECONDS = 20
JOBS_SECONDS = 30
DRAIN_SECONDS = 8
POLL_SECONDS = 0.05
SIGTERM = 15
MAX_LOG_LINES = 50
MAX_TEMP_BYTES = 60
"""A longer path of the temporary directory leaves too little for the socket's, which may have 107."""

CONFIG = """\
run_dir = "run"
state_dir = "state"
[redis]
url = "embedded"
[workers]
count = {workers}
handlers = {handlers}
[master]
drain_seconds = {drain_seconds}
[http]
listen = "{listen}"
[log]
format = "text"
"""

_libc = ctypes.CDLL(None)


def run() -> int:
    """Run the demo; return 0 if every job completed and the daemon stopped cleanly, else 1."""
    began = clock.monotonic()
    handlers = samples_directory()
    click.secho("bananasd demo", bold=True)
    click.echo("A daemon with a server of its own runs four jobs on the sample handlers, and stops.")
    with clean_end(), _private_directory() as directory, Daemon(directory, handlers) as daemon:
        _tell_handlers(handlers)
        _tell_processes(daemon.wait_until_up(), daemon.dashboard)
        with Client(daemon.url) as client:
            jobs = _monitor(client, _submit(client), daemon)
        if daemon.dashboard:
            let_look(daemon.check_alive)
        status = _stop(daemon)
        is_fine = status == 0 and all(job.status is Status.COMPLETED for job in jobs)
        if not is_fine:
            daemon.show_log()
    _summarise(jobs, status, clock.monotonic() - began)
    return 0 if is_fine else 1


def samples_directory() -> Path:
    """Where the sample handlers are: in the wheel, or in the clone that is installed."""
    spec = find_spec("bananasd.samples")
    if spec is None or not spec.submodule_search_locations:
        raise DaemonError(
            "the sample handlers are not installed; run: pip install bananasd, or in a clone: make demo"
        )
    return Path(spec.submodule_search_locations[0])


class Daemon:
    """``bananasd start`` as a process of its own, gone at the end of the block whatever happens in it."""

    def __init__(self, directory: Path, handlers: Path) -> None:
        self.dashboard = free_address()
        config = directory / "bananas.toml"
        config.write_text(
            CONFIG.format(
                workers=WORKERS,
                handlers=json.dumps(str(handlers), ensure_ascii=False),
                drain_seconds=DRAIN_SECONDS,
                listen=self.dashboard,
            ),
            encoding="utf-8",
        )
        self._log_path = directory / "log"
        self._run_dir = directory / "run"
        self.url = directories.socket_url(self._run_dir)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: what lies in the present directory must not be taken for the program.
                [sys.executable, "-P", "-m", "bananasd", "start", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                # Away from the terminal: Ctrl-C is for the demo, which then stops the daemon.
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - there are no other threads
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            # If even the waiting was interrupted. Its children end with it.
            self._process.kill()
            self._process.wait()
            if isinstance(error, BananasError):
                self.show_log()

    def wait_until_up(self) -> NodeView:
        """Its processes, once all of them do their work."""
        deadline = clock.deadline_in(START_SECONDS)
        while clock.remaining(deadline):
            self.check_alive()
            for node in nodes(self._run_dir):
                if node.is_up and len(node.children) == WORKERS + 2 + bool(self.dashboard):
                    return node
            clock.sleep(POLL_SECONDS)
        raise DaemonError(f"the daemon was not ready within {START_SECONDS} s")

    def check_alive(self) -> None:
        """Raise `DaemonError` if it has ended."""
        if self._process.poll() is not None:
            raise DaemonError(f"the daemon ended by itself with exit status {self._process.returncode}")

    def stop(self) -> int:
        """SIGTERM, and wait for its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(DRAIN_SECONDS + 5)
        except subprocess.TimeoutExpired:
            raise DaemonError(f"the daemon was not gone {DRAIN_SECONDS + 5} s after SIGTERM") from None

    def show_log(self) -> None:
        """Print the end of what it has logged."""
        lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        click.echo("\nThe daemon's log:", err=True)
        click.echo("\n".join(lines[-MAX_LOG_LINES:]), err=True)


def _environment() -> dict[str, str]:
    """Without what would take the daemon elsewhere: another server, somebody else's supervisor."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("BANANAS_REDIS_URL", "NOTIFY_SOCKET")
    }


def _end_with_parent() -> None:
    """In the daemon's process: be told to stop when the demo dies."""
    _libc.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)


@contextmanager
def _private_directory() -> Iterator[Path]:
    is_short = len(os.fsencode(tempfile.gettempdir())) <= MAX_TEMP_BYTES
    with tempfile.TemporaryDirectory(
        prefix="bananasd-demo-",
        dir=None if is_short else "/tmp",  # noqa: S108 - the directory made in it has an unguessable name and is 0700
        ignore_cleanup_errors=True,
    ) as directory:
        yield Path(directory)


def _step(number: int, text: str) -> None:
    click.echo()
    click.secho(f"{number}. {text}", bold=True)


def _tell_handlers(directory: Path) -> None:
    _step(1, "Handlers registered")
    for spec in load_directory(directory):
        click.echo(f"   {spec.name:<20} {Path(spec.file).name}")


def _tell_processes(node: NodeView, dashboard: str) -> None:
    _step(2, "Workers started")
    for child in node.children:
        if child.kind == "worker":
            click.echo(f"   {child.slot:<20} pid {child.pid}")
    _step(3, "Scheduler ready")
    for child in node.children:
        if child.kind != "worker":
            click.echo(f"   {child.slot:<20} pid {child.pid}")
    if dashboard:
        click.echo(f"   dashboard            http://{dashboard}/")


def _workflow() -> list[JobRequest]:
    user = {"email": "ada@example.org"}
    mail = {"to": "ada@example.org"}
    return [
        JobRequest("user_signup", user, Priority.HIGH, "at once"),
        JobRequest("send_welcome_email", mail, Priority.NORMAL, "at once"),
        JobRequest("data_processing", {"dataset": "signups"}, Priority.LOW, "at once"),
        JobRequest("send_welcome_email", mail, Priority.NORMAL, "in 5 s", scheduled_for=timedelta(seconds=5)),
    ]


def _submit(client: Client) -> list[str]:
    _step(4, "Jobs submitted")
    job_ids = client.submit_many(_workflow())
    for job in map(client.get_job, job_ids):
        click.echo(f"   {job.name:<20} {job.priority:<8} {job.description:<8} {job.id}")
    return job_ids


def _monitor(client: Client, job_ids: list[str], daemon: Daemon) -> list[Job]:
    """Tell what changes until every job has ended; return them in the order in which they did."""
    _step(5, "Monitoring")
    began = clock.monotonic()
    open_jobs: dict[str, Job | None] = dict.fromkeys(job_ids)
    ended: list[Job] = []
    while open_jobs:
        daemon.check_alive()
        for job in map(client.get_job, list(open_jobs)):
            for news in _news(job, open_jobs[job.id]):
                click.echo(f"   {clock.monotonic() - began:4.1f} s  {news}")
            open_jobs[job.id] = job
            if job.status.is_final:
                del open_jobs[job.id]
                ended.append(job)
                _tell_end(job, f"job {len(ended)}/{len(job_ids)}", clock.monotonic() - began)
        if clock.monotonic() - began > JOBS_SECONDS:
            raise DaemonError(f"{len(open_jobs)} of the jobs did not end within {JOBS_SECONDS} s")
        clock.sleep(POLL_SECONDS)
    return ended


def _news(job: Job, before: Job | None) -> Iterator[str]:
    """What has changed since the last look."""
    if job.status is Status.PROCESSING and (before is None or before.status is not Status.PROCESSING):
        yield f"{job.name} is running"
    if job.progress and (before is None or before.progress != job.progress):
        yield f"{job.name} {job.progress['done']}/{job.progress['total']} {job.progress['note']}"


def _tell_end(job: Job, which: str, after_seconds: float) -> None:
    text = f"   {after_seconds:4.1f} s  {which} {job.name} {job.status}"
    if job.status is Status.COMPLETED:
        click.secho(f"{text} in {_run_seconds(job):.3f} s", fg="green")
    else:
        click.secho(f"{text}: {job.error}", fg="red")


def _run_seconds(job: Job) -> float:
    return (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0


def _stop(daemon: Daemon) -> int:
    _step(6, "Stopping the daemon with SIGTERM")
    began = clock.monotonic()
    status = daemon.stop()
    click.echo(f"   all its processes are gone after {clock.monotonic() - began:.2f} s, exit status {status}")
    return status


def _summarise(jobs: list[Job], status: int, seconds: float) -> None:
    completed = [job for job in jobs if job.status is Status.COMPLETED]
    work = sum(map(_run_seconds, completed))
    click.echo()
    click.secho("Summary", bold=True)
    click.echo(f"   jobs      {len(completed)} of {len(jobs)} completed, {work:.1f} s of work")
    click.echo(f"   workers   {WORKERS}")
    for job in completed:
        if job.scheduled_for and job.started_at:
            late_ms = (job.started_at - job.scheduled_for) / timedelta(milliseconds=1)
            click.echo(f"   schedule  {job.name} started {late_ms:.0f} ms after its time")
    click.echo(
        f"   daemon    {'stopped cleanly' if status == 0 else 'did not stop cleanly'}, exit status {status}"
    )
    click.echo(f"   time      {seconds:.1f} s in all")
