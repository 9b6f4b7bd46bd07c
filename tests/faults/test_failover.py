"""A primary is lost, and a replica of it becomes the primary: with all it was told, or with less."""

import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from bananasd import Client, ConnectionFailed, JobNotFound, Status
from tests.conftest import wait_until
from tests.faults import figures
from tests.faults.form import LATE_SECONDS, either
from tests.faults.scene import titles
from tests.proxy import Proxy
from tests.sentinels import NEVER_SECONDS, Sentinel, TcpServer, url_of

JOB_SECONDS = 0.02


class Pair:
    """A primary, its replica, and what leads to the one that is the primary."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="bananasd-test-"))
        self.primary, self.replica = (TcpServer(self.directory / name) for name in ("one", "two"))
        self.link = Proxy(self.primary.place)  # for a replica that goes by it
        self.sentinels = []
        # What a scene's own proxy is in front of.
        self.socket = self.primary.socket

    @property
    def url(self):
        return url_of(self.sentinels)

    def answers(self):
        return self.primary.answers() or self.replica.answers()

    def watch(self, number, **options):
        """Have Sentinels, which take nothing for down yet."""
        self.sentinels = [
            Sentinel(self.directory / f"sentinel-{i}", self.primary, **options) for i in range(number)
        ]

    def lose(self, down_after_seconds):
        """Kill the primary, and have that noticed."""
        self.primary.stop()
        for sentinel in self.sentinels:
            sentinel.lose_patience(after_seconds=down_after_seconds)

    def are_ready(self):
        """Whether the Sentinels could fail over now."""
        return all(sentinel.knows(self.replica, len(self.sentinels) - 1) for sentinel in self.sentinels)

    def has_failed_over(self):
        """Whether the replica has become the primary, and all Sentinels say so."""
        told = {sentinel.primary_port for sentinel in self.sentinels}
        return told == {self.replica.port} and self.replica.role == b"master"

    def sync(self):
        """Wait until the replica has everything that has happened until now."""
        offset = self.primary.offset
        wait_until(lambda: self.replica.offset >= offset)

    def swap(self):
        """Have the lost one back, as the replica of the other."""
        for sentinel in self.sentinels:
            sentinel.lose_patience(after_seconds=NEVER_SECONDS)
        self.primary, self.replica = self.replica, self.primary
        self.replica.start()
        wait_until(lambda: self.replica.role == b"slave" and self.are_ready(), 60)

    def close(self):
        for process in (*self.sentinels, self.primary, self.replica):
            process.stop()
        self.link.close()
        shutil.rmtree(self.directory)


@pytest.fixture
def own_server():
    pair = Pair()
    yield pair
    pair.close()


class Submitter(threading.Thread):
    """Submits jobs one by one until it is told to stop, each until it is accepted, and notes when that was."""

    def __init__(self, url):
        super().__init__()
        self.accepted = {}
        self.is_over = threading.Event()
        self._client = Client(url, timeout_seconds=1)

    def run(self):
        with self._client as client:
            while not self.is_over.wait(JOB_SECONDS):
                self._insist(client, str(uuid.uuid4()))

    def _insist(self, client, job_id):
        while job_id not in self.accepted and not self.is_over.is_set():
            with suppress(ConnectionFailed):
                client.submit_job("brief", {"seconds": JOB_SECONDS}, job_id=job_id)
                self.accepted[job_id] = time.monotonic()


def is_known(scene, job_id):
    try:
        scene.client.get_job(job_id)
    except JobNotFound:
        return False
    return True


def is_settled(scene, job_id):
    return is_known(scene, job_id) and scene.are_final([job_id])


def test_every_worker_follows_a_failover_by_sentinels_under_load(scene, own_server):
    pair = own_server
    pair.replica.follow(pair.primary)
    pair.watch(3, quorum=2)
    wait_until(pair.are_ready)
    daemon = scene.node()
    workers = {child.pid for child in daemon.children("worker")}
    submitter = Submitter(pair.url)
    submitter.start()
    doubtful: set[str] = set()
    try:
        for turn in range(either(1, 5)):
            if turn:
                pair.swap()
            scene.wait_until(lambda: len(scene.ledger.ends()) > 50 * (turn + 1))  # noqa: B023
            doubtful |= fail_over(scene, pair, submitter, workers)
    finally:
        submitter.is_over.set()
        submitter.join()
    scene.job_ids += submitter.accepted
    # Their end may be forgotten, if it was reported to the lost primary just before.
    scene.may_end_again |= doubtful
    scene.may_run_anew |= doubtful
    assert {child.pid for child in daemon.children("worker")} == workers
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    assert {job.status for job in map(scene.client.get_job, scene.job_ids)} == {Status.COMPLETED}


def fail_over(scene, pair, submitter, workers):
    """Kill the primary; what the replica had heard of is there, and every worker fetches again. Which jobs ran about then."""
    in_sync_at = time.monotonic()
    settled = {line.job_id for line in scene.ledger.ends() if is_settled(scene, line.job_id)}
    pair.sync()
    killed_at = time.monotonic()
    pair.lose(down_after_seconds=either(1, 5))
    scene.wait_until(pair.has_failed_over)
    promoted_at = time.monotonic()
    scene.wait_until(lambda: set(scene.ledger.first_starts(promoted_at)) >= workers)
    after = max(scene.ledger.first_starts(promoted_at).values()) - promoted_at
    figures.note("primary killed -> replica promoted", [promoted_at - killed_at])
    figures.note("replica promoted -> every worker fetches", [after])
    assert after < 5 + LATE_SECONDS
    lost = [job_id for job_id in list(submitter.accepted) if not is_known(scene, job_id)]
    # The primary had accepted them, and was killed before its replica heard of it.
    assert all(submitter.accepted.pop(job_id) > in_sync_at for job_id in lost)
    # What had ended may have been reported after the sync.
    end = promoted_at + after + 1
    return {line.job_id for line in scene.ledger.lines() if line.at < end} - settled


def test_what_a_stale_replica_has_forgotten_runs_again_and_nothing_is_stranded(scene, own_server):
    pair = own_server
    pair.replica.follow(pair.primary, int(pair.link.url.rpartition(":")[2]))
    pair.watch(1)
    nodes = [scene.node({"workers": {"count": 3}}) for _ in range(2)]
    # What the replica has heard of.
    done = scene.submit_many(10, 0.001)
    scene.wait_until(lambda: scene.are_final(done))
    held, taken_over = scene.hold(2)
    for node in nodes:
        os.kill(node.pid, signal.SIGTSTP)
    scene.wait_until(lambda: sum(titles(node).count("[resting]") for node in nodes) == 4)
    ended = [*scene.submit_many(either(20, 200), 0.001), dying := scene.submit("give up")]
    twice = scene.submit("hold", {"until": str(scene.until)})
    pair.sync()
    # What it has not heard of: new trips, a worker's death, claims, ends, submits.
    pair.link.mode = "blackhole"
    stale_from = time.monotonic()
    pair.primary.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    os.kill(next(line.pid for line in scene.ledger.starts(taken_over)), signal.SIGKILL)
    for node in nodes:
        os.kill(node.pid, signal.SIGCONT)
    scene.wait_until(lambda: len(scene.ledger.starts(taken_over)) == 2 and scene.ledger.starts(twice))
    lost = [*scene.hold(1), *scene.submit_many(5, 0.001)]
    scene.wait_until(lambda: scene.are_final([*ended, *lost[1:]]))
    scene.wait_until(lambda: time.monotonic() - stale_from > 1)

    pair.replica.follow(None)
    pair.sentinels[0].tell(pair.replica)
    pair.primary.stop()

    scene.wait_until(
        lambda: len(scene.ledger.starts(taken_over)) == 3 and len(scene.ledger.starts(twice)) == 2
    )
    forgotten = {*ended, taken_over, twice}
    scene.may_overlap.update(forgotten)
    scene.may_end_again.update(forgotten)
    scene.may_run_anew.update(forgotten)
    scene.let_go()
    scene.wait_until(lambda: not any(is_known(scene, job_id) for job_id in lost))
    scene.job_ids = [job_id for job_id in scene.job_ids if job_id not in lost]
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    for job in map(scene.client.get_job, scene.job_ids):
        assert job.status is (Status.FAILED if job.id == dying else Status.COMPLETED)
        # What was taken into a batch with one that took long has been released, unbegun, and counts that as a run.
        assert job.run == 1 or job.id in {*forgotten, *done}
        # The death of a worker may be found out again.
        assert job.recoveries <= (job.id == taken_over)
    assert {len(scene.ledger.starts(job_id)) for job_id in ended} == {2}
    assert {len(scene.ledger.starts(job_id)) for job_id in [*done, held]} == {1}
    # The first runs of those that ran twice at a time, and of the one that nobody knows any more.
    for job_id in (taken_over, twice, lost[0]):
        scene.wait_until(lambda: any(node.lines("outcome refused", job_id) for node in nodes))  # noqa: B023
