"""Pools: workers for some lanes only, which keep their places, their names and their jobs whatever happens around them."""

import os
import signal

import pytest

from bananasd import Priority, Status
from bananasd.processes.board import Head
from tests.command_line import bananasd
from tests.conftest import wait_until
from tests.daemon import Daemon, pool_toml, title

pytestmark = pytest.mark.usefixtures("untraced")

URGENT = {"name": "urgent", "workers": 1, "queues": ["default"], "priorities": ["high"]}
SLOW = {"name": "slow", "workers": 2, "queues": ["reports"]}

BROKEN_IN_A_POOL = """
    from pathlib import Path
    if "(urgent)" in Path("/proc/self/cmdline").read_text():
        nonsense()
"""


@pytest.fixture
def daemon(make_daemon):
    """Two workers, one that is reserved for high jobs, and two for slow ones."""
    return make_daemon(settings={"pools": [URGENT, SLOW]}).start()


def workers(daemon: Daemon) -> dict[str, str]:
    """The pool of each worker that is not about to leave."""
    return {child.slot: child.pool for child in daemon.children("worker") if child.state == "up"}


def pools(daemon: Daemon) -> list[str]:
    return sorted(workers(daemon).values())


def reload(daemon: Daemon, *new_pools: dict) -> None:
    """HUP with these pools in the place of the old ones, and wait until they are in force."""
    text = daemon.config.read_text().partition("[[pools]]")[0]
    daemon.config.write_text(text + "".join(map(pool_toml, new_pools)))
    board = daemon.board
    ended = board.head[Head.RELOADS_ENDED]
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_ENDED] > ended, 45)
    assert board.head[Head.IS_RELOADED], board.problems_path.read_text()


def hold(daemon: Daemon, client, **options) -> str:
    return client.submit_job("hold", {"until": str(daemon.directory / "go")}, **options)


def test_each_worker_has_a_number_of_its_own_and_its_pool_in_its_title(daemon):
    assert workers(daemon) == {
        "worker 0": "", "worker 1": "", "worker 2": "urgent", "worker 3": "slow", "worker 4": "slow"
    }  # fmt: skip
    pids = {child.slot: child.pid for child in daemon.children("worker")}
    # What it does comes into its title when it is up.
    wait_until(lambda: title(pids["worker 1"]) == "bananasd: worker 1 [idle]")
    wait_until(lambda: title(pids["worker 2"]) == "bananasd: worker 2 (urgent) [idle]")


def test_a_worker_that_is_reserved_for_high_takes_it_while_all_others_are_busy(daemon):
    with daemon.client() as client:
        low = [hold(daemon, client, priority=Priority.LOW) for _ in range(3)]
        wait_until(lambda: len(daemon.entries("start")) == 2)
        high = client.wait(client.submit_job("note", {}, Priority.HIGH), 30)
        assert high.status is Status.COMPLETED
        # The third low job waits for a worker of its own, though one is idle.
        assert [client.get_job(job_id).status for job_id in low] == [
            Status.PROCESSING, Status.PROCESSING, Status.PENDING
        ]  # fmt: skip
        (daemon.directory / "go").touch()
        client.wait(low, 30)
    (urgent,) = (child for child in daemon.children("worker") if child.pool == "urgent")
    assert urgent.done == 1


def test_jobs_of_a_pools_queue_run_there_only(daemon):
    with daemon.client() as client:
        jobs = [client.wait(client.submit_job("note", {}, queue="reports"), 30) for _ in range(5)]
    assert {job.status for job in jobs} == {Status.COMPLETED}
    done = {}
    for child in daemon.children("worker"):
        done[child.pool] = done.get(child.pool, 0) + child.done
    assert done == {"": 0, "urgent": 0, "slow": 5}


def test_a_killed_worker_of_a_pool_is_replaced_in_the_same_pool_and_its_job_runs_there_again(daemon):
    with daemon.client() as client:
        job_id = hold(daemon, client, queue="reports")
        wait_until(lambda: daemon.entries("start", job_id))
        worker = daemon.worker_of(job_id)
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: len(daemon.entries("start", job_id)) == 2)
        wait_until(lambda: pools(daemon) == ["", "", "slow", "slow", "urgent"])
        assert workers(daemon)[worker.slot] == "slow"
        assert daemon.worker_of(job_id).pool == "slow"
        (daemon.directory / "go").touch()
        assert client.wait(job_id, 30).recoveries == 1
        # Both of them, the new one too.
        (daemon.directory / "go").unlink()
        both = [hold(daemon, client, queue="reports") for _ in range(2)]
        assert {daemon.worker_of(job_id).pool for job_id in both} == {"slow"}
        (daemon.directory / "go").touch()


