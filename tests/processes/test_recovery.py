"""Who is recovered when, and what is charged: rows that a test writes, a real server, no processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bananasd.processes import procfs
from bananasd.processes.board import Board
from bananasd.processes.recovery import Recoverer, Terms
from bananasd.processes.row import Cause, Kind, Row, State, Word
from bananasd.store.store import Store
from tests.store.conftest import LEASE_MS, NODE, OTHER, OTHER_NODE, World

SIGSEGV = 11


class Node:
    """A node whose children are rows that a test fills in."""

    def __init__(self, world: World, run_dir: Path, name: str = NODE) -> None:
        self.world = world
        self.board = Board.create(run_dir, name, 8)

    def row(self, generation: int, *, trip: int = 1, pid: int = 0, state: State = State.UP) -> Row:
        row = self.board.free_row()
        assert row is not None
        for word, value in {
            Word.KIND: Kind.WORKER,
            Word.TRIP: trip,
            Word.PID: pid,
            Word.STATE: state,
        }.items():
            row.words[word] = value
        row.words[Word.BORN] = procfs.born(pid) or 0
        row.words[Word.GENERATION] = generation
        return row

    def worker(self, jobs: int = 2, *, runs: bool = True, **options: Any) -> tuple[Row, list[str]]:
        """A worker of generation 1 that holds so many jobs and, unless told otherwise, runs the first of them."""
        row = self.row(1, **options)
        ids = self.world.start(jobs, row.holder(self.board.node))
        if runs:
            row.begin_job(1, ids[0], "greet", 10**9, 3 * 10**9, 0)
            row.words[Word.ARMED] = 1
        return row, ids

    def recover(self, store: Store | None = None) -> bool:
        return self.recoverer(store or self.world.store).recover_all()

    def recoverer(self, store: Store) -> Recoverer:
        return Recoverer(store, self.board, Terms(LEASE_MS, 3), lambda: None)


class Between:
    """A store between whose reading of the holders and whatever follows something else happens."""

    def __init__(self, store: Store, happens: Callable[[], object]) -> None:
        self._store, self._happens = store, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def holders(self) -> list[str]:
        holders = self._store.holders()
        self._happens()
        return holders


@pytest.fixture
def node(world: World, tmp_path: Path) -> Node:
    return Node(world, tmp_path)


def recoveries(world: World, *job_ids: str) -> list[str]:
    return [world.record(job_id).get("recoveries", "0") for job_id in job_ids]


# This node


def test_a_dead_workers_running_job_is_charged_and_the_others_are_not(node, world):
    row, ids = node.worker()
    row.words[Word.EXIT], row.state = SIGSEGV, State.DEAD
    node.recover()
    assert world.ready() == ids
    assert recoveries(world, *ids) == ["1", "0"]
    assert "signal 11 (SIGSEGV)" in world.record(ids[0])["error"]
    assert world.store.holders() == []


def test_the_job_that_was_lost_is_named_in_the_log(node, world, caplog):
    row, ids = node.worker()
    end_by_itself(row)
    recoverer = node.recoverer(world.store)
    recoverer.recover_all()
    (line,) = caplog.messages
    assert line.startswith("jobs recovered holder=")
    assert line.endswith(f"signal 11 (SIGSEGV) id={ids[0]} name=greet")
    assert ids[1] not in line


@pytest.mark.parametrize(
    ("recoveries", "cause", "words"),
    [(2, Cause.NONE, "job dead"), (0, Cause.TIME, "job failed")],
)
def test_a_job_that_died_or_failed_with_its_worker_is_named_in_the_log(
    node, world, caplog, recoveries, cause, words
):
    row, (job_id,) = node.worker(1)
    world.mark(job_id, recoveries=recoveries)
    row.words[Word.LATER] = 6_000
    row.words[Word.CAUSE], row.words[Word.CAUSE_JOB] = cause, 1
    end_by_itself(row)
    node.recover()
    (line,) = caplog.messages
    assert line.startswith(f"{words} id={job_id} name=greet holder=")


def test_recoveries_that_nobody_has_been_told_of_are_told_in_the_end(node, world, caplog):
    recoverer = node.recoverer(world.store)
    world.submit()
    for holder in (f"{NODE}/{generation}.1" for generation in (1, 2, 3)):
        world.enter(holder), world.claim(1, holder)
        recoverer.recover_all()
    assert len(caplog.messages) == 1
    recoverer.tell_again(at_once=True)
    assert caplog.messages[1].startswith("jobs recovered again times=2 ")


def test_a_dead_row_is_marked_as_recovered_for_the_master_to_use_again(node):
    row, _ = node.worker()
    row.state = State.DEAD
    assert not row.is_recovered
    node.recover()
    assert row.is_recovered


def test_a_living_worker_keeps_its_jobs(node, world):
    row, ids = node.worker()
    node.recover()
    assert world.held(row.holder(NODE)) == ids


def test_a_worker_that_died_between_two_jobs_has_nothing_charged(node, world):
    row, ids = node.worker(runs=False)
    row.state = State.DEAD
    node.recover()
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["0", "0"])


def test_a_holder_that_no_row_names_is_put_back_with_nothing_charged(node, world):
    ids = world.start(2, f"{NODE}/7.1")
    node.recover()
    assert (world.ready(), recoveries(world, *ids), world.store.holders()) == (ids, ["0", "0"], [])


def end_by_itself(row):
    row.words[Word.EXIT], row.state = SIGSEGV, State.DEAD


def end_by_the_master(cause):
    def end(row):
        row.words[Word.CAUSE], row.words[Word.CAUSE_JOB] = cause, 99
        end_by_itself(row)

    return end


def go_on(row):
    row.words[Word.TRIP] += 1


@pytest.mark.parametrize(
    ("runs", "ends", "cause"),
    [
        (True, end_by_itself, "its worker ended in the job: signal 11 (SIGSEGV)"),
        (False, end_by_itself, "its worker ended: signal 11 (SIGSEGV)"),
        (True, end_by_the_master(Cause.STOP), "its worker was killed, since the daemon stopped"),
        (True, end_by_the_master(Cause.LEASE_LOST), "its worker was killed, since its lease was lost"),
        (True, end_by_the_master(Cause.TIME), "its worker was killed for the time of another job"),
        (True, end_by_the_master(Cause.CANCELLED), "its worker was killed, since its job was cancelled"),
        (True, go_on, "how its run ended is not known: its worker has gone, or gone on"),
    ],
)
def test_a_guarded_run_is_dead_however_its_holder_ended(node, world, runs, ends, cause):
    row, (guarded, other) = node.worker(runs=runs)
    world.store.settle_and_guard([], row.holder(NODE), guarded, 1)
    ends(row)
    node.recover()
    assert (world.dead(), world.ready(), recoveries(world, guarded, other)) == (
        [guarded],
        [other],
        ["1", "0"],
    )
    assert world.record(guarded)["error"] == cause


@pytest.mark.parametrize(
    "end", [end_by_itself, *map(end_by_the_master, (Cause.CANCELLED, Cause.TIME, Cause.HUNG, Cause.STOP))]
)
def test_of_a_dead_workers_jobs_that_which_was_cancelled_does_not_come_back(node, world, end):
    row, (cancelled, other) = node.worker()
    world.store.cancel(cancelled, "hard")
    end(row)
    node.recover()
    assert (world.status(cancelled), world.ready(), world.dead()) == ("cancelled", [other], [])
    assert recoveries(world, other) == ["0"]


def test_an_earlier_trip_of_a_living_worker_is_put_back_with_nothing_charged(node, world):
    row, ids = node.worker()
    row.words[Word.TRIP] = 2
    world.enter(f"{NODE}/1.2")
    node.recover()
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["0", "0"])
    assert world.store.holders() == [f"{NODE}/1.2"]


def test_a_worker_that_enters_while_the_holders_are_read_is_no_stray(node, world):
    row = node.row(1, trip=0)

    def enter() -> None:
        row.words[Word.TRIP] = 1
        world.start(1, f"{NODE}/1.1")

    node.recover(Between(world.store, enter))
    assert world.store.holders() == [f"{NODE}/1.1"]


def test_a_late_enter_of_a_dead_worker_is_put_back(node, world):
    row, _ = node.worker(1)
    row.state = State.DEAD
    node.recover()
    row.clear()
    world.enter(f"{NODE}/1.1")
    node.recover()
    assert world.store.holders() == []


def test_a_late_claim_of_a_dead_worker_finds_no_holder(node, world):
    row, ids = node.worker(1)
    row.state = State.DEAD
    node.recover()
    assert world.claim(holder=f"{NODE}/1.1").is_gone
    assert world.ready() == ids


def test_a_worker_that_entered_and_died_while_the_holders_were_read_is_recovered(node, world):
    row = node.row(1, trip=0)

    def enter_and_die() -> None:
        row.words[Word.TRIP] = 1
        world.start(1, f"{NODE}/1.1")
        row.state = State.DEAD

    node.recover(Between(world.store, enter_and_die))
    assert (world.store.holders(), len(world.ready()), row.is_recovered) == ([], 1, True)


def test_a_worker_that_was_killed_for_its_jobs_time_fails_the_attempt(node, world):
    row, ids = node.worker()
    row.words[Word.LATER] = 5_001
    row.words[Word.CAUSE], row.words[Word.CAUSE_JOB], row.state = Cause.TIME, 1, State.DEAD
    node.recover()
    record = world.record(ids[0])
    assert (world.scheduled(), world.ready()) == (ids[:1], ids[1:])
    assert (record["attempts"], record.get("recoveries", "0")) == ("1", "0")
    assert int(record["due_at"]) - int(record["updated_at"]) == 5_000
    assert "timeout of 2 s" in record["error"]


def test_a_job_killed_for_its_time_with_no_tries_left_is_dead(node, world):
    row, ids = node.worker()
    row.words[Word.CAUSE], row.words[Word.CAUSE_JOB], row.state = Cause.TIME, 1, State.DEAD
    node.recover()
    assert world.dead() == ids[:1]


def test_a_job_that_began_just_as_its_worker_was_killed_for_another_is_not_to_blame(node, world):
    row, ids = node.worker()
    row.words[Word.CAUSE], row.words[Word.CAUSE_JOB], row.state = Cause.TIME, 9, State.DEAD
    node.recover()
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["0", "0"])


@pytest.mark.parametrize("cause", [Cause.STOP, Cause.LEASE_LOST])
def test_a_job_that_the_master_itself_ended_goes_back_with_nothing_counted(node, world, cause):
    row, ids = node.worker()
    row.words[Word.CAUSE], row.words[Word.CAUSE_JOB], row.state = cause, 1, State.DEAD
    node.recover()
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["0", "0"])


def test_a_job_that_was_lost_too_often_is_dead_with_the_cause(node, world):
    row, ids = node.worker(1)
    world.mark(ids[0], recoveries=2)
    row.words[Word.EXIT], row.state = SIGSEGV, State.DEAD
    node.recover()
    assert world.dead() == ids
    assert "SIGSEGV" in world.record(ids[0])["error"]


# Other nodes


def test_a_lost_nodes_jobs_are_taken_and_all_charged(node, world):
    ids = world.start(2, OTHER)
    world.lease(OTHER_NODE, -1)
    world.lease(NODE, LEASE_MS)
    world.beaten(NODE, ms_ago=10, alive_for_ms=LEASE_MS + 1_000)
    node.recover()
    assert (world.ready(), recoveries(world, *ids)) == (ids, ["1", "1"])
    assert world.record(ids[0])["error"] == f"its node {OTHER_NODE} was lost"


def test_a_node_that_lives_is_asked_about_once_not_once_a_holder(node, world):
    for trip in range(5):
        world.enter(f"{OTHER_NODE}/{trip}.1")
    asked = []

    class Counts(Between):
        def recover(self, holder: str, *args: Any, **options: Any) -> Any:
            asked.append(holder)
            return self._store.recover(holder, *args, **options)

    node.recover(Counts(world.store, lambda: None))
    assert len(asked) == 1
    assert len(world.store.holders()) == 5


def test_the_scheduler_shows_life_after_the_list_and_after_every_holder(node, world):
    for generation in range(5):
        world.enter(f"{NODE}/{generation}.1")
    shown = []
    Recoverer(world.store, node.board, Terms(LEASE_MS, 3), lambda: shown.append(1)).recover_all()
    assert len(shown) == 6
