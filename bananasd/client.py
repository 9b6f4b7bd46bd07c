"""The client: submit jobs and ask after them, from any process, any thread, also after a fork."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from . import directories
from .chunks import check_dead_ids, check_ids, chunks_of_ids, chunks_of_requests
from .errors import InvalidJob, JobExists, JobNotFound, JobNotWaiting
from .explanation import Explanation, check_look, explain, is_worth_a_second_look
from .job import Job, Priority, Status, check_priority
from .limits import (
    check_cancel,
    check_duration,
    check_id,
    check_name,
    check_page,
    check_password,
    check_queue,
    check_schedule,
    check_time_limit,
    check_wait,
    shown,
)
from .request import JobOptions, JobRequest, check_options, wire_due
from .schedule import Schedule, readable
from .store.connection import Server
from .store.facts import Facts, find_facts
from .store.keys import EVERYTHING, check_namespace
from .store.mailbox import Mailboxes
from .store.pool import Pool
from .store.schedules import MAX_SCHEDULES, ScheduleStore
from .store.stats import QueueStats, Stats
from .store.store import MAX_IDS, Store
from .store.wire import BLOCKING, Waits
from .waiting import Waiter, completed, found, result_of

OnProgress = Callable[[Job], object]


class Client:
    """The way to the jobs of a namespace: one for a whole program, its threads and the processes it forks.

    ``url`` is redis://, rediss:// or unix://; without one it is $BANANAS_REDIS_URL, else (or if that says
    "embedded") the embedded server of a daemon that runs here with the default run_dir. ``password`` wins over one
    in the URL. For a server that Sentinels watch it is ``redis+sentinel://HOST:PORT,HOST:PORT/SERVICE``, with
    /N for another database behind it, ``USER:PASSWORD@`` for that of the server in front, and
    ``?sentinel_password=…`` for that of the Sentinels; rediss+sentinel:// speaks TLS to both. Every new connection asks
    them where the primary is.

    Making a client tries the server once. That, and every later call, ends within ``timeout_seconds``, connecting
    included and whatever server and network do. Until then a call repeats what a broken connection left in doubt, which
    doubles nothing, and waits for a server that restarts. `submit_many`, `retry_dead` and `purge_dead` send 250
    jobs at a time, and each 250 have that time of their own.

    Raises `ConnectionFailed`, here and from every call, when the server cannot be reached; its subclass
    `ServerRefused` when the server answers with an error; `InvalidJob` for arguments that cannot be right, before
    anything is sent.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str = "default",
        timeout_seconds: float = 10,
        password: str | None = None,
    ) -> None:
        self._set_up(url, namespace, timeout_seconds, password, BLOCKING)
        self._ping()

    @classmethod
    def _unasked(
        cls, url: str | None, namespace: str, timeout_seconds: float, password: str | None, waits: Waits
    ) -> Self:
        """One that has not tried its server yet, and waits in this way: the core of an `AsyncClient`."""
        client = cls.__new__(cls)
        client._set_up(url, namespace, timeout_seconds, password, waits)  # noqa: SLF001 - it is one of us
        return client

    def _set_up(
        self, url: str | None, namespace: str, timeout_seconds: float, password: str | None, waits: Waits
    ) -> None:
        seconds = check_time_limit(timeout_seconds, "timeout_seconds")
        self._namespace = check_namespace(namespace)
        server = Server(_server_url(url), seconds, check_password(password), waits)
        self._pool = Pool(server)
        self._mailboxes = Mailboxes(server, self._namespace)
        self._waiter = Waiter(self._mailboxes, seconds)

    def submit_job(
        self,
        name: str,
        payload: Any,
        priority: Priority = Priority.NORMAL,
        description: str = "",
        **options: Unpack[JobOptions],
    ) -> str:
        """Submit a job to run as soon as a worker is free; return its id, or that of the job that has its unique key.

        Its options are ``queue``, ``max_retries``, ``timeout_seconds``, ``retry``, ``on_lost``, ``job_id``, ``expires_in``,
        ``unique_key``, ``unique_seconds``, ``unique_until``, ``on_duplicate`` and ``headers``. `JobOptions` says what they may be, and when
        `JobExists` is raised; `JobRequest` the same of the other arguments. After a `ConnectionFailed` nobody knows
        whether the server took the job: with a ``job_id`` of your own the call can be repeated, for the same id twice
        is one job.
        """
        request = JobRequest(name, payload, priority, description, **check_options(options))
        return self._submit([request])[0]

    def submit_job_scheduled(
        self,
        name: str,
        payload: Any,
        priority: Priority,
        scheduled_for: datetime | timedelta,
        description: str = "",
        **options: Unpack[JobOptions],
    ) -> str:
        """Submit a job for later: an aware datetime, or a timedelta from now by the server's clock; return its id.

        A time that has passed means at once. A naive datetime is `InvalidJob`. Takes the options of `submit_job`.
        """
        if scheduled_for is None:
            raise InvalidJob(
                "scheduled_for None: want an aware datetime or a timedelta; submit_job runs at once"
            )
        request = JobRequest(name, payload, priority, description, scheduled_for=scheduled_for, **options)
        return self._submit([request])[0]

    def submit_many(self, requests: Iterable[JobRequest]) -> list[str]:
        """Submit many jobs, 250 or a megabyte at a time, each in the client's time; return their ids in order.

        Requests keep their ids: after a failure half-way repeat the call with the same ones, and nothing is doubled.
        Where a request's ``unique_key`` is taken, by an earlier one of them too, the id is that of the job that has it; and
        `JobExists`, if the request asks for it, is raised when its 250 have been sent, and all of them that could be were
        accepted.
        A list or tuple is checked whole before anything is sent; another iterable is read as it is sent.
        """
        return [job_id for chunk in chunks_of_requests(requests) for job_id in self._submit(chunk)]

    def get_job(self, job_id: str) -> Job:
        """The job as it is now. Raises `JobNotFound`."""
        job_id = check_id(job_id)
        return found(job_id, self._stats.job(job_id))

    def get_result(self, job_id: str) -> Any:
        """What the job's handler returned; it is kept for ``retention.result_seconds``, be the job's record or not.

        Raises `JobFailed` if the job failed, expired or was cancelled, `JobNotFinished` if it has not ended, `ResultExpired`,
        and `JobNotFound` if there is neither record nor result.
        """
        job_id = check_id(job_id)
        (job,) = self._stats.as_told([job_id])
        return result_of(found(job_id, job))

    def explain(self, job_id: str, *, look_seconds: float = 1.0) -> Explanation:
        """Why a job does not run, or that it does: a sentence, a word for programs, and the facts.

        If others wait before the job it looks again ``look_seconds`` later, and only then, to tell how fast they go; 0: it does
        not tell. There being no such job is an answer as well, ``Reason.NOT_FOUND``.
        """
        job_id, seconds = check_id(job_id), check_look(look_seconds)
        facts = self._facts(job_id)
        explanation = explain(facts)
        if not seconds or not is_worth_a_second_look(explanation):
            return explanation
        self._pool.server.waits.sleep(seconds)
        return explain(self._facts(job_id), facts)

    def submit_and_wait(
        self,
        name: str,
        payload: Any,
        priority: Priority = Priority.NORMAL,
        description: str = "",
        *,
        wait_seconds: float | timedelta,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Submit a job and wait until it has completed; return it, with its result. Takes the options of `submit_job`.

        Raises `JobFailed` once it failed for good, expired or was cancelled, and what `wait` raises: after `WaitTimeout` the
        job itself goes on. With a ``job_id`` of your own the call can be repeated: it waits for the same job. So it does if
        another job has its ``unique_key``: it is that job that is returned.
        """
        seconds = check_wait(wait_seconds)
        request = JobRequest(name, payload, priority, description, **check_options(options))
        (job,) = self._waiter.wait(self._submit([request]), seconds, None)
        return completed(job)

    @overload
    def wait(self, job_id: str, timeout: float | timedelta, on_progress: OnProgress | None = None) -> Job: ...

    @overload
    def wait(
        self, job_id: list[str], timeout: float | timedelta, on_progress: OnProgress | None = None
    ) -> list[Job]: ...

    def wait(
        self, job_id: str | list[str], timeout: float | timedelta, on_progress: OnProgress | None = None
    ) -> Job | list[Job]:
        """Wait until the job has completed, failed for good, expired, or was cancelled, and return it.

        For several ids: until all of them have, and a list in their order. ``on_progress`` is called, here in this
        thread, with a job whenever its progress is a new one.

        Raises `WaitTimeout` after ``timeout`` seconds (``math.inf``: never), though the jobs themselves go on;
        `JobNotFound`; `ConnectionFailed` when the server has been out of reach for the client's time.
        """
        job_ids, seconds = check_ids(job_id), check_wait(timeout)
        jobs = self._waiter.wait(job_ids, seconds, on_progress)
        return jobs[0] if isinstance(job_id, str) else jobs

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job as it is now, and again whenever its status or progress has changed, until its end.

        What changes faster than it is looked at may be passed over, but never the end. Raises what `wait` raises,
        but for `WaitTimeout`.
        """
        return self._waiter.watch(check_id(job_id))

    def cancel(self, job_id: str, running: Literal["soft", "hard"] | None = None) -> bool:
        """Cancel a job: True if it is cancelled now, False if it runs or has ended otherwise.

        With ``running`` a job that runs is told to end, on whatever node, and then True says that it will be cancelled,
        however its run ends: soon, as `wait` tells. "soft": `Job.should_stop` is true at once, and `JobCancelled` breaks into
        the handler a second later; one that ignores this is killed after ``workers.grace_seconds``. "hard": its worker is
        killed at once with all that it started; it may follow "soft". Only the run that goes on now is hit.

        Repeats are harmless. Raises `JobNotFound`.
        """
        is_told, status = self._store.cancel(check_id(job_id), check_cancel(running))
        if not status:
            raise JobNotFound(job_id)
        return is_told or status == "cancelled"

    def reprioritise(self, job_id: str, priority: Priority, queue: str | None = None) -> bool:
        """Give a job that waits another priority, and another queue if one is given.

        If it is pending it goes to the end of that lane; back in one that no worker has looked through since, it has its old
        place again. True if this call did it, False if it waits there already (so after a lost reply, too). Raises `JobNotFound`, and `JobNotWaiting` for a job that runs or has ended.
        """
        job_id, wanted = check_id(job_id), check_priority(priority)
        queue = "" if queue is None else check_queue(queue)
        return _moved(job_id, *self._store.reprioritise(job_id, wanted, queue))

    def reschedule(self, job_id: str, when: datetime | timedelta) -> bool:
        """Give a job that waits another due time: an aware datetime, or a timedelta from now by the server's clock.

        A time that has passed means at once. One that waits for its next try is tried then. How long it may wait
        (``expires_in``) counts anew from then. True, but False if it shall be due and is; raises as `reprioritise` does, also for
        one whose time is over: it will expire when a worker meets it.
        """
        job_id, due = check_id(job_id), wire_due(check_schedule(when, "when"))
        return _moved(job_id, *self._store.reschedule(job_id, due))

    def pause(self, queue: str | None = None, seconds: float | timedelta | None = None) -> None:
        """Let no job of a queue begin, or of any queue, for a time or until `resume`. What runs goes on.

        Jobs are accepted as ever, and become due. It holds for every daemon, those that start later too; the latest call
        says for how long.
        """
        ms = None if seconds is None else check_duration(seconds, "seconds")
        self._store.pause(_pausable(queue), ms)

    def resume(self, queue: str | None = None) -> bool:
        """End the pause of a queue, or that of everything; whether there was one.

        Those are apart: a queue that was paused by its name stays so when everything is resumed, and the other way round.
        After a lost reply it may say False though it did it.
        """
        return self._store.resume(_pausable(queue))

    def paused(self) -> dict[str, datetime | None]:
        """What is paused: queues, or ``*`` for everything, and until when; None: until it is resumed."""
        return self._stats.paused()

    def queue_stats(self) -> QueueStats:
        """How many jobs wait in each lane, for how long, and how many workers serve it.

        And how many run, are scheduled, dead; what is paused.
        """
        return self._stats.queues()

    def dead_jobs(self, *, offset: int = 0, limit: int = 100) -> list[Job]:
        """Jobs that failed for good, the latest first: ``limit`` (up to 1,000) of them after the first ``offset``."""
        check_page(offset, limit, MAX_IDS)
        return self._stats.dead_jobs(offset, limit)

    def retry_dead(self, job_ids: Iterable[str] | None = None) -> list[str]:
        """Bring dead jobs back with their attempts at zero, all of them by default; return the ids of those.

        250 at a time, each in the client's time. Ids that are not dead are passed over, those whose ``unique_key``
        another job has by now, and those without a record that could run. If a reply was lost, those of its chunk may be
        missing in the result. An id need be no UUID: what somebody else pushed into a lane is dead under what it was.
        """
        return [job_id for chunk in self._dead_chunks(job_ids) for job_id in self._store.requeue_dead(chunk)]

    def purge_dead(self, job_ids: Iterable[str] | None = None) -> int:
        """Delete dead jobs, all of them by default; return how many. Time, ids and lost replies as with `retry_dead`."""
        return sum(self._store.purge_dead(chunk) for chunk in self._dead_chunks(job_ids))

    def put_schedule(self, schedule: Schedule) -> None:
        """Put a schedule, or change the one of its name; within a second the daemons go by it.

        One that is new, has other slots than before, or has rested begins now: nothing of the past fires. Raises
        `InvalidJob` if the name is that of one in a daemon's configuration, or if there are 1,000 schedules.
        """
        if not isinstance(schedule, Schedule):
            raise InvalidJob(f"put_schedule takes a Schedule, not {shown(schedule)}")
        definition = replace(schedule, source="client").encode()
        for name, what in self._schedules.put("client", {schedule.name: definition}):
            if what == "kept":
                raise InvalidJob(f"schedule {name!r} is in the configuration of a daemon: change it there")
            if what == "full":
                raise InvalidJob(f"schedule {name!r}: there are {MAX_SCHEDULES:,} already, no more are taken")

    def remove_schedule(self, name: str) -> bool:
        """Remove a schedule; False if there is none of that name. Jobs that it has made stay.

        One of a configuration or a handler is back when a daemon that has it starts or reloads: remove it there, too.
        """
        return self._schedules.remove(check_name(name))

    def schedules(self) -> list[Schedule]:
        """All schedules by name, with ``source``, ``last_at`` and ``next_at``. One that cannot be read is left out."""
        reading = self._schedules.read()
        entries = [(entry, readable(entry.name, entry.definition)) for entry in reading.entries or ()]
        found = [schedule.at(entry.last_ms, reading.now_ms) for entry, schedule in entries if schedule]
        return sorted(found, key=attrgetter("name"))

    def close(self) -> None:
        """Close the connections; a later call would open another."""
        self._pool.close()
        self._mailboxes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ping(self) -> None:
        Stats(self._pool.attempt(), self._namespace).ping()

    @property
    def _store(self) -> Store:
        """The transitions, for one call: its time begins here."""
        return Store(self._pool.call(), self._namespace)

    @property
    def _stats(self) -> Stats:
        """The questions, for one call."""
        return Stats(self._pool.call(), self._namespace)

    def _facts(self, job_id: str) -> Facts:
        return find_facts(self._pool.call(), self._namespace, job_id)

    @property
    def _schedules(self) -> ScheduleStore:
        """The schedules, for one call."""
        return ScheduleStore(self._pool.call(), self._namespace)

    def _submit(self, requests: Sequence[JobRequest]) -> list[str]:
        duplicates = self._store.submit(requests).duplicates
        if not duplicates:
            return [request.job_id for request in requests]
        for position, job_id in duplicates.items():
            if requests[position].on_duplicate == "raise":
                raise JobExists(job_id, str(requests[position].unique_key))
        return [duplicates.get(position, request.job_id) for position, request in enumerate(requests)]

    def _dead_chunks(self, job_ids: Iterable[str] | None) -> Iterator[list[str]]:
        """These ids, or all that are dead now, in chunks; known whole before the first is changed."""
        return chunks_of_ids(self._stats.dead_ids() if job_ids is None else check_dead_ids(job_ids))


def _server_url(url: str | None) -> str:
    url = url or os.environ.get("BANANAS_REDIS_URL") or "embedded"
    return directories.socket_url(directories.run_dir(os.environ)) if url == "embedded" else url


def _moved(job_id: str, is_moved: bool, status: str) -> bool:
    if not status:
        raise JobNotFound(job_id)
    if status not in (Status.PENDING, Status.SCHEDULED):
        raise JobNotWaiting(job_id, status)
    return is_moved


def _pausable(queue: str | None) -> str:
    return EVERYTHING if queue is None else check_queue(queue)
