"""Orders carried into the rows of a board; a server, and no processes."""

import pytest

from bananasd import JobRequest
from bananasd.processes.board import Board
from bananasd.processes.orders import LOOK_AGAIN_SECONDS, Orders
from bananasd.processes.row import Kind, State, Word
from bananasd.store.calls import run_calls
from bananasd.store.connection import HeldConnection, Server
from bananasd.store.keys import lanes_of
from bananasd.store.store import Store


class Node:
    """A node with one worker, which holds jobs."""

    def __init__(self, url, path):
        self.connection = HeldConnection(Server(url, 5))
        self.store = Store(self.connection, "test")
        self.board = Board.create(path, "node", 1)
        self.row = self.board.rows[0]
        self.row.words[Word.KIND], self.row.words[Word.GENERATION] = Kind.WORKER, 3
        self.row.words[Word.TRIP], self.row.state = 1, State.UP
        self.orders = Orders(self.board, "test")

    def claim(self, count=1):
        holder = self.row.holder("node")
        self.store.submit([JobRequest("greet", None) for _ in range(count)])
        self.store.enter(holder, "node", 60_000, {})
        return [
            job.job_id
            for job in self.store.settle_and_claim([], holder, "node", lanes_of(("default",)), count)[1].jobs
        ]

    def begin(self, number, job_id, run=1):
        self.row.begin_job(number, job_id, "greet", 1, 0, 0, run)

    def look(self):
        return self.orders.carry_out(run_calls(self.connection, [self.orders.reading()])[0])

    def left(self):
        (left,) = self.connection.trip([("LLEN", self.store.keys.orders("node"))])
        return left


@pytest.fixture
def node(server, tmp_path):
    node = Node(server.url, tmp_path)
    yield node
    node.connection.close()


@pytest.mark.parametrize("how", ["soft", "hard"])
def test_a_cancel_comes_into_the_row_of_the_run_and_is_struck_out_by_the_next_look(node, how):
    (job_id,) = node.claim()
    node.begin(7, job_id)
    node.store.cancel(job_id, how)
    assert node.look() is None
    assert (node.row.is_cancelled(7), node.row.is_cancelled_hard(7)) == (True, how == "hard")
    assert node.left() == 1  # else it would be lost with a scheduler that dies before it has written that
    assert node.look() is None
    assert node.left() == 0


def test_a_run_of_a_batch_that_has_not_begun_is_looked_for_again(node):
    first, second = node.claim(2)
    node.begin(7, first)
    node.store.cancel(second, "soft")
    assert node.look() == node.look() == LOOK_AGAIN_SECONDS
    assert not node.row.is_cancelled(7)
    node.begin(8, second)
    assert node.look() is None
    assert node.row.is_cancelled(8)


def test_another_run_of_the_job_is_not_meant(node):
    (job_id,) = node.claim()
    node.begin(7, job_id, run=2)
    node.store.cancel(job_id, "hard")
    assert node.look() == LOOK_AGAIN_SECONDS
    assert not node.row.is_cancelled(7)


@pytest.mark.parametrize("word", [Word.TRIP, Word.GENERATION])
def test_a_row_of_another_holder_is_not_meant(node, word):
    (job_id,) = node.claim()
    node.begin(7, job_id)
    node.store.cancel(job_id, "hard")
    node.row.words[word] += 1
    assert node.look() is None
    assert not node.row.is_cancelled(7)


def test_the_jobs_of_a_dead_worker_are_left_to_recovery(node):
    (job_id,) = node.claim()
    node.begin(7, job_id)
    node.store.cancel(job_id, "soft")
    node.row.state = State.DEAD
    assert node.look() is None
    assert not node.row.is_cancelled(7)


def test_what_a_scheduler_has_done_before_it_died_may_be_done_again(node):
    (job_id,) = node.claim()
    node.begin(7, job_id)
    node.store.cancel(job_id, "soft")
    for _ in range(2):
        node.look()
        node.orders = Orders(node.board, "test")
    assert node.row.is_cancelled(7)


def test_a_node_without_orders_does_nothing(node):
    assert node.look() is None
