"""How a process gets at a namespace, and how it waits for work."""

import os

import pytest

from bananasd import ServerRefused
from bananasd.store.access import Access, WakeUp
from bananasd.store.connection import Server
from bananasd.store.keys import lanes_of
from bananasd.store.store import Retention
from tests.store.conftest import NODE

LANES = lanes_of(("default", "gpu"))


@pytest.fixture
def access(server) -> Access:
    return Access(Server(server.url, 5), "test", Retention(completed_ms=60_000))


@pytest.fixture
def wake_up(access):
    wake_up = WakeUp(access.connect(), "test")
    yield wake_up
    wake_up.close()


@pytest.fixture
def stop_fd():
    reader, writer = os.pipe()
    yield reader
    os.close(reader), os.close(writer)


def test_it_opens_a_connection_for_each_that_asks(access):
    connection = access.connect()
    ids = [asked.trip([("CLIENT", "ID")])[0] for asked in (connection, access.connect(), connection)]
    assert ids[0] == ids[2] != ids[1]
    connection.close()


def test_its_store_has_namespace_and_retention(access, world):
    (job_id,) = world.schedule(1000)
    access.store().cancel(job_id)
    assert 0 < world.ttl(job_id) <= 60_000


def test_a_token_on_any_of_the_lanes_ends_the_wait_and_is_taken(world, wake_up, stop_fd):
    world.submit(priority="low", queue="gpu")
    assert wake_up.wait_for_work(LANES, stop_fd)
    assert world.tokens("gpu:low") == 0


def test_the_token_of_a_more_urgent_lane_is_taken_first(world, wake_up, stop_fd):
    world.submit(priority="low"), world.submit(priority="high", queue="gpu")
    assert wake_up.wait_for_work(LANES, stop_fd)
    assert (world.tokens("gpu:high"), world.tokens("default:low")) == (0, 1)


def test_an_earlier_due_time_ends_the_wait_for_the_schedule(world, wake_up, stop_fd):
    assert not wake_up.wait_for_schedule(0.01, stop_fd, NODE)
    world.schedule(1000)
    assert wake_up.wait_for_schedule(5, stop_fd, NODE)


def test_a_cancel_of_a_job_that_runs_ends_the_wait_of_its_node(world, wake_up, stop_fd):
    (job_id,) = world.start()
    world.store.cancel(job_id, "soft")
    assert wake_up.wait_for_schedule(5, stop_fd, NODE)
    assert not wake_up.wait_for_schedule(0.01, stop_fd, NODE)


def test_a_refusal_of_the_server_is_no_token(world, wake_up, stop_fd):
    world.call("SET", world.keys.wake(LANES[0]), "no list")
    with pytest.raises(ServerRefused):
        wake_up.wait_for_work(LANES, stop_fd)


def test_without_a_token_the_server_ends_the_wait_after_a_second(wake_up, stop_fd, monkeypatch):
    monkeypatch.setattr("bananasd.store.access.BLOCK_SECONDS", 0.01)
    assert not wake_up.wait_for_work(LANES, stop_fd)
