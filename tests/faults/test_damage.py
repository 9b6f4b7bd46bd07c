"""Records and lists that are damaged by others: each such job ends dead with its reason, and nobody else notices."""

import os
import signal
import threading
import uuid
from contextlib import contextmanager
from functools import partial

import pytest

from bananasd import Client, JobRequest, Status
from tests.command_line import bananasd, on
from tests.faults.form import PATIENCE_SECONDS, either
from tests.invariants import KEYS

LANE = "default:normal"
JOB_SECONDS = 0.002
SPEC = b'{"v":1,"name":"nothing","payload":1}'


def put(scene, place="ready", job_id=None, **fields):
    """An id at the front of a lane, or among the due, whose record has these fields; the id."""
    job_id = job_id or str(uuid.uuid4()).encode()
    record = {"lane": LANE, "status": "pending" if place == "ready" else "scheduled", "spec": SPEC} | fields
    words = [word for pair in record.items() if pair[1] is not None for word in pair]
    scene.server.call("HSET", key_of(job_id), *words)
    return stand(scene, place, job_id)


def put_without_record(scene, place):
    return stand(scene, place, str(uuid.uuid4()).encode())


def put_with_string(scene, place):
    job_id = str(uuid.uuid4()).encode()
    scene.server.call("SET", key_of(job_id), "x")
    return stand(scene, place, job_id)


def stand(scene, place, job_id):
    if place == "ready":
        scene.server.call("LPUSH", KEYS.ready(LANE), job_id)
    elif place == "scheduled":
        scene.server.call("ZADD", KEYS.scheduled, 1, job_id)
    return job_id


def key_of(job_id):
    """Ids are bytes here: some are no text."""
    return KEYS.job("").encode() + job_id


MISSING = "its record is missing or unreadable"
CANNOT = "the job cannot be run: its"
DAMAGES = {
    "no record": (put_without_record, MISSING),
    "a record that is a string": (put_with_string, MISSING),
    "no spec": (partial(put, spec=None), MISSING),
    "no status": (partial(put, status=None), MISSING),
    "a run that is no number": (partial(put, run="one"), MISSING),
    "a spec that is no JSON": (partial(put, spec="{"), f"{CANNOT} spec is not JSON"),
    "a spec of the future": (partial(put, spec='{"v":2,"program":1}'), f"{CANNOT} spec has version 2"),
    "a spec not in UTF-8": (
        partial(put, spec=SPEC.replace(b"nothing", b"\xff\xfe")),
        f"{CANNOT} spec is not JSON",
    ),
    "an id not in UTF-8": (partial(put, job_id=b"\xff\xfe"), f"{CANNOT} id is no UUID"),
    "one as long as others": (partial(put, job_id=b"\xff\xfe" * 18), f"{CANNOT} id is no UUID"),
}
"""What → how it is made in a place, and what its job dies of."""
BAD_RESULTS = {
    "returns 10 MiB": "the handler returned, but the result has 10,485,762 bytes, at most 1,048,576 are kept",
    "returns no text": "the handler returned, but the result ",
    "fails without text": "Traceback ",
}


def load(scene):
    """Jobs that keep the workers busy for a second or two."""
    return scene.submit_many(either(400, 4000), JOB_SECONDS)


def assert_unharmed(scene, ids):
    """Nothing that was done to others was charged to these, and they ran in peace."""
    jobs = [scene.client.get_job(job_id) for job_id in ids]
    assert {(job.status, job.attempts, job.recoveries) for job in jobs} == {(Status.COMPLETED, 1, 0)}


def workers(daemon):
    return {child.pid for child in daemon.children("worker")}


def errors_of_the_dead(scene):
    """By id, in bytes: some are no text."""
    look = scene.look
    ids = look.call("ZRANGE", KEYS.dead, 0, -1)
    return {job_id: look.call("HGET", key_of(job_id), "error").decode() for job_id in ids}


def is_in_order(scene):
    return bananasd("doctor", *on(scene.server)).exit_code == 0


@pytest.mark.parametrize("place", ["ready", "scheduled"])
def test_what_is_damaged_dies_with_its_reason_and_nobody_else_notices(scene, place):
    daemon = scene.node()
    before = workers(daemon)
    ids = load(scene)
    reasons = {make(scene, place): reason for make, reason in DAMAGES.values()}
    for name, reason in BAD_RESULTS.items():
        reasons[scene.client.submit_job(name, {}, max_retries=0).encode()] = reason
    scene.wait_until(lambda: scene.are_final(ids) and len(errors_of_the_dead(scene)) == len(reasons))
    told = errors_of_the_dead(scene)
    assert {job_id: told[job_id][: len(reason)] for job_id, reason in reasons.items()} == reasons
    assert_unharmed(scene, ids)
    assert workers(daemon) == before and not daemon.lines("redis lost")
    # What has an id that is none can be listed and deleted like the others.
    assert {job.id.encode("utf-8", "surrogateescape") for job in scene.client.dead_jobs()} == set(reasons)
    assert is_in_order(scene)
    assert scene.client.purge_dead() == len(reasons)


