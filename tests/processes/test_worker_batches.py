"""Tiny jobs run in batches, and none of them waits behind a long one."""

from bananasd import JobRequest, Status
from tests.conftest import wait_until

HANDLERS = """
    @handler("tiny")
    def run_tiny(job):
        return os.getpid()
"""


def test_tiny_jobs_behind_a_long_one_run_elsewhere_and_those_before_it_are_settled_meanwhile(
    server, make_daemon
):
    daemon = make_daemon(HANDLERS, redis_url=server.url, settings={"workers": {"count": 2}}).start()
    with daemon.client() as client:
        # Until both workers know that such jobs are tiny.
        while not all(child.done > 50 for child in daemon.children("worker")):
            client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)])[-1], 10)
        before = [JobRequest("tiny", None) for _ in range(3)]
        long = JobRequest("note", {"seconds": 2})
        after = [JobRequest("tiny", None) for _ in range(10)]
        client.submit_many([*before, long, *after])
        jobs = [client.wait(request.job_id, 1.5) for request in [*before, *after]]
        assert {job.status for job in jobs} == {Status.COMPLETED}
        assert client.get_job(long.job_id).status is Status.PROCESSING
        (worker,) = {child.pid for child in daemon.children("worker") if child.job_id == long.job_id}
        assert worker not in {job.result for job in jobs[3:]}
        assert {(job.attempts, job.recoveries) for job in jobs} == {(1, 0)}
    assert "batch cut short" in daemon.log_text()


def test_the_jobs_before_a_long_one_are_settled_though_it_is_the_last_of_its_batch(server, make_daemon):
    daemon = make_daemon(HANDLERS, redis_url=server.url, settings={"workers": {"count": 1}}).start()
    with daemon.client() as client:
        for _ in range(3):
            client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)])[-1], 10)
        before = [JobRequest("tiny", None) for _ in range(3)]
        long = JobRequest("note", {"seconds": 2})
        client.submit_many([*before, long])
        for request in before:
            assert client.wait(request.job_id, 1.5).status is Status.COMPLETED
        assert client.get_job(long.job_id).status is Status.PROCESSING


def test_a_batch_does_not_cross_a_drain(server, make_daemon):
    daemon = make_daemon(HANDLERS, redis_url=server.url, settings={"workers": {"count": 1}}).start()
    with daemon.client() as client:
        for _ in range(3):
            client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)])[-1], 10)
        requests = [JobRequest("note", {"seconds": 0.3}), *(JobRequest("note", {}) for _ in range(5))]
        client.submit_many(requests)
        wait_until(lambda: daemon.entries("start"))
        assert daemon.stop() == 0
        jobs = [client.get_job(request.job_id) for request in requests]
    assert [job.status for job in jobs] == [Status.COMPLETED] + [Status.PENDING] * 5
    assert len(daemon.entries("start")) == 1
    assert server.call("LRANGE", "{bananas:default}:ready:default:normal", 0, -1) == [
        job.id.encode() for job in jobs[1:]
    ]


def test_a_thousand_tiny_jobs_are_done_once_each(server, make_daemon):
    daemon = make_daemon(redis_url=server.url).start()
    with daemon.client() as client:
        ids = client.submit_many(JobRequest("note", {}) for _ in range(1000))
        wait_until(lambda: len(daemon.entries("end")) == 1000)
        assert {client.wait(job_id, 10).status for job_id in ids} == {Status.COMPLETED}
    assert sorted(entry[1] for entry in daemon.entries("start")) == sorted(ids)