def test_a_recycled_worker_of_a_pool_stays_in_it(make_daemon):
    daemon = make_daemon(settings={"workers": {"count": 1, "max_jobs": 3}, "pools": [SLOW]}).start()
    with daemon.client() as client:
        ids = [client.submit_job("note", {}, queue="reports") for _ in range(20)]
        assert {job.status for job in client.wait(ids, 45)} == {Status.COMPLETED}
    wait_until(lambda: pools(daemon) == ["", "slow", "slow"])
    assert len({entry[3] for entry in daemon.entries("start")}) > 6


def test_a_reload_that_removes_a_pool_lets_its_jobs_end(daemon):
    with daemon.client() as client:
        job_id = hold(daemon, client, queue="reports")
        worker = daemon.worker_of(job_id)
        waiting = [hold(daemon, client, queue="reports") for _ in range(2)]
        daemon.worker_of(waiting[0])
        reload(daemon, URGENT)
        wait_until(lambda: pools(daemon) == ["", "", "urgent"])
        assert daemon.worker_of(job_id).pid == worker.pid
        (daemon.directory / "go").touch()
        for done in (job_id, waiting[0]):
            job = client.wait(done, 30)
            assert (job.status, job.run, job.recoveries) == (Status.COMPLETED, 1, 0)
        wait_until(lambda: len(daemon.children("worker")) == 3)
        assert client.get_job(waiting[1]).status is Status.PENDING


def test_a_reload_adds_changes_and_renames_pools_and_no_two_workers_have_one_number(daemon):
    before = workers(daemon)
    more = {"name": "more", "workers": 3, "queues": ["more"]}
    reload(daemon, URGENT | {"workers": 2}, more)
    wait_until(lambda: pools(daemon) == ["", "", "more", "more", "more", "urgent", "urgent"])
    wait_until(lambda: len(daemon.children("worker")) == 7)
    now = workers(daemon)
    assert len(now) == 7
    assert {slot: now[slot] for slot in ("worker 0", "worker 1", "worker 2")} == {
        slot: before[slot] for slot in ("worker 0", "worker 1", "worker 2")
    }
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}, queue="more"), 30)
    reload(daemon, URGENT | {"queues": ["other"], "priorities": ["low"]})
    wait_until(lambda: pools(daemon) == ["", "", "urgent"])
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}, Priority.LOW, queue="other"), 30)
    wait_until(daemon.is_up)


def test_one_more_and_one_less_is_said_of_the_workers_without_a_pool(daemon):
    os.kill(daemon.pid, signal.SIGTTIN)
    wait_until(lambda: pools(daemon) == ["", "", "", "slow", "slow", "urgent"])
    assert workers(daemon)["worker 5"] == ""
    for count in (2, 1):
        os.kill(daemon.pid, signal.SIGTTOU)
        wait_until(lambda count=count: pools(daemon) == [""] * count + ["slow", "slow", "urgent"])
    os.kill(daemon.pid, signal.SIGTTOU)
    wait_until(lambda: daemon.lines("number of workers kept"))
    assert pools(daemon) == ["", "slow", "slow", "urgent"]


def test_more_workers_than_there_is_room_for_are_counted_over_all_pools(daemon):
    before = pools(daemon)
    daemon.config.write_text(daemon.config.read_text() + pool_toml({**SLOW, "name": "many", "workers": 100}))
    board = daemon.board
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 1)
    (problem,) = board.problems_path.read_text().splitlines()
    assert "workers.count with all pools: 105: more than 62 need a restart of the daemon" in problem
    assert pools(daemon) == before


def test_a_reload_that_fails_half_way_leaves_the_workers_of_a_pool_it_would_have_removed_at_work(make_daemon):
    broken = BROKEN_IN_A_POOL.replace("urgent", "new")
    daemon = make_daemon(broken, settings={"workers": {"max_age_seconds": 2}, "pools": [SLOW]}).start()
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace('"slow"', '"new"'))
    board = daemon.board
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: board.head[Head.RELOADS_ENDED] == 1)
    assert board.problems_path.read_text().startswith(
        "the new worker 4 does not come up, see the log; 2 others"
    )
    # The plan knows no pool of that name any more: no successors for them, but for the others.
    # Also if one was just being recycled: then its old worker, or the new one, has been told to leave.
    slow = set()
    wait_until(lambda: slow.clear() or slow.update(pids_of(daemon, "slow")) or len(slow) == 2)
    others = {child.pid for child in daemon.children("worker")} - slow
    wait_until(lambda: not others & {child.pid for child in daemon.children("worker")}, 45)
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}, queue="reports"), 30)
    assert pids_of(daemon, "slow") == slow
    daemon.config.write_text(text)
    reload(daemon, SLOW)
    wait_until(lambda: pools(daemon) == ["", "", "slow", "slow"])


