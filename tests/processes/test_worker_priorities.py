"""High before normal before low."""

import pytest

from bananasd import JobRequest, Priority
from tests.conftest import wait_until

LOW_FIRST = (Priority.LOW, Priority.NORMAL, Priority.HIGH)


@pytest.mark.parametrize("workers", [1, 3])
def test_high_runs_before_normal_before_low_when_all_arrive_while_the_workers_are_busy(
    server, make_daemon, workers
):
    daemon = make_daemon(redis_url=server.url, settings={"workers": {"count": workers}}).start()
    until = daemon.directory / "until"
    with daemon.client() as client:
        client.submit_many(JobRequest("hold", {"until": str(until)}) for _ in range(workers))
        wait_until(lambda: len(daemon.entries("start")) == workers)
        ids = {
            priority: [client.submit_job("note", {"seconds": 0.02}, priority) for _ in range(2 * workers)]
            for priority in LOW_FIRST
        }
        until.touch()
        # By the server's clock, in the order in which they were claimed.
        started = {
            priority: [job.started_at for job in client.wait(job_ids, 30)]
            for priority, job_ids in ids.items()
        }
    assert max(started[Priority.HIGH]) <= min(started[Priority.NORMAL])
    assert max(started[Priority.NORMAL]) <= min(started[Priority.LOW])


def test_of_one_priority_the_first_submitted_runs_first(server, make_daemon):
    daemon = make_daemon(redis_url=server.url, settings={"workers": {"count": 1}}).start()
    with daemon.client() as client:
        client.submit_job("note", {"seconds": 0.2})
        ids = [client.submit_job("note", {"seconds": 0.01}) for _ in range(6)]
        client.wait(ids[-1], 30)
    assert [entry[1] for entry in daemon.entries("start")][1:] == ids


def test_priority_goes_before_the_order_of_queues(server, make_daemon):
    daemon = make_daemon(
        redis_url=server.url, settings={"workers": {"count": 1, "queues": ["first", "second"]}}
    ).start()
    with daemon.client() as client:
        until = daemon.directory / "until"
        client.submit_job("hold", {"until": str(until)}, queue="first")
        wait_until(lambda: daemon.entries("start"))
        ids = [
            client.submit_job("note", {"seconds": 0.02}, priority, queue=queue)
            for priority in LOW_FIRST
            for queue in ("second", "first")
        ]
        until.touch()
        client.wait(ids, 30)
    assert [entry[1] for entry in daemon.entries("start")][1:] == ids[::-1]