def test_an_id_that_is_in_several_places_runs_once(scene):
    daemon = scene.node()
    before = workers(daemon)
    ids = load(scene)
    for job_id in ids[::10]:
        for lane in ("default:high", LANE, LANE, "default:low"):
            scene.server.call("RPUSH", KEYS.ready(lane), job_id)
        scene.server.call("ZADD", KEYS.scheduled, 1, job_id)
    scene.server.call("RPUSH", KEYS.wake_scheduled, "1")
    scene.wait_until(lambda: scene.are_final(ids) and not scene.look.ready())
    scene.wait_until(lambda: not scene.look.call("ZCARD", KEYS.scheduled))
    assert_unharmed(scene, ids)
    assert len(scene.ledger.starts()) == len(ids)
    assert workers(daemon) == before and not daemon.lines("redis lost")


@pytest.mark.parametrize("is_lost", [False, True], ids=["its worker dies", "its node is lost"])
def test_what_is_damaged_while_it_runs_dies_when_it_is_recovered(scene, is_lost):
    daemon = scene.node({"workers": {"count": 4}})
    missing, string, without_status, unharmed = scene.hold(4)
    scene.job_ids = [unharmed]
    scene.server.call("DEL", KEYS.job(missing))
    scene.server.call("SET", KEYS.job(string), "x")
    scene.server.call("HDEL", KEYS.job(without_status), "status")
    if is_lost:
        daemon.kill_all()
        scene.lost_nodes = 1
        scene.node()
    else:
        for pid in workers(daemon):
            os.kill(pid, signal.SIGKILL)
    scene.let_go()
    assert scene.wait(unharmed).recoveries == 1
    scene.wait_until(lambda: len(errors_of_the_dead(scene)) == 3)
    assert errors_of_the_dead(scene) == {
        job_id.encode(): MISSING for job_id in (missing, string, without_status)
    }
    assert is_in_order(scene)
    assert scene.client.purge_dead() == 3


# What no daemon can know


def held_by_nobody(scene):
    job_id = put(scene, "nowhere", status="processing", holder="nobody/1.1", run=1)
    scene.server.call("RPUSH", KEYS.held("nobody/1.1"), job_id)
    return job_id


def held_by_a_node_that_never_was(scene):
    job_id = held_by_nobody(scene)
    scene.server.call("SADD", KEYS.holders, "nobody/1.1")
    return job_id


def vanishing(scene):
    job_id = put(scene)
    scene.server.call("PEXPIRE", key_of(job_id), 600_000)
    return job_id


RUNNABLE = [
    partial(put, place="nowhere", status="pending"),
    partial(put, place="nowhere", due_at=1),
    partial(put, place="nowhere", status="processing", holder="nobody/2.1", run=1),
    held_by_nobody,
    held_by_a_node_that_never_was,
    vanishing,
]


def break_keys(scene):
    """Among them what is met again and again by daemons that work."""
    scene.server.call("HSET", KEYS.stats, "dead", "many")
    scene.server.call("SET", KEYS.dead, "x")
    scene.server.call("DEL", KEYS.queues)
    scene.server.call("SET", f"{KEYS.prefix}notes", "x")


def is_repaired(scene):
    assert bananasd("doctor", "--repair", *on(scene.server)).exit_code == 0
    return is_in_order(scene)


@contextmanager
def steady_work(scene):
    """Jobs all the while, of which one in fifty fails for good."""
    is_over = threading.Event()

    def submit():
        with Client(scene.server.url) as client:
            while not is_over.is_set():
                some = [JobRequest("brief", {"seconds": JOB_SECONDS}) for _ in range(50)]
                scene.job_ids += client.submit_many([*some, JobRequest("give up", {})])
                client.wait(some[0].job_id, PATIENCE_SECONDS)

    submitter = threading.Thread(target=submit)
    submitter.start()
    try:
        yield
    finally:
        is_over.set()
        submitter.join()


def test_the_doctor_mends_everything_beside_daemons_under_load(scene):
    nodes = [scene.node() for _ in range(2)]
    before = [workers(daemon) for daemon in nodes]
    mended = []
    with steady_work(scene):
        for _ in range(either(2, 20)):
            mended += [make(scene) for make in RUNNABLE]
            break_keys(scene)
            scene.wait_until(lambda: is_repaired(scene))
        scene.wait_until(lambda: all(status(scene, job_id) == b"completed" for job_id in mended))
    scene.unrecorded = len(mended)
    scene.wait_until(lambda: scene.are_final(scene.job_ids))
    assert_unharmed(
        scene, [job_id for job_id in scene.job_ids if scene.client.get_job(job_id).name == "brief"]
    )
    assert [workers(daemon) for daemon in nodes] == before
    scene.server.call("DEL", *scene.look.find(f"{KEYS.prefix}aside:*"))
    assert is_in_order(scene)


def status(scene, job_id):
    return scene.server.call("HGET", key_of(job_id), "status")