def pids_of(daemon: Daemon, pool: str) -> set[int]:
    return {child.pid for child in daemon.children("worker") if child.pool == pool}


def lane(client, queue: str, priority: Priority):
    """The lane; waits until there is one, as there is once a node has said that it serves it."""
    found = []

    def is_there() -> bool:
        lanes = client.queue_stats().lanes
        found.extend(one for one in lanes if (one.queue, one.priority) == (queue, priority))
        return bool(found)

    wait_until(is_there)
    return found[0]


def test_a_lane_that_nobody_serves_is_marked_until_a_reload_serves_it(make_daemon):
    daemon = make_daemon(settings={"workers": {"priorities": ["high"]}, "pools": [SLOW]}).start()
    with daemon.client() as client:
        client.wait(client.submit_job("note", {}, Priority.HIGH), 30)
        job_id = client.submit_job("note", {}, Priority.LOW)
        client.submit_job("note", {}, queue="reports")
        wait_until(lambda: lane(client, "reports", Priority.NORMAL).workers == 2)
        assert lane(client, "default", Priority.HIGH).workers == 2
        unserved = lane(client, "default", Priority.LOW)
        assert (unserved.ready, unserved.workers, unserved.is_unserved) == (1, 0, True)
        shown = bananasd("queues", "--config", daemon.config).stdout
        assert [line.split()[-1] for line in shown.splitlines() if "low" in line] == ["unserved", "2"]
        reload(daemon, SLOW, {"name": "low", "workers": 3, "queues": ["default"], "priorities": ["low"]})
        assert client.wait(job_id, 30).status is Status.COMPLETED
        wait_until(lambda: lane(client, "default", Priority.LOW).workers == 3)
        assert "unserved" not in bananasd("queues", "--config", daemon.config).stdout


def test_workers_that_end_their_last_job_or_are_told_to_be_quiet_serve_nothing(daemon):
    with daemon.client() as client:
        worker = daemon.worker_of(hold(daemon, client, priority=Priority.LOW))
        wait_until(lambda: lane(client, "default", Priority.HIGH).workers == 3)
        os.kill(worker.pid, signal.SIGTERM)
        wait_until(lambda: lane(client, "default", Priority.HIGH).workers == 2)
        (daemon.directory / "go").touch()
        wait_until(lambda: lane(client, "default", Priority.HIGH).workers == 3)
        daemon.be_quiet()
        wait_until(lambda: lane(client, "default", Priority.HIGH).workers == 0)
        assert not lane(client, "default", Priority.HIGH).is_unserved
        job_id = client.submit_job("note", {}, Priority.HIGH)
        assert lane(client, "default", Priority.HIGH).is_unserved
        why = f"node {daemon.node.node} is quiet ('kill -CONT {daemon.pid}' on testnode lets it go on)"
        assert lane(client, "default", Priority.HIGH).why_unserved == why
        assert why in client.explain(job_id).sentence
        os.kill(daemon.pid, signal.SIGCONT)
        wait_until(lambda: lane(client, "default", Priority.HIGH).workers == 3)
        assert lane(client, "default", Priority.HIGH).why_unserved == ""


def test_a_lane_that_only_a_draining_daemon_would_serve_says_so(make_daemon):
    daemon = make_daemon(settings={"pools": [SLOW], "master": {"drain_seconds": 60}}).start()
    with daemon.client() as client:
        daemon.worker_of(hold(daemon, client))
        node = daemon.node.node
        os.kill(daemon.pid, signal.SIGTERM)
        # One that waits might be given it yet.
        wait_until(lambda: not pids_of(daemon, "slow"))
        client.submit_job("note", {}, queue="reports")
        wait_until(lambda: lane(client, "reports", Priority.NORMAL).why_unserved)
        assert lane(client, "reports", Priority.NORMAL).why_unserved == f"node {node} is draining"
        (daemon.directory / "go").touch()


def test_a_pool_whose_workers_are_all_given_up_is_told_and_the_others_go_on(make_daemon):
    daemon = make_daemon(BROKEN_IN_A_POOL, settings={"pools": [URGENT, SLOW]}).start(wait=False)
    wait_until(lambda: daemon.lines("pool fatal"))
    (line,) = daemon.lines("pool fatal")
    assert "pool='urgent'" in line
    wait_until(lambda: pools(daemon) == ["", "", "slow", "slow"])
    with daemon.client() as client:
        assert client.wait(client.submit_job("note", {}), 30).status is Status.COMPLETED
    assert daemon.process.poll() is None


def test_the_daemon_ends_when_the_workers_of_all_pools_are_given_up(make_daemon):
    daemon = make_daemon("nonsense()", settings={"pools": [URGENT]}).start(wait=False)
    assert daemon.wait() == 78
    assert daemon.lines("daemon gives up status=78")
