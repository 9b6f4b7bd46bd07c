"""Mailboxes: where a thread that waits for jobs is told of them, each with a connection of its own."""

import os
import uuid
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from ..job import Job
from .calls import checked, text
from .connection import BLOCK_SECONDS, HeldConnection, Server
from .idle import MAX_IDLE
from .keys import Keys
from .scripts import Command
from .stats import Stats
from .store import MAX_IDS, Store

MAX_READ = 100
"""How many jobs are read in one trip: each may have a payload and a result of a megabyte."""
MAX_TOLD = 1000
"""How many ids a mailbox keeps."""


class Mailbox:
    """A name under which one thread is told, and its connection. In a forked process it becomes another one."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._keys = Keys(namespace)
        self._open()

    def await_jobs(
        self, job_ids: Collection[str], deadline: float, *, every_change: bool
    ) -> tuple[int, dict[str, str]]:
        """Be told of the end of these jobs, or of every change; the server's time, and how each stands now."""
        self._renew_in_a_copy()
        store = Store(_Bounded(self._connection, deadline), self._namespace)
        now, statuses = 0, dict[str, str]()
        for chunk in _chunks(job_ids, MAX_IDS):
            time, found = store.await_jobs("+" * every_change + self._name, chunk)
            # Of several times the first: what happens after it is news.
            now = now or time
            statuses.update(zip(chunk, found, strict=True))
        return now, statuses

    def read(self, job_ids: Collection[str], deadline: float, since_ms: float) -> list[Job | None]:
        """See `Stats.as_told`."""
        stats = Stats(_Bounded(self._connection, deadline), self._namespace)
        return [job for chunk in _chunks(job_ids, MAX_READ) for job in stats.as_told(chunk, since_ms)]

    def take(self, seconds: float) -> str | None:
        """The first id that it was told, as soon as there is one; None after ``seconds``, or a second.

        It may be that of a job that somebody waited for before.
        """
        self._renew_in_a_copy()
        self._connection.ask(("BLPOP", self._keys.mail(self._name), BLOCK_SECONDS))
        told = checked(self._connection.answer(seconds))
        return text(told[0][1]) if told and told[0] else None

    def take_rest(self, deadline: float) -> list[str]:
        """The others that are there already."""
        command = ("LPOP", self._keys.mail(self._name), MAX_TOLD)
        (told,) = checked(self._connection.trip_until(deadline, [command]))
        return list(map(text, told or ()))

    def pause(self, seconds: float) -> None:
        """Let time pass before it is asked again."""
        self._server.waits.sleep(seconds)

    def close(self) -> None:
        """Drop the connection; another is made when it is needed."""
        self._connection.close()

    def _open(self) -> None:
        self._name = uuid.uuid4().hex
        self._connection = HeldConnection(self._server)
        self._pid = os.getpid()

    def _renew_in_a_copy(self) -> None:
        # The connection, and what comes in the name's mailbox, are the parent's.
        if self._pid != os.getpid():
            self._open()


class Mailboxes:
    """Has a mailbox for each thread that waits, and keeps a few that have come back for the next."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._idle: deque[Mailbox] = deque()

    @contextmanager
    def lend(self) -> Iterator[Mailbox]:
        """One for a wait."""
        mailbox = self._take() or Mailbox(self._server, self._namespace)
        try:
            yield mailbox
        finally:
            self._take_back(mailbox)

    def close(self) -> None:
        """Close every connection that nobody waits on."""
        while mailbox := self._take():
            mailbox.close()

    def _take_back(self, mailbox: Mailbox) -> None:
        if len(self._idle) < MAX_IDLE:
            self._idle.append(mailbox)
        else:
            mailbox.close()

    def _take(self) -> Mailbox | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


class _Bounded:
    """The way of a connection until a deadline."""

    def __init__(self, connection: HeldConnection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def trip(self, commands: Sequence[Command]) -> list[Any]:
        return self._connection.trip_until(self._deadline, commands)


def _chunks(job_ids: Collection[str], size: int) -> Iterator[list[str]]:
    ids = iter(job_ids)
    return iter(lambda: list(islice(ids, size)), [])
