"""What a beat says of a daemon's workers, and when the next one is due."""

import orjson
import pytest

from bananasd.job import Priority
from bananasd.processes.beat import SOON_SECONDS, About, Beater
from bananasd.processes.board import Board
from bananasd.processes.row import Kind, Reach, State, Word
from bananasd.store.keys import Lane

LANE = Lane("default", Priority.HIGH)


class Hearer:
    """Takes the place of the server."""

    def beat(self, _node, _lease_ms, about, _armed):
        self.lanes = orjson.loads(about)["lanes"]
        return []


@pytest.fixture
def board(tmp_path):
    board = Board.create(tmp_path, "node", 4)
    for i, row in enumerate(board.rows[:3]):
        row.words[Word.KIND], row.words[Word.SLOT] = (Kind.SCHEDULER if i == 2 else Kind.WORKER), i
        row.words[Word.GENERATION] = i + 1
        row.state, row.words[Word.SERVER] = State.UP, Reach.THERE
    return board


def beat(board):
    hearer = Hearer()
    pause = Beater(hearer, board, 1000, About("host", 1, {"": [LANE]}, 5)).beat()
    return hearer.lanes.get(str(LANE), 0), pause


@pytest.mark.parametrize("reach", [Reach.THERE, Reach.UNKNOWN])
def test_workers_that_have_not_lost_the_server_serve_their_lanes(board, reach):
    board.rows[1].words[Word.SERVER] = reach
    assert beat(board) == (2, None)


def test_one_that_has_serves_none_and_the_next_beat_is_soon(board):
    board.rows[1].words[Word.SERVER] = Reach.LOST
    assert beat(board) == (1, SOON_SECONDS)


@pytest.mark.parametrize("state", [State.DEAD, State.BACKOFF, State.FATAL])
def test_one_that_is_gone_is_not_waited_for(board, state):
    board.rows[1].words[Word.SERVER], board.rows[1].state = Reach.LOST, state
    assert beat(board) == (1, None)


def test_a_scheduler_that_is_just_back_says_nothing_of_workers(board):
    board.rows[2].words[Word.SERVER] = Reach.LOST
    assert beat(board) == (2, None)
