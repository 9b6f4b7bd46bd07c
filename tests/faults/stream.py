"""A steady stream of jobs from a program that survives every outage: what it submits it repeats until it is accepted."""

import random
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from bananasd import Client, ConnectionFailed, JobNotFound, JobNotWaiting, JobRequest, Priority
from bananasd.limits import UNIQUE_UNTIL

from .scene import Scene

ENOUGH_WAITING = 200
PAUSE_SECONDS = 0.02
NOWHERE = {"until": "/nowhere"}
OVERRUN = {"timeout_seconds": 0.5, "max_retries": 1}

BRIEF_SECONDS = [0] * 20 + [0.002] * 20 + [0.02] * 20 + [0.2] * 10 + [2, 2, 6, 6]
"""The longest are interrupted by a drain, and outlast a lease that is lost."""

JOBS = {
    "brief": (200, lambda dice: {"seconds": dice.choice(BRIEF_SECONDS)}, {}),
    "fails twice": (10, lambda _: {}, {"max_retries": 5}),
    "leaks": (3, lambda _: {"mb": 20}, {}),
    "give up": (3, lambda _: {}, {}),
    "returns 10 MiB": (1, lambda _: {}, {}),
    "segfaults": (1, lambda _: {}, {}),
    "exits": (1, lambda _: {}, {}),
    "sleeps": (1, lambda _: {}, OVERRUN),
    "loops": (1, lambda _: NOWHERE, OVERRUN),
    "swallows everything": (1, lambda _: NOWHERE, OVERRUN),
    "ignores signals": (1, lambda _: NOWHERE, OVERRUN),
    "holds the interpreter": (1, lambda _: NOWHERE, OVERRUN),
    "has a stubborn subprocess": (1, lambda _: NOWHERE, OVERRUN),
}
"""By the handler: how often, its payload, its options."""
COMPLETING = ("brief", "fails twice", "leaks")
"""These must complete; the others end dead."""


class Stream(threading.Thread):
    """Submits until it is told to end, cancels, moves and pauses now and then, and brings dead ones back."""

    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(daemon=True)
        self.repeats = 0
        self.brought_back = 0
        self.told_to_end: set[str] = set()
        """Whose run was to be cancelled, if they run."""
        self.error: BaseException | None = None
        self._scene = scene
        # Made while the server is there: that is asked for once, and not repeated.
        self._client = Client(scene.proxy.url, timeout_seconds=1)
        self._dice = random.Random(seed)
        self._known: set[str] = set()
        self._is_over = threading.Event()

    def run(self) -> None:
        try:
            with self._client as client:
                while not self._is_over.wait(PAUSE_SECONDS):
                    with suppress(ConnectionFailed):
                        self._step(client)
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """Return when what was begun has been accepted."""
        self._is_over.set()
        self.join()
        if self.error:
            raise self.error

    def _step(self, client: Client) -> None:
        if client.queue_stats().ready < ENOUGH_WAITING:
            self._insist(client, [self._request() for _ in range(self._dice.randint(1, 20))])
        if self._dice.random() < 0.05:
            self._cancel(client)
        if self._dice.random() < 0.2:
            self._move(client)
        if self._dice.random() < 0.02:
            client.pause(seconds=self._dice.random())
        if self._dice.random() < 0.01:
            self.brought_back += len(client.retry_dead(job.id for job in client.dead_jobs(limit=2)))

    def _insist(self, client: Client, requests: list[JobRequest]) -> None:
        while True:
            try:
                ids = client.submit_many(requests)
            except ConnectionFailed:
                self.repeats += 1
                time.sleep(PAUSE_SECONDS)
            else:
                # Of a duplicate it is the id of the job that is there.
                self._scene.job_ids += [job_id for job_id in dict.fromkeys(ids) if job_id not in self._known]
                self._known.update(ids)
                return

    def _request(self) -> JobRequest:
        (name,) = self._dice.choices(list(JOBS), [weight for weight, _, _ in JOBS.values()])
        _, payload, options = JOBS[name]
        due = timedelta(seconds=self._dice.random() * 2) if self._dice.random() < 0.1 else None
        expires_in = 2 if self._dice.random() < 0.1 else None
        if name == "brief" and self._dice.random() < 0.2:
            options = {
                "unique_key": f"key {self._dice.randint(1, 3)}",
                "unique_until": self._dice.choice(UNIQUE_UNTIL),
                "on_duplicate": self._dice.choice(("return", "replace")),
            }
        return JobRequest(
            name, payload(self._dice), self._dice.choice(list(Priority)), scheduled_for=due, expires_in=expires_in,
            **options,
        )  # fmt: skip

    def _move(self, client: Client) -> None:
        job_id = self._dice.choice(self._scene.job_ids[-50:])
        with suppress(JobNotFound, JobNotWaiting):
            if self._dice.random() < 0.5:
                client.reprioritise(job_id, self._dice.choice(list(Priority)))
            else:
                client.reschedule(job_id, timedelta(seconds=self._dice.random()))

    def _cancel(self, client: Client) -> None:
        job_id = self._dice.choice(self._scene.job_ids[-50:])
        with suppress(JobNotFound):
            running: Literal["soft", "hard"] | None = self._dice.choice((None, "soft", "hard"))
            if running:
                # Before: the reply may be lost.
                self.told_to_end.add(job_id)
            client.cancel(job_id, running)
