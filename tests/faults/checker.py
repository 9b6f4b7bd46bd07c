"""Holds the ledger and the server against the promise, when a case is over."""

import os
from collections import Counter
from collections.abc import Iterator

from bananasd import Job, Status
from bananasd.processes import procfs
from bananasd.processes.row import Word
from tests.daemon import Daemon
from tests.invariants import KEYS, Look, assert_documented

from .ledger import Line
from .scene import Scene, descriptors


def check(scene: Scene) -> None:
    """No job is missing, doubled or half done, nothing is left behind; then the daemons end in peace."""
    scene.let_go()
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    running = [daemon for daemon in scene.daemons if daemon.process and daemon.process.poll() is None]
    assert running, "a case leaves a daemon that runs"
    look = scene.look
    _wait_until_idle(scene, look, running)
    _check_jobs(scene, look)
    _check_processes(scene, running)
    for daemon in running:
        scene.stop(daemon)
    _check_what_is_left(scene, look)


# The jobs


def _check_jobs(scene: Scene, look: Look) -> None:
    jobs = [scene.client.get_job(job_id) for job_id in scene.job_ids]
    ledger = scene.ledger.by_job()
    for job in jobs:
        _check_job(scene, job, ledger.get(job.id, []))
    statuses = Counter(job.status for job in jobs)
    counted = scene.client.queue_stats().counters
    assert counted.get("completed", 0) == statuses[Status.COMPLETED] + scene.unrecorded
    assert counted.get("expired", 0) == statuses[Status.EXPIRED]
    assert {job_id.decode() for job_id in look.call("ZRANGE", KEYS.dead, 0, -1)} == {
        job.id for job in jobs if job.status is Status.FAILED
    }
    assert not look.ready()
    # All have ended, so nobody has a unique key.
    assert look.find(f"{KEYS.prefix}unique:*") == []


def _check_job(scene: Scene, job: Job, lines: list[Line]) -> None:
    ends = sum(line.what == "end" for line in lines)
    if job.status is Status.COMPLETED:
        assert ends == 1 or (ends > 1 and job.id in scene.may_end_again), (job, lines)
        # What was completed is what ran to its end.
        assert job.run in {line.run for line in lines if line.what == "end"}, (job, lines)
    elif job.status is Status.EXPIRED:
        # It may have been tried before, and not again.
        assert ends == 0 or job.id in scene.may_end_again, (job, lines)
    elif job.status is Status.CANCELLED:
        assert ends == 0 or job.id in scene.may_end_again, (job, lines)
    else:
        assert (job.status, ends) == (Status.FAILED, 0) and job.error, (job, lines)
    runs = [line.run for line in lines if line.what == "start"]
    assert len(runs) == len(set(runs)) or job.id in scene.may_run_anew, (job, lines)
    # A node that thaws may begin, of a batch, what has run elsewhere meanwhile: late, and refused.
    if job.id not in scene.may_overlap:
        assert runs == sorted(runs) and "overlap" not in {line.what for line in lines}, (job, lines)


# What runs


def _wait_until_idle(scene: Scene, look: Look, running: list[Daemon]) -> None:
    """The holders are the living workers, and hold nothing; the master has not more open than at its start."""
    scene.wait_until(lambda: all(daemon.is_up() for daemon in running))
    scene.wait_until(lambda: look.holders() == set(_living_holders(running)) and not look.held())
    for daemon in running:
        scene.wait_until(lambda: descriptors(daemon.pid) <= scene.descriptors[daemon.pid])  # noqa: B023


def _living_holders(daemons: list[Daemon]) -> Iterator[str]:
    for daemon in daemons:
        board = daemon.board
        yield from (
            row.holder(board.node) for row in board.used_rows() if row.is_living and row.words[Word.TRIP]
        )


def _check_processes(scene: Scene, running: list[Daemon]) -> None:
    """Masters and their children, and nobody else: no zombie, nothing that a handler has started."""

    def expected() -> set[int]:
        return {
            pid for daemon in running for pid in (daemon.pid, *(child.pid for child in daemon.children()))
        }

    scene.wait_until(lambda: set(_processes_below(scene)) == expected())
    scene.wait_until(lambda: not any(map(_zombies_of, expected())))


def _processes_below(scene: Scene) -> Iterator[int]:
    """Those whose working directory is a daemon's: whatever it starts inherits that."""
    places = tuple(str(daemon.directory) for daemon in scene.daemons)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and entry != str(os.getpid()):
            try:
                is_ours = os.readlink(f"/proc/{entry}/cwd").startswith(places)
            except OSError:
                continue
            if is_ours:
                yield int(entry)


def _zombies_of(parent_pid: int) -> list[int]:
    return [
        int(entry)
        for entry in os.listdir("/proc")
        if entry.isdigit()
        and (fields := procfs._stat(int(entry)))
        and (fields[0], fields[1]) == ("Z", str(parent_pid))
    ]


# What is left when nothing runs


def _check_what_is_left(scene: Scene, look: Look) -> None:
    assert list(_processes_below(scene)) == []
    if scene.is_embedded:
        # What it has written is what is left.
        scene.server.start()
    assert (look.holders(), look.held(), len(look.nodes())) == (set(), [], scene.lost_nodes)
    assert len(look.find(f"{KEYS.prefix}node:*")) == scene.lost_nodes
    # A record stays for good only if it is one that waits, or is among the dead letters: all others have ended here.
    kept = [key for key in look.find(f"{KEYS.prefix}job:*") if look.call("TTL", key) == -1]
    assert len(kept) == len(scene.client.dead_jobs(limit=1000)) or scene.lost_nodes
    assert_documented(look)
    complaints = look.complaints()
    assert not complaints, complaints
    boards = [board for daemon in scene.daemons for board in daemon.boards()]
    assert len(boards) == scene.lost_nodes
