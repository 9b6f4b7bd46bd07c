"""How a process gets at a namespace, and how it waits for work."""

import os
import threading

import pytest

from bananasd import ServerRefused
from bananasd.store.access import Access, WakeUp
from bananasd.store.claims import Claim
from bananasd.store.connection import Server
from bananasd.store.keys import lanes_of
from bananasd.store.store import Retention
from tests.conftest import wait_until
from tests.store.conftest import HOLDER, NODE

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
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader), os.close(writer)


@pytest.fixture
def stop_fd(pipe):
    return pipe[0]


@pytest.fixture
def signal(pipe):
    return lambda: os.write(pipe[1], b"!")


def test_it_opens_a_connection_for_each_that_asks(access):
    connection = access.connect()
    ids = [asked.trip([("CLIENT", "ID")])[0] for asked in (connection, access.connect(), connection)]
    assert ids[0] == ids[2] != ids[1]
    connection.close()


def test_its_store_has_namespace_and_retention(access, world):
    (job_id,) = world.schedule(1000)
    access.store().cancel(job_id)
    assert 0 < world.ttl(job_id) <= 60_000


@pytest.fixture
def wait(world, wake_up, stop_fd, monkeypatch):
    """What a worker that has nothing to do waits for, for longer than a test may be held up."""
    monkeypatch.setattr("bananasd.store.access.BLOCK_SECONDS", 60)
    monkeypatch.setattr("bananasd.store.connection.BLOCK_SECONDS", 60)
    world.enter()
    claim = world.store.claim_call(HOLDER, NODE, LANES, 1)
    world.claim()  # the server knows the script now
    return lambda: wake_up.wait_and_claim(claim, LANES, stop_fd)


def test_a_token_on_any_of_the_lanes_ends_the_wait_and_is_taken_and_the_job_is_claimed(world, wait):
    wanted = world.submit(priority="low", queue="gpu")
    assert [job.job_id for job in wait().jobs] == wanted == world.held()
    assert world.tokens("gpu:low") == 0


def test_the_token_of_a_more_urgent_lane_is_taken_first(world, wait):
    world.submit(priority="low")
    wanted = world.submit(priority="high", queue="gpu")
    assert [job.job_id for job in wait().jobs] == wanted
    assert (world.tokens("gpu:high"), world.tokens("default:low")) == (0, 1)


def test_a_job_that_comes_while_it_waits_is_claimed_at_once(world, wait):
    wanted = []
    timer = threading.Timer(0.1, lambda: wanted.extend(world.submit()))
    timer.start()
    claim = wait()
    timer.join()
    assert [job.job_id for job in claim.jobs] == wanted


def test_a_wait_that_is_broken_off_brings_jobs_that_a_recovery_puts_back(world, wait, wake_up, signal):
    signal()
    assert wait() is None
    assert wake_up.is_waiting
    wanted = world.submit()
    wait_until(lambda: world.held() == wanted)
    wake_up.close()
    world.store.recover(HOLDER)
    assert (world.ready(), world.held()) == (wanted, [])
    assert "recoveries" not in world.record(wanted[0])


def test_a_holder_that_is_not_admitted_any_more_is_told_so(world, wait):
    world.call("SREM", world.keys.holders, HOLDER)
    world.submit()
    assert wait().is_gone


def test_a_server_that_has_forgotten_the_script_is_asked_again(world, wait):
    world.submit()
    world.call("SCRIPT", "FLUSH")
    assert wait().is_cut
    assert len(world.ready()) == 1


def test_an_earlier_due_time_ends_the_wait_for_the_schedule(world, wake_up, stop_fd):
    assert not wake_up.wait_for_schedule(0.01, stop_fd, NODE)
    world.schedule(1000)
    assert wake_up.wait_for_schedule(5, stop_fd, NODE)


def test_a_cancel_of_a_job_that_runs_ends_the_wait_of_its_node(world, wake_up, stop_fd):
    (job_id,) = world.start()
    world.store.cancel(job_id, "soft")
    assert wake_up.wait_for_schedule(5, stop_fd, NODE)
    assert not wake_up.wait_for_schedule(0.01, stop_fd, NODE)


def test_a_refusal_of_the_server_is_no_token(world, wait):
    world.call("SET", world.keys.wake(LANES[0]), "no list")
    with pytest.raises(ServerRefused):
        wait()


def test_without_a_token_the_server_ends_the_wait_after_a_second_and_claims_all_the_same(
    world, wait, monkeypatch
):
    monkeypatch.setattr("bananasd.store.access.BLOCK_SECONDS", 0.01)
    assert wait() == Claim([])
    wanted = world.submit()
    world.call("DEL", world.keys.wake(LANES[2]))
    assert [job.job_id for job in wait().jobs] == wanted
