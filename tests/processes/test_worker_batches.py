"""Tiny jobs run in batches, and none of them waits behind a long one."""

import uuid

from bananasd import JobRequest, Status
from tests.conftest import wait_until
from tests.patience import assert_once

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

        def is_cut_short() -> bool:
            # Until both workers know that such jobs are tiny.
            while not all(child.done > 50 for child in daemon.children("worker")):
                client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)]), 30)
            until = daemon.directory / uuid.uuid4().hex
            before = [JobRequest("tiny", None) for _ in range(3)]
            long = JobRequest("hold", {"until": str(until)})
            after = [JobRequest("tiny", None) for _ in range(10)]
            client.submit_many([*before, long, *after])
            jobs = client.wait([request.job_id for request in [*before, *after]], 30)
            assert {job.status for job in jobs} == {Status.COMPLETED}
            assert daemon.worker_of(long.job_id).pid not in {job.result for job in jobs[3:]}
            assert {(job.attempts, job.recoveries) for job in jobs} == {(1, 0)}
            until.touch()
            client.wait(long.job_id, 30)
            return bool(daemon.lines("batch cut short"))

        # Where they are not tiny, on a busy machine, or the other worker is quicker, nothing has to be cut.
        assert_once(is_cut_short, 10)


def test_the_jobs_before_a_long_one_are_settled_though_it_is_the_last_of_its_batch(server, make_daemon):
    daemon = make_daemon(HANDLERS, redis_url=server.url, settings={"workers": {"count": 1}}).start()
    with daemon.client() as client:
        for _ in range(3):
            client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)])[-1], 30)
        before = [JobRequest("tiny", None) for _ in range(3)]
        until = daemon.directory / "until"
        long = JobRequest("hold", {"until": str(until)})
        client.submit_many([*before, long])
        jobs = client.wait([request.job_id for request in before], 30)
        assert {job.status for job in jobs} == {Status.COMPLETED}
        daemon.worker_of(long.job_id)
        until.touch()
        client.wait(long.job_id, 30)


def test_a_batch_does_not_cross_a_drain(server, make_daemon):
    settings = {"workers": {"count": 1}, "master": {"drain_seconds": 60}}
    daemon = make_daemon(HANDLERS, redis_url=server.url, settings=settings).start()
    with daemon.client() as client:
        for _ in range(3):
            client.wait(client.submit_many([JobRequest("tiny", None) for _ in range(100)])[-1], 30)
        until = daemon.directory / "until"
        requests = [JobRequest("hold", {"until": str(until)}), *(JobRequest("note", {}) for _ in range(5))]
        client.submit_many(requests)
        wait_until(lambda: daemon.entries("start"))
        daemon.terminate()
        wait_until(lambda: daemon.child("worker").state == "draining")
        until.touch()
        assert daemon.wait() == 0
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
        assert {job.status for job in client.wait(ids, 30)} == {Status.COMPLETED}
    assert sorted(entry[1] for entry in daemon.entries("start")) == sorted(ids)
